"""The web UI as people have it: the embedded stack, `agent-runtime serve`, and a real Chromium.

site       the stack with the web UI, without a worker: lead tasks by hand with `tests.e2e.desk.take`
browser    a Chromium of the session
open_site  the same with a worker and a script for the model, for tests that need a whole run
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from agent_runtime.local import ports
from agent_runtime.local.processes import Child, Program
from agent_runtime.toolbox.browser.chromium import find_chromium
from tests.e2e.desk import PASSWORD
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session
    from tests.conftest import StackFolder

# Several browsers and stacks start at once: what is slow is not wrong.
expect.set_options(timeout=20_000)

AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
]
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIGN_IN = """session => {
  localStorage.clear()
  sessionStorage.clear()
  if (session) localStorage.setItem('agent-runtime.session', session)
}"""
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1360, "height": 860}


@dataclass
class Site:
    """A running stack with its web UI."""

    stack: Stack
    url: str
    server: Child
    idle: dict[str, list[Page]] = field(default_factory=dict)
    """Pages that were left, by their language."""

    async def open(
        self,
        browser: Browser,
        person: Session | None,
        path: str = "/",
        *,
        theme: str = "light",
        language: str = "en-US",
        viewport: ViewportSize | None = None,
    ) -> Page:
        """A page on which `person` alone is signed in. Give it back with `leave`, or close its context."""
        idle = self.idle.get(language)
        page = idle.pop() if idle else await self._new_page(browser, language)
        await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        await page.set_viewport_size(viewport or DESKTOP)
        session = await self.session_of(person) if person else None
        await page.evaluate(SIGN_IN, session)
        page.complaints.clear()  # type: ignore[attr-defined]
        await page.goto(f"{self.url}{path}")
        return page

    async def leave(self, page: Page) -> None:
        """Keep the page for the next `open`: a new process of Chromium with nothing in its caches costs two seconds."""
        for other in page.context.pages:
            if other is not page:
                await other.close()
        await page.unroute_all(behavior="ignoreErrors")
        # Whatever still runs there ends.
        await page.goto(f"{self.url}/healthz")
        self.idle.setdefault(page.language, []).append(page)  # type: ignore[attr-defined]

    async def _new_page(self, browser: Browser, language: str) -> Page:
        context = await browser.new_context(locale=language)
        context.set_default_timeout(20_000)
        page = await context.new_page()
        page.language = language  # type: ignore[attr-defined]
        watch_page(page)
        # Of the same origin, so that its storage can be written before the screens read it.
        await page.goto(f"{self.url}/healthz")
        return page

    async def session_of(self, person: Session) -> str:
        """What the web UI keeps of who is signed in, from a sign-in of its own."""
        async with httpx.AsyncClient(timeout=30, **LOOPBACK) as client:
            answer = await client.post(
                f"{self.stack.supabase_url}/auth/v1/token?grant_type=password",
                json={"email": person.email, "password": PASSWORD},
                headers={"apikey": self.stack.publishable_key},
            )
        kept = answer.raise_for_status().json()
        return json.dumps(kept)


async def go(page: Page, path: str) -> None:
    """To another screen as a link goes there: a page that begins anew takes four times as long to show it.

    What was there before is gone when this returns.
    """
    await page.evaluate("path => history.pushState(null, '', path)", path)


async def no_wider(page: Page) -> None:
    """Wait until nothing has to be scrolled sideways: a screen that changed its size is drawn anew a frame later."""
    await page.wait_for_function("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def watch_page(page: Page) -> None:
    """Keep what the page complained of: `page.complaints`, a list of texts."""
    complaints: list[str] = []
    page.complaints = complaints  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: (
            complaints.append(f"console: {message.text}")
            if message.type == "error" and "Content Security Policy" in message.text
            else None
        ),
    )


async def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds against WCAG 2.2 AA on the page as it is now, a line each; with `rules`, against these alone."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": STANDARDS}
    found = await page.evaluate(
        "only => axe.run(document, {runOnly: only, resultTypes: ['violations']}).then(result => result.violations)",
        only,
    )
    return [
        f"{one['id']}: {node['html'][:160]} ({'; '.join(check['message'] for check in node['any'][:2])})"
        for one in found
        for node in one["nodes"]
    ]


async def violations_in_both_themes(page: Page) -> list[str]:
    """The same in the light theme, and what a theme can change in the dark one: contrast."""
    await page.evaluate("document.documentElement.dataset.theme = 'light'")
    found = [f"light: {line}" for line in await violations(page)]
    await page.evaluate("document.documentElement.dataset.theme = 'dark'")
    return found + [f"dark: {line}" for line in await violations(page, "color-contrast", "link-in-text-block")]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium-headless-shell")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(stack_folder: StackFolder) -> AsyncIterator[Site]:
    async with open_site(await stack_folder("site")) as running:
        yield running


@asynccontextmanager
async def open_site(folder: Path, *, script: Path | None = None, worker: bool = False) -> AsyncIterator[Site]:
    """A stack of its own with the web UI."""
    from agent_runtime.local.stack import Stack

    async with Stack(folder, look_for_ollama=False, durable=False, script=script) as stack:
        if worker:
            await stack.start_worker()
        async with serving(stack) as (url, server):
            yield Site(stack, url, server)


@asynccontextmanager
async def serving(stack: Stack, *, port: int | None = None, **settings: str) -> AsyncIterator[tuple[str, Child]]:
    """`agent-runtime serve` as a process of its own: its URL and the process."""
    port = port or ports.choose(None, taken=set())
    program = Program(
        name=f"serve-{port}",
        argv=[sys.executable, "-m", "agent_runtime", "serve", "--port", str(port)],
        environment={
            **os.environ,
            "DATABASE_URL": stack.worker_database_url,
            "SUPABASE_URL": stack.supabase_url,
            "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
            "AGENT_RUNTIME_WEB_PROXY_SUPABASE": "true",
            **settings,
        },
        cwd=stack.folder.records.parent,
    )
    child = await Child.start(program, records=stack.folder.records, logs=stack.folder.logs)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(**LOOPBACK) as client:
            while True:
                child.check_running()
                try:
                    if (await client.get(f"{url}/healthz")).is_success:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        yield url, child
    finally:
        await child.stop()
