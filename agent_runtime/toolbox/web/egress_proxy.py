"""A proxy through which a browser's and a command's every byte goes, so that the guard sees every connection.

Redirects, frames, scripts, service workers and web sockets come through here alike; checks inside the browser would
miss some of them, and it would resolve names by itself.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.web.egress import DEFAULT_PORTS, EgressGuard

_HEAD_LIMIT_BYTES = 64 * 1024
_HEAD_SECONDS = 15.0
_CONNECT_SECONDS = 15.0
_CHUNK_BYTES = 65_536
_ADDRESSES_TRIED = 4
_REFUSALS_LIMIT = 200

# What begins a tunnel that carries what it is for: a hello of TLS, or a request of HTTP (a web socket without TLS).
_SPEAKS_WEB = re.compile(rb"\x16\x03[\x00-\x04]|[A-Z]{3,10} /")
_HOP_HEADERS = frozenset({"connection", "proxy-connection", "proxy-authorization", "keep-alive", "host"})


@dataclass(frozen=True)
class ProxyLimits:
    """What all the connections through one proxy may take together, and each of them alone."""

    connections: int = 256
    """At once; a further one waits for its turn."""
    carried_bytes: int = 2 * 1024 * 1024 * 1024
    """Both ways, from the proxy's start to its end."""
    idle_seconds: float = 300.0
    """Without a byte in either direction."""


@dataclass
class EgressProxy:
    """A running proxy. Who finds its port gets nothing without the password; a socket in a folder needs none."""

    port: int
    password: str
    refusals: dict[str, str] = field(default_factory=dict)
    """Why a `host:port` could not be reached, in the guard's words."""
    path: Path | None = None
    """The unix socket that it listens on instead of a port."""
    carried_bytes: int = 0

    @property
    def url(self) -> str:
        """What goes into `HTTP_PROXY`, for a proxy with a port."""
        return f"http://egress:{self.password}@127.0.0.1:{self.port}"


@asynccontextmanager
async def egress_proxy(
    guard: EgressGuard, *, path: Path | None = None, limits: ProxyLimits | None = None
) -> AsyncIterator[EgressProxy]:
    """A proxy on a free port of loopback, or on a unix socket at `path`, until the end of the block.

    At its end every connection through it is cut. Whoever can open the socket at `path` can use it: the folder that it
    is in must be open to nobody else.
    """
    opened = OpenProxy(guard, limits or ProxyLimits())
    proxy = await opened.listen(path)
    try:
        yield proxy
    finally:
        await opened.close()


class _LimitReached(Exception):
    pass


class OpenProxy:
    """See `egress_proxy`; for who keeps one open as a session of a run."""

    def __init__(self, guard: EgressGuard, limits: ProxyLimits) -> None:
        self.proxy = EgressProxy(port=0, password=secrets.token_urlsafe(24))
        self._guard, self._limits = guard, limits
        self._connections: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(limits.connections)
        self._server: asyncio.Server | None = None

    async def listen(self, path: Path | None = None) -> EgressProxy:
        """Begin; where to is in what it gives."""
        if path is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_LIMIT_BYTES)
            self.proxy.port = self._server.sockets[0].getsockname()[1]
        else:
            self._server = await asyncio.start_unix_server(self._accept, path, limit=_HEAD_LIMIT_BYTES)
            # A command in a sandbox runs under another id than the worker.
            path.chmod(0o666)  # noqa: ASYNC240
            self.proxy.path, self.proxy.password = path, ""
        return self.proxy

    async def close(self) -> None:
        """End it and cut what goes through it."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        if self.proxy.path:
            self.proxy.path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            # The page decides when a connection ends, and how; none of its ways is worth a log line.
            with suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError, asyncio.CancelledError):
                async with self._turns:
                    await self._serve(reader, writer)
        except _LimitReached:
            _cut(writer)
        finally:
            writer.close()
            self._connections.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *headers = head.rstrip("\r\n").split("\r\n")
        method, target, version = request.split(" ")
        if self.proxy.password and not _is_authorised(headers, self.proxy.password):
            await _answer(writer, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="egress"')
            return
        is_tunnel = method == "CONNECT"
        url = urlsplit(f"//{target}" if is_tunnel else target)
        port = url.port or DEFAULT_PORTS["http"]
        if not url.hostname or url.scheme != ("" if is_tunnel else "http"):
            await _answer(writer, "400 Bad Request")
            return
        try:
            upstream_reader, upstream = await self._connect(url.hostname, port)
        except ToolRefused as refusal:
            if len(self.proxy.refusals) < _REFUSALS_LIMIT:
                self.proxy.refusals[f"{url.hostname}:{port}"] = str(refusal)
            await _answer(writer, "403 Forbidden")
            return
        try:
            if is_tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
                first = await self._read(reader)
                if not _SPEAKS_WEB.match(first):
                    self.proxy.refusals[f"{url.hostname}:{port}"] = "only http and https go out, no other protocol"
                    return
                upstream.write(first)
            else:
                upstream.write(_forwarded(method, url, version, headers))
            await self._relay(reader, writer, upstream_reader, upstream)
        finally:
            upstream.close()

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reason = "no address answered"
        for address in (await self._guard.resolve(host, port))[:_ADDRESSES_TRIED]:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection(address, port)
            except OSError as error:
                reason = error.strerror or type(error).__name__
        raise ToolRefused(f"{host}:{port} does not answer ({reason})")

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream_reader: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> None:
        upwards = asyncio.create_task(self._pump(reader, upstream))
        try:
            await self._pump(upstream_reader, writer)
        finally:
            upwards.cancel()
            await asyncio.gather(upwards, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await self._read(reader):
            writer.write(chunk)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """The next bytes, none at the end. Raises `_LimitReached`, which ends the connection."""
        before = self.proxy.carried_bytes
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    chunk = await reader.read(_CHUNK_BYTES)
                break
            except TimeoutError:
                # The other direction of this connection, or another connection, may be what is at work.
                if self.proxy.carried_bytes == before:
                    raise
                before = self.proxy.carried_bytes
        self.proxy.carried_bytes += len(chunk)
        if self.proxy.carried_bytes > self._limits.carried_bytes:
            self.proxy.refusals["limit"] = (
                f"limit carried_bytes reached: {self._limits.carried_bytes} bytes went through"
            )
            raise _LimitReached
        return chunk


def _forwarded(method: str, url: SplitResult, version: str, headers: list[str]) -> bytes:
    """A request as the server shall see it: for the host that was checked, and alone on its connection."""
    path, host = url._replace(scheme="", netloc="").geturl() or "/", url.netloc.rpartition("@")[2]
    kept = [line for line in headers if line.partition(":")[0].strip().lower() not in _HOP_HEADERS]
    # One request per connection: a second could be meant for another host, and would not be checked.
    lines = [f"{method} {path} {version}", f"Host: {host}", *kept, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _is_authorised(headers: list[str], password: str) -> bool:
    expected = "Basic " + base64.b64encode(f"egress:{password}".encode()).decode()
    given = (line.partition(":") for line in headers)
    return any(
        name.lower() == "proxy-authorization" and secrets.compare_digest(value.strip(), expected)
        for name, _, value in given
    )


def _cut(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset: an orderly end would look like the end of the answer."""
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _answer(writer: asyncio.StreamWriter, status: str, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", "Connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    await writer.drain()
