"""MCP over streamable HTTP, through the guard: the SDK has an HTTP client of its own, which gets our transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import httpx2

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.connect.mcp_pipes import Flow
from agent_runtime.toolbox.web.client import GuardedTransport, HttpLimits, check_url, sentence
from agent_runtime.toolbox.web.egress import EgressGuard

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

_RESPONSE_BYTES = 32 * 1024 * 1024


@asynccontextmanager
async def over_http(
    url: str, headers: Mapping[str, str], guard: EgressGuard, flow: Flow
) -> AsyncIterator[TransportStreams]:
    """The transport that the SDK's client takes. What the guard refuses is told in `flow.problem`."""
    from mcp.client.streamable_http import streamable_http_client

    check_url(url)
    # A stream of the server's stays open as long as the session; each call has its own end.
    limits = HttpLimits(seconds=None, idle_seconds=None, response_bytes=_RESPONSE_BYTES, unpacked_bytes=_RESPONSE_BYTES)
    async with (
        httpx2.AsyncClient(
            transport=_Guarded(GuardedTransport(guard, limits), flow),
            headers={**headers, "Accept-Encoding": "gzip, deflate"},
            timeout=None,
            trust_env=False,
        ) as client,
        streamable_http_client(url, http_client=client) as streams,
    ):
        yield streams


class _Guarded(httpx2.AsyncBaseTransport):
    def __init__(self, transport: GuardedTransport, flow: Flow) -> None:
        self._transport, self._flow = transport, flow

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        outgoing = httpx.Request(
            request.method, str(request.url), headers=request.headers.raw, content=await request.aread()
        )
        try:
            answer = await self._transport.handle_async_request(outgoing)
        except ToolRefused as refusal:
            self._flow.problem = str(refusal)
            raise httpx2.ConnectError(str(refusal), request=request) from None
        except httpx.HTTPError as error:
            self._flow.problem = sentence(error, outgoing.url)
            raise httpx2.ConnectError(str(error), request=request) from None
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        return httpx2.Response(
            answer.status_code, headers=answer.headers.raw, stream=_Body(answer.stream, self._flow), request=request
        )

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, flow: Flow) -> None:
        self._stream, self._flow = stream, flow

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                if not self._flow.take(len(chunk), chunk.count(b"\n\n"), 0):
                    raise httpx2.ReadError(str(self._flow.problem))
                yield chunk
        except ToolRefused as refusal:
            self._flow.problem = str(refusal)
            raise httpx2.ReadError(str(refusal)) from None
        except httpx.HTTPError as error:
            raise httpx2.ReadError(str(error)) from None

    async def aclose(self) -> None:
        await self._stream.aclose()
