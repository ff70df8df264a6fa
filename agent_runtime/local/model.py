"""The model server of the embedded stack: the Ollama that answers, else our own scripted one, which says what it is."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from agent_runtime.errors import ConfigError, ModelUnavailable
from agent_runtime.local.ports import HOST
from agent_runtime.local.processes import Child, Program

STAND_IN = "stand-in"

DEFAULT_URL = "http://localhost:11434"

_PROBE_SECONDS = 2.0
_RETRY_SECONDS = 0.03


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
        async with httpx.AsyncClient(trust_env=False, timeout=_PROBE_SECONDS) as client:
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
        url = url.copy_with(host=HOST)
    has_port = url.port is not None or url.scheme == "https"
    return str(url if has_port else url.copy_with(port=11434)).rstrip("/")


class ScriptedModelServer:
    """Our own model server as a process of the stack. It is no language model, and says so."""

    def __init__(self, *, port: int, records: Path, logs: Path, script: Path | None = None) -> None:
        self.port, self._script, self._records, self._logs = port, script, records, logs
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The model server's base URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def child(self) -> Child:
        """The running server."""
        if self._child is None:
            raise ModelUnavailable("the scripted model server has not been started")
        return self._child

    async def start(self, *, timeout_seconds: float = 30.0) -> None:
        """Start the server and wait until it answers.

        Raises `Unavailable` when it ends (a script with an error, for example) or stays silent.
        """
        script: Sequence[str] = ["--script", str(self._script)] if self._script else []
        program = Program(
            name="model-server",
            argv=[sys.executable, "-m", "agent_runtime", "model-server", "--port", str(self.port), *script],
            environment=os.environ,
            cwd=self._records.parent,
        )
        self._child = await Child.start(program, records=self._records, logs=self._logs)
        try:
            async with asyncio.timeout(timeout_seconds):
                while await probe(self.url) is None:
                    self.child.check_running()
                    await asyncio.sleep(_RETRY_SECONDS)
        except TimeoutError:
            await self.stop()
            raise ModelUnavailable(f"the scripted model server did not answer (log: {self.child.log})") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server."""
        if self._child:
            await self._child.stop()
