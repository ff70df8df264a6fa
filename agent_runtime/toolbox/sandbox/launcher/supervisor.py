"""Stays above one command, outside its walls, and leaves nothing of it behind, not even what detached itself.

On the control socket the worker writes lines: `stop`, or `signal N` for the command itself; its end of the socket
closing, as when the worker is killed, is a stop as well. When everything is gone, the exit code is written back: the
command's own, 128 + the signal that ended it, 127 when there is no such command, 125 when no sandbox could be set up.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from . import box, kernel, rights

_STOPPED = 128 + signal.SIGTERM
_LINUX = sys.platform == "linux"
_SUBREAPER = 36


def supervise(descriptors: list[int]) -> NoReturn:
    code = 125
    control = socket.socket(fileno=descriptors[4])
    try:
        with open(descriptors[0]) as file:  # noqa: PTH123
            spec: dict[str, Any] = json.load(file)
        for target, descriptor in enumerate(descriptors[1:4]):
            os.dup2(descriptor, target)
            os.close(descriptor)
        code = _Supervisor(spec, control).run()
    except Exception as error:
        with suppress(OSError):
            os.write(2, f"sandbox: {error}\n".encode())
    finally:
        with suppress(OSError):
            control.sendall(b"%d\n" % code)
        os._exit(0)


class _Stopped(Exception):
    pass


class _Supervisor:
    def __init__(self, spec: dict[str, Any], control: socket.socket) -> None:
        self._spec = spec
        self._control = control
        self._child = 0
        self._box: box.Box | None = None
        self._codes: dict[int, int] = {}

    def run(self) -> int:
        """Run the command to its end or until it is stopped; its exit code, once everything is gone."""
        os.setsid()
        if _LINUX:
            kernel.prctl(_SUBREAPER, 1)
        self._wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        try:
            return self._run()
        except _Stopped:
            return _STOPPED
        except box.NotMade:
            return 125
        finally:
            self._end_everything()

    def _run(self) -> int:
        if self._spec["box"]:
            self._box = box.Box(self._spec["box"])
            self._wait_until(self._box.is_ready, self._box.ready)
        self._child = os.fork()
        if self._child == 0:
            self._below()
        _let_go_of_streams()
        self._wait_until(lambda: self._child in self._codes)
        return self._codes[self._child]

    def _wait_until(self, done: Callable[[], bool], *more: int) -> None:
        while not done():
            readable = select.select([self._control.fileno(), self._wake, *more], [], [])[0]
            if self._wake in readable:
                os.read(self._wake, 4096)
                self._reap(os.WNOHANG)
            if self._control.fileno() in readable:
                self._obey(self._control.recv(256))

    def _reap(self, options: int) -> bool:
        """Whether there are children left."""
        try:
            while True:
                pid, status = os.waitpid(-1, options)
                if pid == 0:
                    return True
                self._codes[pid] = _code(status)
        except ChildProcessError:
            return False

    def _obey(self, orders: bytes) -> None:
        if not orders:
            raise _Stopped
        for order in orders.decode().splitlines():
            word, _, number = order.partition(" ")
            if word == "stop":
                raise _Stopped
            if (pid := self._command()) is not None:
                _signal(pid, int(number))

    def _command(self) -> int | None:
        if self._box is None:
            return self._child or None
        return next(iter(_children_of_each().get(self._child, [])), None) if self._child else None

    def _below(self) -> NoReturn:
        try:
            self._control.close()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            rights.join_group(self._spec["group"])
            rights.prefer_for_out_of_memory()
            if self._box is not None:
                self._box.enter()
                # A process is in a new process namespace only when it is born there.
                inside = os.fork()
                if inside:
                    _let_go_of_streams()
                    os._exit(_code(os.waitpid(inside, 0)[1]))
            rights.become(self._spec)
        except Exception as error:
            os.write(2, f"sandbox: {error}\n".encode())
        finally:
            os._exit(125)

    def _end_everything(self) -> None:
        if self._box is not None and self._box.end():
            # The kernel sees to it that nothing in the namespaces gets away.
            if self._child and self._child not in self._codes:
                _signal(self._child, signal.SIGKILL)
            self._reap(0)
            return
        if not _LINUX:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, signal.SIGKILL)
        if not self._reap(os.WNOHANG):
            return
        # What is stopped cannot fork, so a fork bomb cannot outrun this.
        stopped: set[int] = set()
        while running := _descendants() - stopped:
            for pid in running:
                _signal(pid, signal.SIGSTOP)
            stopped |= running
        while self._reap(os.WNOHANG):
            for pid in _descendants():
                _signal(pid, signal.SIGKILL)
            time.sleep(0.002)


def _code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _let_go_of_streams() -> None:
    # The reader waits for the end of the pipes, which comes when the last holder is gone.
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _descendants() -> set[int]:
    children = _children_of_each()
    found: set[int] = set()
    front = [os.getpid()]
    while front:
        below = children.get(front.pop(), [])
        found.update(below)
        front.extend(below)
    return found


def _children_of_each() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if _LINUX else []:  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # The name in brackets may itself hold blanks and brackets.
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(name))
    return children


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
