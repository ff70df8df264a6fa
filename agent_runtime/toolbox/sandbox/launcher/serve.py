"""Starts commands for a worker: each below a supervisor of its own, forked from here, where everything is loaded.

It finds a socket as descriptor 3 (see starting.py). Each message on it brings five descriptors: a file with a
`Launch` in JSON (see launch.py), the command's input, output and errors, and a socket for its control. A new Python
for each command would cost more than the sandbox itself. This process ends when the worker's end of the socket does.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

from .supervisor import supervise

_DESCRIPTORS = 5


def main() -> None:
    # Away from the worker's terminal and its group: whether commands end is decided on their control sockets alone.
    with suppress(PermissionError):
        os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    # Whatever started the worker may have left it descriptors; no command is to have them.
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    worker = socket.socket(fileno=3)
    while True:
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        asked, descriptors, _, _ = socket.recv_fds(worker, 1, _DESCRIPTORS, flags)
        if not asked:
            return
        if len(descriptors) == _DESCRIPTORS and _fork() == 0:
            worker.close()
            supervise(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _fork() -> int:
    # Without a process left for it, its control socket closes unanswered, and the worker knows.
    try:
        return os.fork()
    except OSError:
        return -1
