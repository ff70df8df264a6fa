"""The namespaces of one command: made by bubblewrap, which then only holds them open, and entered from here.

The command is not bubblewrap's own, because then it could be prepared (limits, id, Landlock, system calls) only by a
program started inside, which takes longer than all the rest.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
from contextlib import suppress

from .kernel import setns

_HOLDER = "/usr/bin/cat"
_PARENT_OF_A_NAMESPACE = 0xB702  # ioctl_ns(2): NS_GET_PARENT
_NAMESPACES = ("cgroup", "ipc", "uts", "net", "pid", "mnt")


class Box:
    """Namespaces that last until `end`, or until this process is gone."""

    def __init__(self, bubblewrap: list[str]) -> None:
        """Start `bubblewrap`, an argument vector without a command."""
        held, self._hold = os.pipe()
        self.ready, readied = os.pipe()
        self._info, told = os.pipe()
        # It is copied out when everything is mounted; and while the other end is open, the holder stays.
        os.write(self._hold, b".")
        moves = [(os.POSIX_SPAWN_DUP2, descriptor, to) for descriptor, to in ((held, 0), (readied, 1), (told, 3))]
        self._pid = os.posix_spawn(
            bubblewrap[0],
            [*bubblewrap, "--info-fd", "3", "--", _HOLDER],
            {"PATH": os.defpath},
            file_actions=moves,
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE],
        )
        for descriptor in (held, readied, told):
            os.close(descriptor)
        os.set_blocking(self.ready, False)
        self._first = 0

    def is_ready(self) -> bool:
        """Whether the namespaces can be entered; ask when `ready` is readable. Raises `NotMade`."""
        with suppress(BlockingIOError):
            if not os.read(self.ready, 1):
                raise NotMade
            with open(self._info, "rb") as file:  # noqa: PTH123
                self._first = int(json.load(file)["child-pid"])
        return self._first > 0

    def enter(self) -> None:
        """Join every namespace of the box; children of this process are then in its process namespace as well."""
        # All of them are opened before the first is entered: afterwards there is another /proc, and other rights.
        users = _users_from_outside(self._first)
        others = [_opened(self._first, name) for name in _NAMESPACES if _differs(self._first, name)]
        for descriptor in [*users[:1], *others, *users[1:]]:
            setns(descriptor)
            os.close(descriptor)

    def end(self) -> bool:
        """Kill everything in it: with its first process all others die. False when that one is not known yet."""
        for pid in filter(None, (self._first, self._pid)):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return self._first > 0


class NotMade(Exception):
    """Bubblewrap could not make the namespaces, and has said why on the command's errors."""


def _users_from_outside(pid: int) -> list[int]:
    """The user namespaces between ours and that of `pid`, the outermost first: it owns the others."""
    if not _differs(pid, "user"):
        return []
    own = os.stat("/proc/self/ns/user").st_ino  # noqa: PTH116
    found = [_opened(pid, "user")]
    while True:
        parent = fcntl.ioctl(found[0], _PARENT_OF_A_NAMESPACE)
        if os.fstat(parent).st_ino == own:
            os.close(parent)
            return found
        found.insert(0, parent)


def _differs(pid: int, name: str) -> bool:
    return os.stat(f"/proc/{pid}/ns/{name}").st_ino != os.stat(f"/proc/self/ns/{name}").st_ino  # noqa: PTH116


def _opened(pid: int, name: str) -> int:
    return os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
