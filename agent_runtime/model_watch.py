"""What a worker knows of its model server, told to the database: at its start, when it changes, and now and then.

Its sandbox is told with it. So a screen can say why nothing moves without reaching the model server itself.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

from agent_runtime.config import Settings
from agent_runtime.db.store import Store
from agent_runtime.errors import AgentRuntimeError, SchemaDiffers
from agent_runtime.http_clients import certificates_for, trusted
from agent_runtime.pulse import clock
from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()

LOOK_SECONDS = 10.0
TELL_SECONDS = 30.0
ANSWER_SECONDS = 5.0
MOST_MODELS = 200
STAND_IN_MARK = "agent-runtime-scripted"
"""Is in the version of our scripted model server."""

Health = dict[str, Any]


async def watch_model(
    store: Store, settings: Settings, look_seconds: float = LOOK_SECONDS, sandbox: str | None = None
) -> None:
    """Look and tell for ever, the sandbox's name with it. Nothing that goes wrong here keeps a worker from its work.

    Returns at once where the database is of a release that does not listen.
    """
    told: Health | None = None
    told_at = 0.0
    missing: list[str] = []
    url = settings.model_url
    async with open_client(url) as client:
        while True:
            try:
                if settings.model_url is None and (url is None or clock() - told_at >= TELL_SECONDS):
                    url = str((await store.config())["config"].get("ollama_base_url") or "")
                health = await look_at(client, url or "", settings.model) | {"sandbox": sandbox}
                if health != told or clock() - told_at >= TELL_SECONDS:
                    answer = await store.report(health)
                    told, told_at = health, clock()
                    if answer["missing"] and answer["missing"] != missing:
                        log.warning("the model server has not all models that agents want", missing=answer["missing"])
                    missing = answer["missing"]
            except (psycopg.errors.UndefinedFunction, SchemaDiffers):
                return
            except (AgentRuntimeError, psycopg.Error) as error:
                log.debug("the model server's state is told later", error=str(error))
            await asyncio.sleep(look_seconds)


def open_client(url: str | None) -> httpx.AsyncClient:
    """One for all looks at the server at `url`, or at any; no connection is kept, which could go stale."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits, verify=certificates_for(url) if url else trusted())


async def look_at(client: httpx.AsyncClient, url: str, model: str | None) -> Health:
    """For `worker_report`: `{"model_url", "reachable", "version", "stand_in", "models", "model", "error"}`."""
    health: Health = {
        "model_url": without_credentials(url),
        "reachable": False,
        "version": None,
        "stand_in": False,
        "models": [],
        "model": model,
        "error": None,
    }
    base = url.rstrip("/")
    try:
        version = (await client.get(f"{base}/api/version")).raise_for_status().json()["version"]
        listed = (await client.get(f"{base}/api/tags")).raise_for_status().json().get("models") or []
        models = sorted(str(entry["name"])[:200] for entry in listed)[:MOST_MODELS]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        return health | {"error": type(error).__name__}
    version = str(version)[:100]
    return health | {
        "reachable": True,
        "version": version,
        "stand_in": STAND_IN_MARK in version,
        "models": models,
    }


def without_credentials(url: str) -> str:
    """The URL without user and password, and without anything after its path."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, host, parts.path, "", ""))[:500]
