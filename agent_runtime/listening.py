"""A socket to serve on."""

from __future__ import annotations

import socket

from agent_runtime.errors import ConfigError


def listen(host: str, port: int, *, backlog: int = 128) -> socket.socket:
    """Listen there; port 0 takes a free one. Raises `ConfigError` when it cannot be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot listen on {host}:{port} ({reason}): choose another with --port, or 0 for a free one"
        ) from None
    return listener
