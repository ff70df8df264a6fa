"""The browser of a task: from nothing to the first page, from page to page, and what an open one weighs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil

from agent_runtime.toolbox.browser.session import Browser
from agent_runtime.toolbox.web.egress import EgressGuard
from bench.queue import NotComparable
from bench.report import Line, Report, Steps

HOW = (
    "A Chromium of its own in each round, as a task's first browser_navigate starts it, on a page of {kilobytes} kB "
    "with {links} links that is served on loopback through the egress proxy. «First view»: from nothing until the "
    "page's elements are there, the start of driver and browser included. «Next view»: another page in the same "
    "browser. «Looked at again»: browser_view. Opening a page ends with a quarter of a second in which nothing loads. "
    "Memory: of all processes of a browser with that page open, the worker left out; what they share is counted once."
)
LINKS = 200
PAGE = (
    "<title>A page</title><h1>A page</h1>"
    + "".join(f"<p>{'Words and words. ' * 10}<a href='/item/{n}'>item {n}</a></p>" for n in range(LINKS))
).encode()
SECONDS = 120.0


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds and megabytes."""
    rounds, pages = (1, 1) if quick else (7, 5)
    steps.expect(rounds)
    first: list[float] = []
    following: list[float] = []
    again: list[float] = []
    memory: list[float] = []
    async with _served() as host:
        for _ in range(rounds):
            started = time.monotonic()
            browser = await Browser.start(
                egress=EgressGuard([host]), download_limit_bytes=1_000_000, timeout_seconds=SECONDS
            )
            try:
                await _view(browser, "navigate", url=f"http://{host}/")
                first.append((time.monotonic() - started) * 1000)
                for n in range(pages):
                    following.append(await _timed(browser, "navigate", url=f"http://{host}/{n}"))
                    again.append(await _timed(browser, "view"))
                memory.append(_megabytes())
            finally:
                await browser.close()
            steps.done()
    how = HOW.format(kilobytes=len(PAGE) // 1000, links=LINKS)
    lines = [
        Line("first view", "ms", first),
        Line("next view", "ms", following),
        Line("looked at again", "ms", again),
        Line("memory of an open browser", "MB", memory),
    ]
    return Report("the browser of a task", how, lines)


async def _timed(browser: Browser, action: str, **arguments: str) -> float:
    started = time.monotonic()
    await _view(browser, action, **arguments)
    return (time.monotonic() - started) * 1000


async def _view(browser: Browser, action: str, **arguments: str) -> None:
    answer = await browser.do(action, SECONDS, **arguments)
    if answer.get("view", {}).get("controls") != LINKS:
        raise NotComparable(f"the browser shows something else: {answer.get('error', 'another page')}")


def _megabytes() -> float:
    total = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total / 1e6


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    """A server that gives the page at every path; its host and port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\n\r\n"
            writer.write(head.encode() + PAGE)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
