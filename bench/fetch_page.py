"""Reading a long web page: the request, and the main text of what came."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.web.client import guarded_client
from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.web.main_text import main_text
from agent_runtime.toolbox.workspace import Workspace
from bench.report import Line, Report, Steps

PAGE_BYTES = 2_000_000

HOW = (
    "A server on loopback sends an article of 2 MB with headings, links and tables; one page at a time. The guarded "
    "client checks addresses, counts bytes and unpacks in pieces; bare is httpx alone, which reads its certificates anew. "
    "The main text is made by trafilatura in a process of its own, whose start is in the figure."
)


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    rounds, size = (1, 50_000) if quick else (5, PAGE_BYTES)
    steps.expect(rounds)
    page = article(size)
    bare: list[float] = []
    guarded: list[float] = []
    extracted: list[float] = []
    whole: list[float] = []
    async with _served(page) as port:
        url, guard = f"http://127.0.0.1:{port}/", EgressGuard([f"127.0.0.1:{port}"])
        for _ in range(rounds):
            started = time.perf_counter()
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.get(url)
            bare.append(_milliseconds(started))
            started = time.perf_counter()
            async with guarded_client(guard) as http:
                await http.get(url)
            guarded.append(_milliseconds(started))
            started = time.perf_counter()
            await main_text(page.decode(), url)
            extracted.append(_milliseconds(started))
            started = time.perf_counter()
            await _fetch(url, guard)
            whole.append(_milliseconds(started))
            steps.done()
    return Report(
        "fetch and extract a page of 2 MB",
        HOW,
        [
            Line("GET, bare httpx", "ms", bare),
            Line("GET, guarded client", "ms", guarded, against=("GET, bare httpx",)),
            Line("main text as Markdown", "ms", extracted),
            Line("web_fetch, both", "ms", whole),
        ],
    )


async def _fetch(url: str, guard: EgressGuard) -> None:
    tool = Registry.load().get("web_fetch")
    assert tool is not None
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "workspace")
        call = uuid.uuid4()
        context = ToolContext(call, call, workspace, Refused("not needed"), 300, 65_536, egress=guard)
        outcome = await execute(tool, {"url": url}, context)
    assert outcome.status == "completed", outcome.content


def article(size: int) -> bytes:
    """A page of about so many bytes, as encyclopaedias have them."""
    sentence = (
        "The harbour of the old town lies behind two moles, and <a href='/ships'>ships</a> of every size come in. "
    )
    parts: list[str] = []
    length = 0
    while length < size:
        n = len(parts)
        row = f"<table><tr><th>Year</th><th>Ships</th></tr><tr><td>{1900 + n % 100}</td><td>{n}</td></tr></table>"
        parts.append(f"<h2>Chapter {n}</h2><p>{sentence * 6}</p><p>{sentence * 4}</p>{row if n % 5 == 0 else ''}")
        length += len(parts[-1])
    menu = "<nav>" + "".join(f"<a href='/{n}'>Page {n}</a>" for n in range(100)) + "</nav>"
    head = "<!doctype html><html><head><title>The harbour</title></head><body>"
    return f"{head}{menu}<article><h1>The harbour</h1>{''.join(parts)}</article></body></html>".encode()


@asynccontextmanager
async def _served(page: bytes) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + page)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def _milliseconds(started: float) -> float:
    return (time.perf_counter() - started) * 1_000
