"""The one way out of a command's network: what connects to a port of its loopback comes out at a socket of the worker.

Behind that socket is the worker's egress proxy. The relay has the command's own namespaces, rights and limits.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any, NoReturn

_CHUNK_BYTES = 65_536


def start_relay(spec: dict[str, Any]) -> None:
    """Fork a process that hands connections to 127.0.0.1:`port` on to the unix `socket`; they can come at once."""
    server = socket.create_server(("127.0.0.1", spec["port"]), backlog=128)
    if os.fork() == 0:
        _serve(server, spec["socket"])
    server.close()


def _serve(server: socket.socket, path: str) -> NoReturn:
    try:
        # Not the command's session, lest its Ctrl-C or its hanging up end the network.
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        while True:
            connection, _ = server.accept()
            with suppress(OSError, RuntimeError):
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(path)
                for source, target in ((connection, upstream), (upstream, connection)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()
    finally:
        os._exit(1)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
    # Only this direction is over; the other may still have much to bring.
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
