"""A way to a service that can be cut and mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.worker.cutting import HOST, Proxy


class Gate(Proxy):
    """Passes bytes on while it is open; cut, it breaks what passes and refuses what comes."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._is_cut = False
        self._passing: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def cut(self) -> None:
        self._is_cut = True
        for writer in self._passing:
            writer.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        self._passing.add(writer)
        try:
            await super().accept(reader, writer)
        finally:
            self._passing.discard(writer)


@asynccontextmanager
async def gate_to(url: str) -> AsyncIterator[Gate]:
    """A gate in front of a service on this machine."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    gate = Gate(parts.hostname, parts.port)
    server = await asyncio.start_server(gate.accept, HOST, 0)
    gate.port = server.sockets[0].getsockname()[1]
    try:
        yield gate
    finally:
        gate.cut()
        server.close()
