"""Control groups (cgroup v2): memory, processes and CPU of all of a command's processes together.

They need a part of the tree that is the worker's own, as systemd gives with `Delegate=yes`. Elsewhere each process has
its limits, and the command as a whole has none on memory and CPU.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from agent_runtime.toolbox.sandbox.launch import CommandLimits

_PREFIX = "agent-runtime-command-"
_CONTROLLERS = {"memory", "pids", "cpu"}


class Groups:
    """Makes groups in a folder of the tree."""

    def __init__(self, folder: Path, limits: CommandLimits) -> None:
        self._folder = folder
        self._limits = limits

    @contextmanager
    def group(self) -> Iterator[str]:
        """A new group, removed at the end, when nothing is in it any more."""
        folder = self._folder / f"{_PREFIX}{uuid4().hex}"
        folder.mkdir()
        try:
            for name, value in self._values().items():
                # Which files there are depends on the controllers and on the kernel, such as one without swap.
                if (folder / name).exists():
                    (folder / name).write_text(value)
            yield str(folder)
        finally:
            with suppress(OSError):
                folder.rmdir()

    def _values(self) -> dict[str, str]:
        # One core is left for the worker, which must renew its leases.
        cores = max((os.cpu_count() or 1) - 1, 1)
        return {
            "memory.max": str(self._limits.memory_bytes),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": str(self._limits.processes),
            "cpu.max": f"{cores * 100_000} 100000",
        }


def described(groups: Groups | None) -> str:
    """For `doctor`: whether a command's processes have limits together."""
    if groups is not None:
        return "memory, processes and CPU limited by control groups"
    found = find_folder()
    return f"limits for each process only: {found}" if isinstance(found, str) else "limits for each process only"


def find_groups(limits: CommandLimits) -> Groups | None:
    """Control groups, where this worker can make them."""
    found = find_folder()
    return None if isinstance(found, str) else Groups(found, limits)


@functools.cache
def find_folder() -> Path | str:
    """The folder for groups, or why there is none. The worker moves into a group of its own beneath it."""
    if sys.platform != "linux":
        return "only Linux has control groups"
    own = _own_folder()
    if own is None:
        return "there is no cgroup v2"
    missing = _CONTROLLERS - set(_words(own / "cgroup.controllers"))
    if missing:
        return f"cgroup v2 does not control {', '.join(sorted(missing))} here"
    try:
        if _CONTROLLERS - set(_words(own / "cgroup.subtree_control")):
            if set(_words(own / "cgroup.procs")) - {str(os.getpid())}:
                return f"{own} is not this worker's alone (systemd: Delegate=yes)"
            # Only a group without processes can hand controllers on.
            worker = own / "agent-runtime-worker"
            worker.mkdir(exist_ok=True)
            (worker / "cgroup.procs").write_text(str(os.getpid()))
            (own / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(_CONTROLLERS)))
        _remove_left_over(own)
    except OSError as error:
        return f"{own} cannot be written ({error.strerror})"
    return own


def _own_folder() -> Path | None:
    mounted = next((line[1] for line in map(str.split, _lines("/proc/self/mounts")) if line[2:3] == ["cgroup2"]), None)
    path = next((line[3:] for line in _lines("/proc/self/cgroup") if line.startswith("0::")), None)
    if mounted is None or path is None:
        return None
    own = Path(mounted, path.lstrip("/"))
    # A worker that has moved already.
    return own.parent if own.name == "agent-runtime-worker" else own


def _remove_left_over(folder: Path) -> None:
    # What a worker that was killed left; a group in use cannot be removed.
    for group in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            group.rmdir()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(str(path))).split()
