"""How tests ask servers on this machine: `httpx.AsyncClient(**LOOPBACK, **LOOPBACK)`."""

from __future__ import annotations

from agent_runtime.http_clients import client_settings

LOOPBACK = client_settings("http://127.0.0.1")
"""No proxy and no certificates, which would take longer to read than most tests take."""
