"""Asking search engines: those that the library `ddgs` reads, and a SearXNG of one's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.web.client import HttpLimits, check_url, guarded_client
from agent_runtime.toolbox.web.egress import DEFAULT_PORTS, EgressGuard
from agent_runtime.toolbox.web.egress_proxy import egress_proxy
from agent_runtime.toolbox.web.exchange import exchange

Recent = Literal["day", "week", "month", "year"]

SEARXNG = "searxng"
# In the order in which they are asked: one that refuses does not end the search.
ENGINES = ("duckduckgo", "brave", "startpage", "mojeek", "yahoo", "google", "wikipedia")
_ENGINE_SECONDS = 8
_EXCERPT_CHARACTERS = 500
_TITLE_CHARACTERS = 200
_URL_CHARACTERS = 2_000


@dataclass(frozen=True)
class Hit:
    """One result, its texts cut to what one needs to choose."""

    title: str
    url: str
    excerpt: str


@dataclass(frozen=True)
class Question:
    """What is asked of each engine. `region` is like `es-es`."""

    query: str
    max_results: int
    recent: Recent | None = None
    region: str = "us-en"


async def ask_searxng(guard: EgressGuard, base_url: str, question: Question) -> list[Hit]:
    """The results of a SearXNG, which may be in a private network since the operator named it.

    Raises `ToolRefused` when it does not answer as it should.
    """
    base = check_url(base_url)
    port = base.port or DEFAULT_PORTS[base.scheme]
    host = f"[{base.host}]" if ":" in base.host else base.host
    limits = HttpLimits(seconds=20, response_bytes=4 * 1024 * 1024)
    query = {"q": question.query, "format": "json", "language": question.region[:2], "safesearch": "1"}
    if question.recent:
        query["time_range"] = question.recent
    url = httpx.URL(f"{str(base).rstrip('/')}/search").copy_merge_params(query)
    async with guarded_client(guard.allowing([f"{host}:{port}"]), limits) as http:
        answer = await exchange(http, limits, "GET", url, headers={"Accept": "application/json"})
    if answer.status == 403:
        raise ToolRefused("it refuses JSON: its operator has to add `json` to `search.formats` of its settings")
    if answer.status != 200:
        raise ToolRefused(f"it answered with {answer.status}")
    try:
        found = httpx.Response(200, content=answer.body).json()["results"]
        return _hits(((hit.get("title"), hit.get("url"), hit.get("content")) for hit in found), question)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ToolRefused("its answer is not that of a SearXNG") from None


async def ask_engine(
    guard: EgressGuard, engine: str, question: Question, *, proxy: str | None, certificates: str | None
) -> list[Hit]:
    """The results of one engine of `ddgs`, through the guard's proxy unless the operator has one of another kind.

    `certificates` is a file with those that are trusted instead of the usual ones. Raises `ToolRefused`.
    """
    if proxy:
        return await asyncio.to_thread(_ask, engine, question, proxy, certificates)
    async with egress_proxy(guard) as own:
        return await asyncio.to_thread(_ask, engine, question, own.url, certificates)


def _ask(engine: str, question: Question, proxy: str, certificates: str | None) -> list[Hit]:
    # Imported at the first search: it costs a worker's start more than all the other tools together.
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

    try:
        found: list[dict[str, Any]] = DDGS(proxy=proxy, timeout=_ENGINE_SECONDS, verify=certificates or True).text(
            question.query,
            backend=engine,
            max_results=question.max_results,
            region=question.region,
            timelimit=question.recent[0] if question.recent else None,
        )
    except RatelimitException:
        raise ToolRefused("it asks to slow down") from None
    except TimeoutException:
        raise ToolRefused(f"no answer within {_ENGINE_SECONDS} seconds") from None
    except DDGSException as error:
        if "No results" in str(error):
            return []
        raise ToolRefused(_first_line(error)) from None
    return _hits(((hit.get("title"), hit.get("href"), hit.get("body")) for hit in found), question)


def _hits(found: Any, question: Question) -> list[Hit]:
    """Without repeats, and without what is no address of the web."""
    hits: dict[str, Hit] = {}
    for title, url, excerpt in found:
        address = str(url or "").strip()
        if len(address) > _URL_CHARACTERS or not _is_web_address(address):
            continue
        hits.setdefault(address, Hit(_cut(title, _TITLE_CHARACTERS), address, _cut(excerpt, _EXCERPT_CHARACTERS)))
    return list(hits.values())[: question.max_results]


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in DEFAULT_PORTS and bool(parts.hostname) and parts.username is None


def _cut(text: Any, characters: int) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= characters else f"{line[:characters]}…"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
