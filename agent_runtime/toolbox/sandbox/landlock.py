"""The second choice: Landlock (landlock(7)), which needs no program and no privilege, by way of the launcher.

Files are confined by Landlock, the network by a system-call filter (no socket can be made), and a supervisor ends what
a command leaves behind. Other processes stay visible, and the size of temporary files has no bound of its own.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.enclosure import Command, Enclosure
from agent_runtime.toolbox.sandbox.groups import Groups, described
from agent_runtime.toolbox.sandbox.identity import SANDBOX_UID, is_root
from agent_runtime.toolbox.sandbox.interpreter import interpreter_folders, search_path
from agent_runtime.toolbox.sandbox.launch import (
    DANGEROUS_CALLS,
    CommandLimits,
    Launch,
    can_filter_calls,
    plain_environment,
    sandbox_uid,
)
from agent_runtime.toolbox.sandbox.private_folder import private_folder

_READABLE = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc"]
_ETC = (
    "alternatives", "fonts", "group", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic",
    "mime.types", "nsswitch.conf", "passwd", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
# Without namespaces, these reach what belongs to other processes of the id.
_SHARED_BY_ALL = ["socket", "shmget", "shmat", "msgget", "semget"]
_DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]


class Landlock(Enclosure):
    """Runs commands below a supervisor, confined by Landlock."""

    name = "landlock"

    def __init__(self, limits: CommandLimits, groups: Groups | None = None) -> None:
        self._limits = limits
        self._groups = groups

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
            f"install bubblewrap for more; {described(self._groups)}"
        )

    @asynccontextmanager
    async def _enclosed(self, command: Command) -> AsyncIterator[Launch]:
        if command.network is not None:
            raise ToolRefused(
                "commands cannot have the network on this machine: Landlock alone cannot hold them to the guard. "
                "Use the web tools, or tell the person that the operator can install bubblewrap"
            )
        with private_folder() as home, ExitStack() as walls:
            yield Launch(
                argv=list(command.argv),
                folder=str(command.workspace),
                limits=self._limits.as_rlimits(command.timeout_seconds),
                environment={**plain_environment(str(home), search_path(confined=False)), **command.environment},
                landlock=_rules(command.workspace, home),
                forbidden=[*DANGEROUS_CALLS, *_SHARED_BY_ALL],
                uid=sandbox_uid(),
                group=walls.enter_context(self._groups.group()) if self._groups else None,
                terminal=command.pty,
            )


def landlock_abi() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    # landlock_create_ruleset with LANDLOCK_CREATE_RULESET_VERSION
    return max(int(libc.syscall(ctypes.c_long(444), None, ctypes.c_long(0), ctypes.c_long(1))), 0)


def _rules(workspace: Path, home: Path) -> dict[str, Any]:
    return {
        "read": [*_READABLE, *map(str, interpreter_folders()), *(f"/etc/{name}" for name in _ETC)],
        "write": [str(workspace), str(home)],
        "devices": _DEVICES,
        "terminals": ["/dev/tty"],
        "network": False,
    }
