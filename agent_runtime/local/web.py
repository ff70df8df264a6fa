"""The web UI as a process of the embedded stack: the same `agent-runtime serve` that stands before a hosted project."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from agent_runtime.errors import Unavailable
from agent_runtime.http_clients import client_settings
from agent_runtime.local.ports import HOST
from agent_runtime.local.processes import Child, Program

_RETRY_SECONDS = 0.03
_NOT_FOR_IT = ("SUPABASE_SECRET_KEY", "AGENT_RUNTIME_VAULT_KEY", "AGENT_RUNTIME_AUDIT_KEY")


class WebProcess:
    """One server of the web UI. It ends its streams in order when it is stopped."""

    def __init__(self, settings: Mapping[str, str], *, port: int, records: Path, logs: Path) -> None:
        """`settings` are environment variables."""
        self.port, self._settings, self._records, self._logs = port, settings, records, logs
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.port}"

    @property
    def child(self) -> Child:
        """The running server."""
        if self._child is None:
            raise Unavailable("the web UI has not been started")
        return self._child

    async def start(self, *, timeout_seconds: float = 30.0) -> None:
        """Start it and wait until it serves.

        Raises `Unavailable` with the log's last line when it ends or stays silent.
        """
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT}
        program = Program(
            name="web",
            argv=[sys.executable, "-m", "agent_runtime", "serve", "--host", HOST, "--port", str(self.port)],
            environment={**inherited, **self._settings},
            # Away from the operator's folder, whose .env is for another server.
            cwd=self._records.parent,
        )
        self._child = await Child.start(program, records=self._records, logs=self._logs)
        try:
            async with asyncio.timeout(timeout_seconds), httpx.AsyncClient(**client_settings(self.url)) as client:
                await self._wait_until_serving(client)
        except TimeoutError:
            await self.stop()
            raise Unavailable(f"the web UI did not answer (log: {self.child.log})") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server."""
        if self._child:
            await self._child.stop()

    async def _wait_until_serving(self, client: httpx.AsyncClient) -> None:
        while True:
            self.child.check_running()
            try:
                if (await client.get(f"{self.url}/healthz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(_RETRY_SECONDS)
