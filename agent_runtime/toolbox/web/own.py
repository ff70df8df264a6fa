"""Where the runtime's own services listen: no tool reaches these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from agent_runtime.toolbox.web.egress import DEFAULT_PORTS

if TYPE_CHECKING:
    from agent_runtime.config import Settings


def own_hosts(settings: Settings, config: Mapping[str, Any]) -> list[str]:
    """As `host:port`: the database, the API, the model server, and what the settings name besides.

    `config` is the platform's, of `system_config`. A database on a unix socket has none.
    """
    found = list(settings.own_hosts)
    if settings.database_url:
        parts = conninfo_to_dict(settings.database_url.get_secret_value())
        hosts = str(parts.get("hostaddr") or parts.get("host") or "localhost").split(",")
        ports = str(parts.get("port") or 5432).split(",")
        # One port counts for all hosts.
        found += [
            _pair(host, ports[at] if len(ports) > 1 else ports[0]) for at, host in enumerate(hosts) if host[:1] != "/"
        ]
    for url in (settings.supabase_url, settings.model_url or config.get("ollama_base_url")):
        address = urlsplit(str(url or ""))
        if address.hostname:
            found.append(_pair(address.hostname, address.port or DEFAULT_PORTS.get(address.scheme, 80)))
    return found


def _pair(host: str, port: object) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
