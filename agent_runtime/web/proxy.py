"""The embedded Supabase API below `/supabase`, so that a browser need not call another port.

Its Auth names no allowed headers when a browser asks beforehand, and its answers no origin; and it answers 404 to a
preflight of a function with arguments. A hosted project answers all of it, so there the browser goes straight to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpx
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agent_runtime.http_clients import certificates_for

_PARTS = ("/rest/v1/", "/auth/v1/", "/storage/v1/")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
_OF_ONE_CONNECTION = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host",
}  # fmt: skip
_NOT_PASSED_ON = _OF_ONE_CONNECTION | {"cookie", "origin", "referer", "forwarded", "x-forwarded-for", "x-real-ip"}
_NOT_PASSED_BACK = _OF_ONE_CONNECTION | {"set-cookie", "content-security-policy", "server", "date"}
# What Storage answers may be a page that somebody uploaded, and its address is on our own origin.
_INERT = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}


class Proxy:
    """Passes requests on as they come, bodies piece by piece. `async with`."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUT, limits=limits, verify=certificates_for(self._url), trust_env=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii").removeprefix("/supabase")
        if not path.startswith(_PARTS) or any(part in ("..", "%2e%2e") for part in path.lower().split("/")):
            return JSONResponse({"error": "no such path"}, status_code=404)
        query = request.scope["query_string"].decode("ascii")
        headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_PASSED_ON]
        # A body of unknown length is passed on in chunks; none is none.
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        passed_on = self._http.build_request(
            request.method,
            httpx.URL(f"{self._url}{path}{'?' + query if query else ''}"),
            headers=headers,
            content=_body(request) if has_body else None,
        )
        try:
            answer = await self._http.send(passed_on, stream=True)
        except (httpx.HTTPError, ClientDisconnect):
            return JSONResponse(
                {"error": "the Supabase API does not answer: try again"}, status_code=503, headers={"Retry-After": "2"}
            )
        response = StreamingResponse(
            answer.aiter_raw(), status_code=answer.status_code, background=BackgroundTask(answer.aclose)
        )
        kept = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in _NOT_PASSED_BACK]
        response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
        response.headers.update(_INERT)
        return response


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece
