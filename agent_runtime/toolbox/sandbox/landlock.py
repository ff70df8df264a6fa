"""The second choice: Landlock (landlock(7)), which needs no program and no privilege, by way of the launcher.

Files are confined by Landlock, the network by a system-call filter (no socket can be made), and a supervisor ends what
a command leaves behind. Other processes stay visible, and the size of temporary files has no bound of its own.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_runtime.toolbox.sandbox.choice import OUTPUT_LIMIT_BYTES, plain_environment
from agent_runtime.toolbox.sandbox.identity import SANDBOX_UID, is_root
from agent_runtime.toolbox.sandbox.interpreter import interpreter_folders, search_path
from agent_runtime.toolbox.sandbox.launch import (
    DANGEROUS_CALLS,
    LAUNCHER,
    CommandLimits,
    Launch,
    can_filter_calls,
    sandbox_uid,
)
from agent_runtime.toolbox.sandbox.private_folder import private_folder
from agent_runtime.toolbox.sandbox.processes import CommandResult, run_process

_READABLE = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc"]
_ETC = (
    "alternatives", "fonts", "group", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic",
    "mime.types", "nsswitch.conf", "passwd", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
_ETC_OF_THE_NETWORK = ("resolv.conf", "services", "protocols")
_DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]


class Landlock:
    """Runs commands below a supervisor, confined by Landlock."""

    name = "landlock"

    def __init__(self, limits: CommandLimits) -> None:
        self._limits = limits

    def problem(self) -> str | None:
        """Why it cannot be used, as far as can be told without a trial."""
        if sys.platform != "linux":
            return "only Linux has it"
        return None if landlock_abi() > 0 else "the kernel has no Landlock (Linux 5.13 or newer, enabled at boot)"

    def describe(self) -> str:
        network = "no network" if can_filter_calls() else "no TCP" if landlock_abi() >= 4 else "network not confined"
        who = f", id {SANDBOX_UID}" if is_root() else ""
        return (
            f"landlock (ABI {landlock_abi()}): read-only system, {network}{who}; other processes are visible; "
            "install bubblewrap for more"
        )

    async def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        timeout_seconds: float,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
        network: bool = False,
    ) -> CommandResult:
        with private_folder() as home:
            launch = Launch(
                folder=str(workspace),
                limits=self._limits.as_rlimits(timeout_seconds),
                environment={**plain_environment(str(home), search_path(confined=False)), **(environment or {})},
                supervise=True,
                landlock=_rules(workspace, home, network),
                forbidden=DANGEROUS_CALLS if network else [*DANGEROUS_CALLS, "socket"],
                uid=sandbox_uid(),
            )
            return await run_process(
                launch.argv(str(LAUNCHER), list(argv)),
                environment=launch.handed_on(),
                stdin=stdin,
                timeout_seconds=timeout_seconds,
                output_limit_bytes=output_limit_bytes,
            )


def landlock_abi() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    # landlock_create_ruleset with LANDLOCK_CREATE_RULESET_VERSION
    return max(int(libc.syscall(ctypes.c_long(444), None, ctypes.c_long(0), ctypes.c_long(1))), 0)


def _rules(workspace: Path, home: Path, network: bool) -> dict[str, Any]:
    etc = _ETC + (_ETC_OF_THE_NETWORK if network else ())
    return {
        "read": [*_READABLE, *map(str, interpreter_folders()), *(f"/etc/{name}" for name in etc)],
        "write": [str(workspace), str(home)],
        "devices": _DEVICES,
        "network": network,
    }
