"""A proxy on loopback through which the browser's every byte goes, so that the guard sees every connection.

Redirects, frames, scripts, service workers and web sockets come through here alike; checks inside the browser would
miss some of them, and it would resolve names by itself.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.web.egress import EgressGuard

_HEAD_LIMIT_BYTES = 64 * 1024
_CONNECT_SECONDS = 15.0
_CHUNK_BYTES = 65_536


@dataclass
class EgressProxy:
    """A running proxy. Whoever else finds its port gets nothing without the password."""

    port: int
    password: str
    refusals: dict[str, str] = field(default_factory=dict)
    """Why a `host:port` could not be reached, in the guard's words."""


@asynccontextmanager
async def egress_proxy(guard: EgressGuard) -> AsyncIterator[EgressProxy]:
    """A proxy for the time of one tool call; at its end every connection through it is cut."""
    proxy = EgressProxy(port=0, password=secrets.token_urlsafe(24))
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            # The page decides when a connection ends, and how; none of its ways is worth a log line.
            with suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError, asyncio.CancelledError):
                await _serve(guard, proxy, reader, writer)
        finally:
            writer.close()
            connections.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_HEAD_LIMIT_BYTES)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _serve(
    guard: EgressGuard, proxy: EgressProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request, *headers = head.rstrip("\r\n").split("\r\n")
    method, target, version = request.split(" ")
    if not _is_authorised(headers, proxy.password):
        await _answer(writer, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="egress"')
        return
    url = urlsplit(f"//{target}" if method == "CONNECT" else target)
    if not url.hostname or url.scheme not in ("", "http"):
        await _answer(writer, "400 Bad Request")
        return
    port = url.port or 80
    try:
        upstream_reader, upstream = await _connect(guard, url.hostname, port)
    except ToolRefused as refusal:
        proxy.refusals[f"{url.hostname}:{port}"] = str(refusal)
        await _answer(writer, "403 Forbidden")
        return
    try:
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = url._replace(scheme="", netloc="").geturl() or "/"
            kept = [line for line in headers if line.partition(":")[0].lower() not in _HOP_HEADERS]
            # One request per connection: a second could be meant for another host, and would not be checked.
            lines = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
            upstream.write("\r\n".join(lines).encode("latin-1"))
        await _relay(reader, writer, upstream_reader, upstream)
    finally:
        upstream.close()


_HOP_HEADERS = frozenset({"connection", "proxy-connection", "proxy-authorization", "keep-alive"})


def _is_authorised(headers: list[str], password: str) -> bool:
    expected = "Basic " + base64.b64encode(f"egress:{password}".encode()).decode()
    given = (line.partition(":") for line in headers)
    return any(
        name.lower() == "proxy-authorization" and secrets.compare_digest(value.strip(), expected)
        for name, _, value in given
    )


async def _connect(guard: EgressGuard, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reason = "no address answered"
    for address in await guard.resolve(host, port):
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(address, port)
        except OSError as error:
            reason = error.strerror or type(error).__name__
    raise ToolRefused(f"{host}:{port} does not answer ({reason})")


async def _answer(writer: asyncio.StreamWriter, status: str, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", "Connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    await writer.drain()


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream_reader: asyncio.StreamReader,
    upstream: asyncio.StreamWriter,
) -> None:
    upwards = asyncio.create_task(_pump(reader, upstream))
    try:
        await _pump(upstream_reader, writer)
    finally:
        upwards.cancel()
        await asyncio.gather(upwards, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
