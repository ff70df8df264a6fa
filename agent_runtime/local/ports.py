"""Ports on loopback: free ones are chosen once and kept, so that addresses stay the same from start to start."""

from __future__ import annotations

import socket

from agent_runtime.errors import ConfigError

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(kept: int | None, *, taken: set[int]) -> int:
    """The kept port when it is still free, else any free one that is not among `taken`."""
    if kept and kept not in taken and is_free(kept):
        return kept
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


def demand(port: int) -> int:
    """The port that the operator asked for. Raises `ConfigError` when it cannot be had."""
    if not 1 <= port <= 65_535:
        raise ConfigError(f"--port {port}: must be between 1 and 65535")
    if not is_free(port):
        raise ConfigError(f"--port {port}: in use or not allowed; choose another, or leave --port away for a free one")
    return port
