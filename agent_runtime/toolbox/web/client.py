"""The HTTP client of all tools: it connects to addresses that the guard checked, and ends what is too long or too slow.

    async with guarded_client(guard, HttpLimits(seconds=20)) as http:
        response = await http.get(check_url(url))

Every connection is checked, so each redirect is too. Redirects are not followed unless one asks for it: httpx carries
headers of its own making to another host; `follow` (exchange.py) carries none.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import httpcore
import httpx

from agent_runtime.errors import ToolRefused
from agent_runtime.http_clients import trusted
from agent_runtime.toolbox.web.bounded import ACCEPTED_ENCODINGS, BoundedBody, HttpLimits
from agent_runtime.toolbox.web.egress import DEFAULT_PORTS, EgressGuard

__all__ = ["GuardedTransport", "HttpLimits", "check_url", "guarded_client", "sentence"]

URL_LIMIT_CHARACTERS = 8_192
_ADDRESSES_TRIED = 4
_FAILURES: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}


@asynccontextmanager
async def guarded_client(
    guard: EgressGuard,
    limits: HttpLimits | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    certificates: ssl.SSLContext | None = None,
    network: httpcore.AsyncNetworkBackend | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client for what tools ask for, without cookies or proxies of the machine, within `limits`.

    Its requests raise `ToolRefused` for what the guard refuses and for a limit that is reached, and `httpx.HTTPError`
    for what goes wrong on the way, which `sentence` puts into words. `certificates` are certifi's unless given.
    """
    transport = GuardedTransport(guard, limits or HttpLimits(), certificates=certificates, network=network)
    named = {"User-Agent": f"agent-runtime/{version('agent-runtime')}", "Accept-Encoding": ACCEPTED_ENCODINGS}
    # The transport has the limits, of time too.
    async with httpx.AsyncClient(
        transport=transport,
        headers={**named, **(headers or {})},
        timeout=None,  # noqa: S113
        trust_env=False,
    ) as client:
        yield client


def check_url(text: str) -> httpx.URL:
    """An address that may be asked for, by its form. Raises `ToolRefused` that says what is wrong with it."""
    text = text.strip()
    if len(text) > URL_LIMIT_CHARACTERS:
        raise ToolRefused(
            f"the address is longer than {URL_LIMIT_CHARACTERS} characters; send the data as body instead"
        )
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as problem:
        raise ToolRefused(f"that is not an address of the web ({problem}); it looks like https://host/path") from None
    _check(url)
    return url


def _check(url: httpx.URL) -> None:
    try:
        is_complete = url.scheme in DEFAULT_PORTS and bool(url.host) and url.port != 0
    except UnicodeError as problem:
        raise ToolRefused(f"that is not the name of a host ({problem}); check the address") from None
    if not is_complete:
        raise ToolRefused("an address begins with http:// or https:// and names a host; nothing else is opened")
    if url.userinfo:
        raise ToolRefused("the address must not hold a user name or password; an operator configures credentials")


def sentence(problem: httpx.HTTPError | httpx.InvalidURL, url: httpx.URL | str) -> str:
    """What went wrong on the way to `url`, in one line for the model."""
    host = httpx.URL(url).netloc.decode("ascii", "replace")
    if isinstance(problem, httpx.TimeoutException):
        return f"{host} does not answer in time; try again later or use another source"
    if "certificate" in str(problem).lower() or "CERTIFICATE" in str(problem):
        return f"the certificate of {host} is not valid ({_cause(problem)}); use another source, or tell the person"
    if isinstance(problem, httpx.LocalProtocolError | httpx.InvalidURL):
        return f"the request is not valid HTTP ({_cause(problem)}); check its address, headers and method"
    if isinstance(problem, httpx.RemoteProtocolError):
        return f"{host} does not speak HTTP as it should ({_cause(problem)}); use another source"
    return f"{host} cannot be reached ({_cause(problem)}); check the address or use another source"


def _cause(problem: Exception) -> str:
    return " ".join((str(problem) or type(problem).__name__).split())[:200]


class GuardedTransport(httpx.AsyncBaseTransport):
    """For an `httpx.AsyncClient` that somebody else makes; see `guarded_client`."""

    def __init__(
        self,
        guard: EgressGuard,
        limits: HttpLimits,
        *,
        certificates: ssl.SSLContext | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._limits = limits
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=certificates or trusted(),
            max_connections=limits.connections,
            network_backend=_GuardedNetwork(guard, network or httpcore.AnyIOBackend()),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it and give the answer, whose body is read within the limits while somebody reads it."""
        _check(request.url)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        deadline = None if self._limits.seconds is None else time.monotonic() + self._limits.seconds
        outgoing = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions={**request.extensions, "timeout": self._limits.timeouts()},
        )
        try:
            async with asyncio.timeout(self._limits.seconds) as wall:
                answer = await self._pool.handle_async_request(outgoing)
        except tuple(_FAILURES) as problem:
            raise _FAILURES[type(problem)](str(problem), request=request) from problem
        except TimeoutError:
            if not wall.expired():
                raise
            raise self._limits.too_slow(request.url.host) from None
        body = BoundedBody(request, answer, self._limits, deadline, _FAILURES)
        return httpx.Response(answer.status, headers=body.headers, stream=body, extensions=answer.extensions)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that the guard gave for a name; TLS is held against the name all the same."""

    def __init__(self, guard: EgressGuard, network: httpcore.AsyncNetworkBackend) -> None:
        self._guard, self._network = guard, network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = (await self._guard.resolve(host, port))[:_ADDRESSES_TRIED]
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(address, port, share, local_address, socket_options)
        return await self._network.connect_tcp(addresses[-1], port, share, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
