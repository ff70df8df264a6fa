"""What the launcher is told: limits, id, folder, environment and what is forbidden, as one value."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent_runtime.toolbox.sandbox.identity import SANDBOX_GID, SANDBOX_UID, is_root

LAUNCHER = Path(__file__).with_name("launcher.py")
MIB = 1024 * 1024
ENVIRONMENT = "AGENT_RUNTIME_COMMAND_ENVIRONMENT"

DANGEROUS_CALLS = [
    "mount", "umount2", "pivot_root", "unshare", "setns", "bpf", "userfaultfd", "perf_event_open", "add_key",
    "request_key", "keyctl", "io_uring_setup", "open_tree", "move_mount", "fsopen", "mount_setattr",
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
    """One start. `landlock` holds lists of paths (`read`, `write`, `devices`, `terminals`) and the flag `network`."""

    folder: str
    limits: dict[str, int]
    environment: dict[str, str]
    supervise: bool
    """Stay above the command, and end all that it started when it ends, is stopped, or the worker is gone."""
    landlock: dict[str, Any] | None = None
    forbidden: list[str] = field(default_factory=list)
    uid: int | None = None
    gid: int = SANDBOX_GID
    terminal: bool = False
    """Its standard streams are a terminal, which shall be its own: Ctrl-C reaches it, and it can ask for a password."""
    worker: int = field(default_factory=os.getpid)

    def argv(self, launcher: str, command: list[str]) -> list[str]:
        # Arguments are for everybody to read in the list of processes, and the environment may hold secrets.
        spec = {name: value for name, value in asdict(self).items() if name != "environment"}
        return [sys.executable, "-I", "-S", launcher, json.dumps(spec), *command]

    def handed_on(self) -> dict[str, str]:
        """The environment of the launcher itself, which holds that of the command in one variable."""
        return {ENVIRONMENT: json.dumps(self.environment)}


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
    for folder in os.scandir("/proc"):
        try:
            if folder.name.isdigit() and folder.stat().st_uid == uid:
                count += sum(1 for _ in os.scandir(f"{folder.path}/task"))
        except OSError:
            continue
    return count


def supervised(command: list[str]) -> list[str]:
    """The argument vector that runs `command` with nothing changed for it, but nothing of it left behind."""
    spec = {"supervise": True, "worker": os.getpid(), "unchanged": True}
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(spec), *command]
