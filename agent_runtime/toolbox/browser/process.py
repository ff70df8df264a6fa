"""A browser in a process of its own, which speaks JSON lines with the worker: a request, then its answer.

Run as `python -m agent_runtime.toolbox.browser.process SETTINGS`. The first line that it writes says that it is ready,
or why it is not. It ends when its input ends, and when Chromium is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Error, async_playwright

from agent_runtime.toolbox.browser import confined
from agent_runtime.toolbox.browser.actions import Actions
from agent_runtime.toolbox.browser.downloads import Downloads
from agent_runtime.toolbox.browser.elements import Elements
from agent_runtime.toolbox.browser.stage import Stage
from agent_runtime.toolbox.browser.tabs import Tabs
from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.web.egress_proxy import egress_proxy

_REQUEST_LIMIT_BYTES = 4 * 1024 * 1024


async def serve(settings: dict[str, Any], requests: asyncio.StreamReader) -> None:
    """`settings`: `program`, `home`, `egress`, `download_limit_bytes`, `seconds` for the start."""
    home = Path(settings["home"])
    async with egress_proxy(EgressGuard.from_json(settings["egress"])) as proxy, async_playwright() as playwright:
        context, way = await confined.start(playwright, Path(settings["program"]), home, proxy, settings["seconds"])
        gone = asyncio.Event()
        context.on("close", lambda _: gone.set())
        downloads, elements = Downloads(home / "downloads", settings["download_limit_bytes"]), Elements()
        tabs = Tabs(context, downloads, elements)
        actions = Actions(Stage(tabs, elements, downloads, proxy, home / "uploads"))
        _write({"ready": way.describe()})
        while request := await _next(requests, gone):
            try:
                answer = await actions.do(request)
            except TimeoutError:
                _write({"error": "a page could not even be closed"})
                return
            if gone.is_set():
                return
            _write({"id": request["id"], **answer})


async def _next(requests: asyncio.StreamReader, gone: asyncio.Event) -> dict[str, Any] | None:
    reading, leaving = asyncio.ensure_future(requests.readline()), asyncio.ensure_future(gone.wait())
    await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (reading, leaving):
        task.cancel()
    line = reading.result() if reading.done() and not reading.cancelled() and not gone.is_set() else b""
    return json.loads(line) if line else None


def _write(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def _main() -> None:
    settings = json.loads(sys.argv[1])
    requests = asyncio.StreamReader(limit=_REQUEST_LIMIT_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    try:
        await serve(settings, requests)
    except Error as problem:
        _write({"error": f"the browser failed: {(problem.message.splitlines() or ['no reason given'])[0][:300]}"})
    # Chromium and its driver need not be asked to end: the supervisor ends them, and does not wait.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main())
