"""The body of an answer within limits: so many bytes on the wire, so many once unpacked, so many seconds in all."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import httpcore
import httpx

from agent_runtime.errors import ToolRefused

MIB = 1024 * 1024
ACCEPTED_ENCODINGS = "gzip, deflate"
_PIECE_BYTES = 65_536
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True)
class HttpLimits:
    """What one request and its answer may take. None in `seconds` or `idle_seconds` stands for no end, for streams."""

    seconds: float | None = 30.0
    """From the request to the last byte of the answer."""
    connect_seconds: float = 10.0
    """To connect, over all the addresses that are tried."""
    idle_seconds: float | None = 20.0
    """Without a single byte."""
    response_bytes: int = 10 * MIB
    """On the wire."""
    unpacked_bytes: int = 20 * MIB
    """Once decompressed."""
    redirects: int = 5
    connections: int = 8
    """At once, through one client."""

    def timeouts(self) -> dict[str, float | None]:
        """As httpcore takes them."""
        return {
            "connect": self.connect_seconds,
            "read": self.idle_seconds,
            "write": self.idle_seconds,
            "pool": self.seconds,
        }

    def too_slow(self, host: str) -> ToolRefused:
        """The refusal for an answer that had not ended in time."""
        return ToolRefused(
            f"limit seconds reached: {host} had not ended its answer after {self.seconds:g} seconds; use another source"
        )

    def too_long(self, name: str, host: str, unpacked: bool = False) -> ToolRefused:
        """The refusal for an answer over the limit of that name."""
        size = self.unpacked_bytes if unpacked else self.response_bytes
        return ToolRefused(
            f"limit {name} reached: the answer of {host} is over {size} bytes; ask for a smaller part or another source"
        )


class BoundedBody(httpx.AsyncByteStream):
    """What comes of an answer while it is read. `headers` are those that fit the unpacked body."""

    def __init__(
        self,
        request: httpx.Request,
        answer: httpcore.Response,
        limits: HttpLimits,
        deadline: float | None,
        failures: Mapping[type[Exception], type[httpx.TransportError]],
    ) -> None:
        self._request, self._answer, self._limits = request, answer, limits
        self._deadline, self._failures = deadline, failures
        self._host = request.url.host
        self._has_body = request.method != "HEAD" and answer.status not in _BODILESS
        encoding = _header(answer, b"content-encoding").strip().lower()
        self._unpacker = _Unpacker(encoding) if self._has_body and encoding not in ("", "identity") else None
        dropped = {b"content-encoding", b"content-length"} if self._unpacker else set()
        self.headers = [pair for pair in answer.headers if pair[0].lower() not in dropped]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = _header(self._answer, b"content-length").strip()
        if self._has_body and length.isdigit() and int(length[:20]) > self._limits.response_bytes:
            raise self._limits.too_long("response_bytes", self._host)
        received = unpacked = 0
        async for chunk in self._chunks():
            received += len(chunk)
            if received > self._limits.response_bytes:
                raise self._limits.too_long("response_bytes", self._host)
            for piece in self._unpacker.unpack(chunk) if self._unpacker else (chunk,):
                unpacked += len(piece)
                if unpacked > self._limits.unpacked_bytes:
                    raise self._limits.too_long("unpacked_bytes", self._host, unpacked=True)
                yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        """As they come from the network, until the deadline."""
        assert not isinstance(self._answer.stream, bytes)
        chunks = aiter(self._answer.stream)  # type: ignore[arg-type]
        while True:
            left = None if self._deadline is None else max(self._deadline - time.monotonic(), 0)
            try:
                async with asyncio.timeout(left) as wall:
                    chunk = await anext(chunks, None)
            except TimeoutError:
                if not wall.expired():
                    raise
                raise self._limits.too_slow(self._host) from None
            except tuple(self._failures) as problem:
                raise self._failures[type(problem)](str(problem), request=self._request) from problem
            if chunk is None:
                return
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back, or end it if the body was not read to its end."""
        await self._answer.aclose()


def _header(answer: httpcore.Response, name: bytes) -> str:
    return b", ".join(value for key, value in answer.headers if key.lower() == name).decode("latin-1")


class _Unpacker:
    """gzip and deflate, in pieces of at most 64 KiB, so that a bomb never stands unpacked in memory."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise ToolRefused(f"the answer is packed as {encoding[:40]!r}, which was not asked for; use another source")
        self._bits = zlib.MAX_WBITS | 16 if "gzip" in encoding else zlib.MAX_WBITS
        self._stream = zlib.decompressobj(self._bits)
        self._begun = False

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        """The pieces that come of a chunk of the wire. Raises `ToolRefused` for what is broken."""
        try:
            yield from self._pieces(chunk)
        except zlib.error:
            raise ToolRefused("the answer is packed wrongly and cannot be read; use another source") from None

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        if not self._begun and self._bits == zlib.MAX_WBITS and chunk and chunk[0] & 0x0F != 8:
            # Some servers send deflate without the frame that the standard asks for.
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._begun = self._begun or bool(chunk)
        while chunk:
            if self._stream.eof:
                # What follows is one more member, or padding; neither is of use to somebody who reads a page.
                return
            piece = self._stream.decompress(chunk, _PIECE_BYTES)
            if piece:
                yield piece
            chunk = self._stream.unconsumed_tail
