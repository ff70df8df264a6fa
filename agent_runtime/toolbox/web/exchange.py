"""One request and its answer, over the redirects between them.

What a caller sends is meant for the host that it named: at a redirect to another one only the question goes along,
without the caller's headers, and what is more than a question (a body, a method that changes something) does not go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.web.client import HttpLimits, check_url, sentence

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_READING = frozenset({"GET", "HEAD"})
_HEADERS_LIMIT = 100


@dataclass(frozen=True)
class Answer:
    """The last answer, its body read. `url` is where it came from; `passed` are the addresses before it."""

    status: int
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    passed: list[str] = field(default_factory=list)
    unfollowed: str | None = None
    """Why its redirect was not followed."""

    def header(self, name: str) -> str:
        """The first header of that name, in lower case; empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


async def exchange(
    http: httpx.AsyncClient,
    limits: HttpLimits,
    method: str,
    url: httpx.URL,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> Answer:
    """Send and read the answer. Raises `ToolRefused` with what went wrong and what to do."""
    passed: list[str] = []
    sent = dict(headers or {})
    while True:
        request = _request(http, method, url, sent, content)
        try:
            response = await http.send(request)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise ToolRefused(sentence(problem, url)) from None
        found = Answer(response.status_code, str(url), _shown(response), response.content, passed)
        target = response.headers.get("location", "")
        if response.status_code not in _REDIRECTS or not target:
            return found
        following = _target(url, target)
        method_after = method if response.status_code in _KEEP_METHOD or method in _READING else "GET"
        if not same_origin(url, following):
            if method not in _READING:
                why = f"it leads to another host, {following.netloc.decode('ascii')}, and a {method} is not sent on"
                return Answer(found.status, found.url, found.headers, found.body, passed, why)
            sent = {}
        if method_after != method:
            content = None
            sent = {name: value for name, value in sent.items() if not name.lower().startswith("content-")}
        if len(passed) >= limits.redirects:
            raise ToolRefused(
                f"limit redirects reached: {passed[0]} led to more than {limits.redirects} other addresses"
            )
        passed.append(str(url))
        method, url = method_after, following


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether what is meant for one may go to the other: the same, or the same host by TLS instead of without."""
    origins = [(url.scheme, url.host, url.port) for url in (one, other)]
    upgraded = origins[0] == ("http", other.host, None) and origins[1] == ("https", other.host, None)
    return origins[0] == origins[1] or upgraded


def _request(
    http: httpx.AsyncClient, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None
) -> httpx.Request:
    try:
        more: dict[str, Any] = {} if content is None else {"content": content}
        return http.build_request(method, url, headers=dict(headers), **more)
    except (UnicodeError, ValueError, httpx.InvalidURL) as problem:
        raise ToolRefused(f"the request is not valid HTTP ({str(problem)[:200]}); check its headers") from None


def _target(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return check_url(str(url.join(location)))
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise ToolRefused(f"{url} leads to an address that is none: {location[:200]!r}") from None


def _shown(response: httpx.Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in response.headers.multi_items()][:_HEADERS_LIMIT]
