"""A TCP proxy in front of a service, for losing answers: of Postgres and of the REST API alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HOST = "127.0.0.1"


class Proxy:
    """Passes bytes on, until it is told to lose an answer."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._lose_next = False
        self.lost = 0
        """How many answers were lost."""
        self.port = 0

    def lose_next_answer(self) -> None:
        """Let the next request through, and break the connection when the answer comes."""
        self._lose_next = True

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        service_reader, service_writer = await asyncio.open_connection(self._host, self._port)
        ways = {
            asyncio.create_task(self._pass(reader, service_writer, is_answer=False)),
            asyncio.create_task(self._pass(service_reader, writer, is_answer=True)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, service_writer):
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if is_answer and self._lose_next:
                    self._lose_next = False
                    self.lost += 1
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass


@asynccontextmanager
async def cutting(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy in front of a service on this machine."""
    proxy = Proxy(host, port)
    async with await asyncio.start_server(proxy.accept, HOST, 0) as server:
        proxy.port = server.sockets[0].getsockname()[1]
        yield proxy
