"""Finding the Ollama that runs on this machine or elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass

import httpx

from agent_runtime.errors import ConfigError
from agent_runtime.http_clients import certificates_for

DEFAULT_URL = "http://localhost:11434"

_PROBE_SECONDS = 2.0


@dataclass(frozen=True)
class Ollama:
    """A model server that runs already."""

    url: str
    version: str
    models: tuple[str, ...]


async def find_ollama(model_url: str | None) -> Ollama | None:
    """The Ollama at `model_url`, else at `OLLAMA_HOST`, else at its usual address; None when none answers.

    Raises `ConfigError` when `model_url` was named and nothing answers there: a stand-in is not what was asked for.
    """
    if model_url is not None and not model_url.startswith(("http://", "https://")):
        raise ConfigError(f"--model-url {model_url}: must begin with http:// or https://")
    url = (model_url or ollama_host() or DEFAULT_URL).rstrip("/")
    found = await probe(url)
    if found is None and model_url is not None:
        raise ConfigError(
            f"no model server answers at {url}: start it (`ollama serve`), or leave --model-url away for the stand-in"
        )
    return found


async def probe(url: str) -> Ollama | None:
    """Ask the server what it is. None when it does not answer as Ollama does."""
    try:
        async with httpx.AsyncClient(verify=certificates_for(url), trust_env=False, timeout=_PROBE_SECONDS) as client:
            version = (await client.get(f"{url}/api/version")).raise_for_status().json()["version"]
            listed = (await client.get(f"{url}/api/tags")).raise_for_status().json().get("models") or []
            return Ollama(url, str(version), tuple(str(entry["name"]) for entry in listed))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
        return None


def ollama_host() -> str | None:
    """`OLLAMA_HOST` as a URL. Ollama reads it as the address to listen on, so it may lack scheme and port."""
    host = os.environ.get("OLLAMA_HOST", "").strip()
    if not host:
        return None
    if "://" not in host:
        host = f"http://{host}"
    try:
        url = httpx.URL(host)
    except httpx.InvalidURL:
        return None
    if url.host in ("0.0.0.0", "::", ""):  # noqa: S104  it listens everywhere; we ask it here
        url = url.copy_with(host="127.0.0.1")
    has_port = url.port is not None or url.scheme == "https"
    return str(url if has_port else url.copy_with(port=11434)).rstrip("/")
