"""What a browser fetches to show a signed-in person their tasks for the first time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.async_api import Browser, Request, async_playwright

from agent_runtime.errors import ConfigError
from agent_runtime.local.first_user import sign_in_first_user
from agent_runtime.local.stack import Stack
from agent_runtime.local.state_file import read_state
from agent_runtime.toolbox.browser.chromium import find_chromium
from agent_runtime.web.assets import find_bundle
from bench.postgres import open_folder
from bench.report import Line, Report, Steps

MARK_KB = 250.0
"""The most JavaScript that the first load should be, in kB of 1,000 bytes over the wire."""

HOW = (
    "A new Chromium opens the list of tasks from `agent-runtime serve`, signed in, with nothing in its cache. "
    "Bodies as they came over the wire, by the browser's own network log, until the network is idle; "
    "kB of 1,000 bytes. Everything: the API's answers too."
)
ENCODINGS = {"brotli": "br", "gzip": "gzip"}


@dataclass(frozen=True)
class Fetched:
    """One answer. `kind` is the browser's word for what asked: script, stylesheet, document, fetch, …"""

    url: str
    kind: str
    encoding: str
    wire_bytes: int


async def measure(quick: bool, steps: Steps) -> Report:
    """Kilobytes."""
    program = find_chromium()
    if program is None or find_bundle() is None:
        raise ConfigError(
            "there is no Chromium: apt-get install chromium-headless-shell" if program is None else "run: make ui"
        )
    rounds = 1 if quick else 3
    steps.expect(rounds * len(ENCODINGS))
    loads: dict[str, list[list[Fetched]]] = {name: [] for name in ENCODINGS}
    async with open_folder() as folder, Stack(folder / "stack", look_for_ollama=False, durable=False) as stack:
        url = (await stack.start_web()).url
        session = await _session(stack)
        async with async_playwright() as playwright:
            for _ in range(rounds):
                for name, encoding in ENCODINGS.items():
                    browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                    loads[name].append(await first_load(browser, url, session, encoding))
                    await browser.close()
                    steps.done()
    return Report("the first load of the list of tasks", HOW, _lines(loads))


async def _session(stack: Stack) -> dict[str, Any]:
    """What supabase-js keeps of somebody who has signed in."""
    url, key = stack.supabase_url, stack.publishable_key
    await sign_in_first_user(stack.folder.first_user, supabase_url=url, publishable_key=key)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(
            f"{url}/auth/v1/token?grant_type=password",
            json=read_state(stack.folder.first_user),
            headers={"apikey": key},
        )
    session: dict[str, Any] = answer.raise_for_status().json()
    return session


async def first_load(browser: Browser, url: str, session: dict[str, Any], encoding: str) -> list[Fetched]:
    """What is fetched until the tasks of the session's person are shown; `encoding` as in Accept-Encoding."""
    context = await browser.new_context(locale="en-US", extra_http_headers={"Accept-Encoding": encoding})
    try:
        kept = json.dumps(json.dumps(session))
        await context.add_init_script(f"localStorage.setItem('agent-runtime.session', {kept})")
        page = await context.new_page()
        finished: list[Request] = []
        page.on("requestfinished", lambda request: finished.append(request))
        # On a busy machine half a second may pass without a request before the screen asks for its rows.
        async with page.expect_event("requestfinished", lambda request: "/rest/v1/" in request.url):
            await page.goto(url)
            await page.get_by_role("navigation").first.wait_for()
        await page.wait_for_load_state("networkidle")
        return [await _fetched(request) for request in finished]
    finally:
        await context.close()


async def _fetched(request: Request) -> Fetched:
    response, sizes = await request.response(), await request.sizes()
    encoding = await response.header_value("content-encoding") if response else None
    return Fetched(request.url, request.resource_type, encoding or "none", sizes["responseBodySize"])


def _lines(loads: dict[str, list[list[Fetched]]]) -> list[Line]:
    lines = []
    for name, found in loads.items():
        encoding = ENCODINGS[name]
        javascript = [javascript_kilobytes(load, encoding) for load in found]
        everything = [sum(one.wire_bytes for one in load) / 1_000 for load in found]
        lines += [
            Line(f"JavaScript, {name}", "kB", javascript, limit=MARK_KB),
            Line(f"everything, {name}", "kB", everything),
        ]
    requests = [float(len(load)) for load in loads["brotli"]]
    scripts = [float(sum(one.kind == "script" for one in load)) for load in loads["brotli"]]
    return [*lines, Line("requests", "", requests), Line("of them scripts", "", scripts)]


def javascript_kilobytes(load: list[Fetched], encoding: str) -> float:
    """The scripts of a load. Every larger one must have come in that encoding, or the figure is of something else."""
    scripts = [one for one in load if one.kind == "script"]
    wrong = [one.url for one in scripts if one.encoding != encoding and one.wire_bytes > 2_000]
    assert not wrong, f"not sent as {encoding}: {wrong}"
    # Who is not signed in is shown a form, and asks for no rows.
    assert any("/rest/v1/" in one.url for one in load), "the list of tasks asked for nothing"
    return sum(one.wire_bytes for one in scripts) / 1_000
