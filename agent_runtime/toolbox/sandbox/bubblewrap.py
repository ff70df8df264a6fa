"""The sandbox of choice: namespaces made by bubblewrap (bwrap(1)).

The command sees a read-only system, its workspace at /workspace, a private /tmp, itself as the only processes, and no
network. A worker that is not root gets a user namespace; a root worker's command drops to an unprivileged id instead,
because the kernel binds no process limit to root's own.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from agent_runtime.toolbox.sandbox.enclosure import Command, Enclosure
from agent_runtime.toolbox.sandbox.groups import Groups, described
from agent_runtime.toolbox.sandbox.identity import SANDBOX_GID, SANDBOX_UID, is_root
from agent_runtime.toolbox.sandbox.interpreter import interpreter_folders, search_path
from agent_runtime.toolbox.sandbox.landlock import landlock_abi
from agent_runtime.toolbox.sandbox.launch import (
    DANGEROUS_CALLS,
    CommandLimits,
    Launch,
    plain_environment,
    sandbox_uid,
)
from agent_runtime.toolbox.sandbox.way_out import PROXY_ENVIRONMENT, RELAY, way_out
from agent_runtime.toolbox.workspace import SANDBOX_PATH

_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic", "mime.types",
    "nsswitch.conf", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip

# The mounts say the same; this holds should one of them fail to.
_SECOND_LINE = {
    "read": ["/"],
    "write": [SANDBOX_PATH, "/tmp", "/dev/shm"],  # noqa: S108
    "devices": ["/dev"],
    "terminals": ["/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts"],
    "network": True,
}


class Bubblewrap(Enclosure):
    """Runs commands under `bwrap`."""

    name = "bubblewrap"

    def __init__(self, limits: CommandLimits, groups: Groups | None = None) -> None:
        self._limits = limits
        self._groups = groups

    def problem(self) -> str | None:
        """Why it cannot be used, as far as can be told without a trial."""
        return None if shutil.which("bwrap") else "bwrap is not installed"

    def describe(self) -> str:
        version = ".".join(map(str, _version()))
        who = f"id {SANDBOX_UID}" if is_root() else "a user namespace"
        second = f", Landlock (ABI {landlock_abi()}) behind it" if landlock_abi() else ""
        together = f"; {described(self._groups)}"
        return f"bubblewrap {version}: read-only system, own processes, no network, {who}{second}{together}"

    @asynccontextmanager
    async def _enclosed(self, command: Command) -> AsyncIterator[Launch]:
        async with AsyncExitStack() as walls:
            way = await walls.enter_async_context(way_out(command.network)) if command.network else None
            yield Launch(
                argv=list(command.argv),
                folder=SANDBOX_PATH,
                limits=self._limits.as_rlimits(command.timeout_seconds),
                environment={
                    **plain_environment("/tmp", search_path(confined=True)),  # noqa: S108
                    **(PROXY_ENVIRONMENT if way else {}),
                    **command.environment,
                },
                box=self._bwrap(command.workspace, way),
                landlock=_SECOND_LINE if landlock_abi() > 0 else None,
                forbidden=DANGEROUS_CALLS,
                uid=sandbox_uid(),
                group=walls.enter_context(self._groups.group()) if self._groups else None,
                relay=RELAY if way else None,
                terminal=command.pty,
            )

    def _bwrap(self, workspace: Path, way: list[str] | None) -> list[str]:
        size = str(self._limits.temporary_bytes)
        return [
            shutil.which("bwrap") or "bwrap",
            *_namespaces(),
            *_system(),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--perms", "1777", "--size", size, "--tmpfs", "/dev/shm"),  # noqa: S108
            *("--perms", "1777", "--size", size, "--tmpfs", "/tmp"),  # noqa: S108
            *_bind_each(interpreter_folders()),
            *(way or ()),
            *("--bind", str(workspace), SANDBOX_PATH),
            # What is left of the root and of /dev lives in memory and would have no size limit.
            *("--remount-ro", "/dev", "--remount-ro", "/"),
        ]


def _namespaces() -> list[str]:
    # The environment is not cleared: all that is in it is the command's own (Launch.handed_on).
    options = ["--die-with-parent", "--new-session", "--hostname", "sandbox"]
    options += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net"]
    options += ["--cap-drop", "ALL"]
    if is_root():
        return options
    options += ["--unshare-user", "--uid", str(SANDBOX_UID), "--gid", str(SANDBOX_GID)]
    # Older versions lack it; the launcher forbids the calls in any case.
    return [*options, "--disable-userns"] if _version() >= (0, 8) else options


def _system() -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for folder in map(Path, _SYSTEM_FOLDERS):
        if folder.is_symlink():
            options += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            options += ["--ro-bind", str(folder), str(folder)]
    options += _bind_each([Path("/etc", name) for name in _ETC if Path("/etc", name).exists()])
    for own in sorted(Path(__file__).with_name("etc").iterdir()):
        options += ["--ro-bind", str(own), f"/etc/{own.name}"]
    return options


def _bind_each(paths: Sequence[Path]) -> list[str]:
    options = []
    for path in paths:
        for folder in reversed(path.parents[:-1]):
            options += _open_folder(str(folder))
        options += ["--ro-bind", str(path), str(path)]
    return options


def _open_folder(path: str) -> list[str]:
    # A folder that bwrap makes by itself, as a mount's parent, is closed to the unprivileged id.
    return ["--perms", "0755", "--dir", path]


@functools.cache
def _version() -> tuple[int, ...]:
    if sys.platform != "linux":
        return (0,)
    answer = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    return tuple(int(part) for part in re.findall(r"\d+", answer)) or (0,)
