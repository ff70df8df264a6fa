"""What the launcher is told of one command, as one value: walls, limits, id, folder, environment."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from agent_runtime.toolbox.sandbox.identity import SANDBOX_GID, SANDBOX_UID, is_root

MIB = 1024 * 1024

DANGEROUS_CALLS = [
    "mount", "umount2", "pivot_root", "unshare", "setns", "bpf", "userfaultfd", "perf_event_open", "add_key",
    "request_key", "keyctl", "io_uring_setup", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
    "mount_setattr", "syslog",
]  # fmt: skip


def can_filter_calls() -> bool:
    """Whether the launcher knows this machine's system calls by number."""
    return sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


@dataclass(frozen=True)
class CommandLimits:
    """Bounds of one command. Memory, file size and open files hold for each of its processes."""

    memory_bytes: int = 2048 * MIB
    """Address space, so a little above what a program really uses."""
    processes: int = 256
    file_bytes: int = 1024 * MIB
    open_files: int = 1024
    temporary_bytes: int = 256 * MIB
    """Size of the private /tmp; only bubblewrap can bound it."""

    def as_rlimits(self, timeout_seconds: float | None) -> dict[str, int]:
        """The values for setrlimit(2), by the constants' names."""
        # Wall-clock time is the bound that people see; this is the net under it.
        cpu = {} if timeout_seconds is None else {"CPU": math.ceil(timeout_seconds) * (os.cpu_count() or 1) + 1}
        return {
            **cpu,
            "AS": self.memory_bytes,
            # Counted for the id, not for the command, so what already runs under it comes on top.
            "NPROC": self.processes + _threads_of(SANDBOX_UID if is_root() else os.getuid()),
            "FSIZE": self.file_bytes,
            "NOFILE": self.open_files,
            "CORE": 0,
        }


@dataclass(frozen=True)
class Launch:
    """One start of `argv` in `folder`."""

    argv: list[str]
    folder: str
    limits: dict[str, int]
    environment: dict[str, str]
    box: list[str] | None = None
    """How to start bubblewrap, without a command; None for no namespaces."""
    landlock: dict[str, Any] | None = None
    """Lists of paths (`read`, `write`, `devices`, `terminals`) and the flag `network`, which leaves TCP open."""
    forbidden: list[str] = field(default_factory=list)
    """System calls, by the names in launcher/calls.py."""
    others_visible: bool = False
    """There are processes of the same id that are not its own: it may not change their limits and priorities."""
    uid: int | None = None
    gid: int = SANDBOX_GID
    capabilities: list[int] = field(default_factory=list)
    """Of root's, those that it keeps, by their numbers in capability(7): for a process of ours, never for a command."""
    group: str | None = None
    """The folder of a control group that it joins."""
    relay: dict[str, Any] | None = None
    """`port` on its loopback, and the unix `socket` that connections to it are handed on to."""
    terminal: bool = False
    """Its standard streams are a terminal, which shall be its own: Ctrl-C reaches it, and it can ask for a password."""

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def plain_environment(home: str, path: str) -> dict[str, str]:
    """What a command finds in its environment; nothing is inherited, since the worker's holds keys."""
    return {
        "PATH": path,
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        # Byte code would turn up among the task's files.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def sandbox_uid() -> int | None:
    """The id that the launcher takes on: root's commands give theirs up, others have none to give."""
    return SANDBOX_UID if is_root() else None


def _threads_of(uid: int) -> int:
    if sys.platform != "linux":
        return 0
    count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208 - this is done before each command
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116
                count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
        except OSError:
            continue
    return count
