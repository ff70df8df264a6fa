"""Has commands started by the launcher, one process for all commands of this worker, and follows each to its end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from agent_runtime.toolbox.sandbox.launch import Launch

_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from launcher.serve import main; main()"
_KILLED = 128 + 9


class Supervised:
    """One command and its supervisor, as the worker sees them. It ends with everything that it started."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._answer = b""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        control.setblocking(False)
        self._loop.add_reader(control, self._listen)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + signal when a signal ended it."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Its exit code, once it and everything that it started are gone."""
        return await asyncio.shield(self._ended)

    def stop(self) -> None:
        """End it with everything that it started; `wait` tells when that is done."""
        self._order(b"stop\n")

    def signal(self, number: int) -> None:
        """Send a signal to the command itself, not to what it started."""
        self._order(b"signal %d\n" % number)

    def abandon(self) -> None:
        """Hear no more of it; for its supervisor that is a stop."""
        if not self._ended.done():
            self._end(_KILLED)

    def _order(self, order: bytes) -> None:
        if not self._ended.done():
            with suppress(OSError):
                self._control.send(order)

    def _listen(self) -> None:
        try:
            part = self._control.recv(64)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self._answer += part
        if not part or self._answer.endswith(b"\n"):
            # Without an answer the supervisor itself was killed.
            self._end(int(self._answer) if self._answer else _KILLED)

    def _end(self, code: int) -> None:
        self._loop.remove_reader(self._control)
        self._control.close()
        self._ended.set_result(code)


def start_supervised(launch: Launch, streams: Sequence[int]) -> Supervised:
    """Start a command whose input, output and errors are these descriptors. Raises `OSError` when it cannot be."""
    ours, theirs = socket.socketpair()
    # Not among the arguments, which are for everybody to read in the list of processes: it may hold credentials.
    with theirs, _memory() as file:
        file.write(launch.to_bytes())
        file.seek(0)
        try:
            _launcher.hand_over([file.fileno(), *streams, theirs.fileno()])
        except BaseException:
            ours.close()
            raise
    return Supervised(ours)


def _memory() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("launch", os.MFD_CLOEXEC), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


class _Launcher:
    """The one launcher of this process, started at its first command, and again should it be gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._pid = 0
        self._socket: socket.socket | None = None

    def hand_over(self, descriptors: list[int]) -> None:
        with self._lock:
            for again in (True, False):
                try:
                    socket.send_fds(self._running(), [b"."], descriptors)
                except (BrokenPipeError, ConnectionResetError):
                    self._forget()
                    if not again:
                        raise
                else:
                    return

    def _running(self) -> socket.socket:
        # A process that was forked from this one has the socket, but must not share it.
        if self._socket is None or self._owner != os.getpid():
            self._socket = self._start()
            self._owner = os.getpid()
        return self._socket

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(Path(__file__).parent)],
                # Keys of the worker are in its own environment.
                {"PATH": os.defpath, "LANG": "C.UTF-8"},
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)],
            )
        return ours

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        with suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)


_launcher = _Launcher()
