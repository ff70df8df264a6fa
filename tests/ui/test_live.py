"""What a page shows of a run is what the table has, whatever is cut meanwhile: the network, the server, the API."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from agent_runtime.local import ports
from agent_runtime.local.stack import Stack
from agent_runtime.person.client import Person
from tests.conftest import StackFolder
from tests.e2e.desk import Work, new_person, take, worker_connection
from tests.ui.conftest import Site, serving
from tests.ui.telling import told

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL_ROWS = """async () => {
  const frame = document.querySelector('.timeline'), seen = new Map()
  const settled = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
  for (let top = 0; ; top += frame.clientHeight / 2) {
    frame.scrollTop = top
    await settled()
    for (const line of frame.querySelectorAll('[data-event]')) {
      const here = frame.querySelectorAll(`[data-event="${line.dataset.event}"]`).length
      seen.set(Number(line.dataset.event), Math.max(here, seen.get(Number(line.dataset.event)) ?? 0))
    }
    if (top > frame.scrollHeight) break
  }
  return [...seen]
}"""


class Network:
    """What lies between the browser and the server: it can be cut, with every connection in it."""

    def __init__(self, port: int) -> None:
        self._port, self._is_cut = port, False
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        self._is_cut = True
        for end in self._open:
            end.transport.abort()

    def restore(self) -> None:
        self._is_cut = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        try:
            if self._is_cut:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
            ends.add(back)
            self._open |= ends
            ways = {asyncio.create_task(_pass(reader, back)), asyncio.create_task(_pass(there, writer))}
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except ConnectionError:
            pass
        finally:
            self._open -= ends
            for end in ends:
                end.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own(stack_folder: StackFolder) -> AsyncIterator[Stack]:
    """A stack of these tests alone, since its parts are stopped."""
    async with Stack(await stack_folder("live"), look_for_ollama=False, durable=False) as stack:
        yield stack


async def events_of(stack: Stack, task_id: UUID) -> list[tuple[int, str, dict[str, Any]]]:
    async with await psycopg.AsyncConnection.connect(stack.database_url) as owner:
        rows = await owner.execute(
            "select id, kind, payload from task_events where task_id = %s order by id", [task_id]
        )
        return await rows.fetchall()


async def steps(work: Work, count: int, word: str) -> None:
    """So many commands of the agent."""
    for number in range(count):
        await told(work, "shell_exec", {"command": f"echo {word} {number}"}, f"exit code 0\nstdout:\n{word} {number}")


async def shows_all(page: Page, stack: Stack, task_id: UUID) -> None:
    """The page was handed each event of the table once, and each of its lines is there once, in order."""
    events = await events_of(stack, task_id)
    task = page.locator(".run")
    await expect(task).to_have_attribute("data-last-event", str(events[-1][0]), timeout=40_000)
    await expect(task).to_have_attribute("data-received", str(len(events)))
    lines = await page.evaluate(ALL_ROWS)
    assert all(count == 1 for _, count in lines), lines
    ids = [event for event, _ in lines]
    begun = {payload["execution_id"]: id for id, kind, payload in reversed(events) if kind == "execution.status"}
    assert set(begun.values()) <= set(ids) <= {id for id, _, _ in events}
    assert len(set(ids)) == len(ids)


async def test_cuts_lose_and_repeat_nothing(own: Stack, browser: Browser) -> None:
    me = await new_person(own)
    port = ports.choose(None, taken=set())
    async with Person(me, keep=False) as person, await worker_connection(own) as connection:
        task = await person.submit("Work while everything is cut")
        with psycopg.connect(own.database_url) as owner:
            owner.execute("update agents set standing_permissions = '{shell_exec}' where tenant_id is null")
        work = await take(connection, task.id)
        await steps(work, 3, "before")
        serve = serving(own, port=port)
        _, server = await serve.__aenter__()
        network = Network(port)
        way = await asyncio.start_server(network.accept, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{way.sockets[0].getsockname()[1]}"
        try:
            page = await Site(own, url, server).open(browser, me, f"/tasks/{task.id}")
            connected = page.locator(".run")
            await expect(connected).to_have_attribute("data-connection", "live")
            await expect(page.get_by_text("Live", exact=True)).to_be_visible()

            # The browser has no network.
            network.cut()
            await page.context.set_offline(True)
            await steps(work, 3, "without network")
            await expect(connected).to_have_attribute("data-connection", "offline")
            await expect(page.get_by_text("No connection", exact=True)).to_be_visible()
            await page.get_by_role("textbox").fill("typed without a network")
            network.restore()
            await page.context.set_offline(False)
            await expect(connected).to_have_attribute("data-connection", "live")
            await shows_all(page, own, task.id)
            assert await page.get_by_role("textbox").input_value() == "typed without a network"

            # The live streams alone are away, as behind a proxy: Supabase is asked, and the page says so.
            async def away(route: Route) -> None:
                await route.fulfill(status=503, headers={"retry-after": "1"}, body="{}")

            await page.route("**/live/**", away)
            os.kill(server.pid, signal.SIGKILL)
            await server.wait()
            await steps(work, 3, "without server")
            await expect(connected).to_have_attribute("data-connection", "offline")
            serve_again = serving(own, port=port)
            _, server = await serve_again.__aenter__()
            await expect(connected).to_have_attribute("data-connection", "polling", timeout=30_000)
            await expect(page.get_by_text("Asking every 2 seconds")).to_be_visible()
            await steps(work, 2, "polled")
            await shows_all(page, own, task.id)
            await page.unroute("**/live/**")
            await expect(connected).to_have_attribute("data-connection", "live", timeout=30_000)

            # The API is away: nobody can be shown to have a right, so nothing comes until it is back.
            await own.api.stop()
            await steps(work, 3, "without API")
            await expect(connected).to_have_attribute("data-connection", "away", timeout=40_000)
            await expect(page.get_by_text("Supabase does not answer")).to_be_visible()
            await own.api.start()
            await expect(connected).to_have_attribute("data-connection", "live", timeout=40_000)
            await steps(work, 2, "after")
            await shows_all(page, own, task.id)
            await work.settle(answer="Done in spite of all.")
            await expect(page.get_by_text("Done in spite of all.")).to_be_visible(timeout=30_000)
            assert page.complaints == []  # type: ignore[attr-defined]
            await page.context.close()
            way.close()
            await serve_again.__aexit__(None, None, None)
        finally:
            await serve.__aexit__(None, None, None)


async def test_access_that_ends_ends_the_screen(own: Stack, browser: Browser) -> None:
    me = await new_person(own)
    async with (
        Person(me, keep=False) as person,
        await worker_connection(own) as connection,
        serving(own) as (url, server),
    ):
        task = await person.submit("Be deleted")
        work = await take(connection, task.id)
        page = await Site(own, url, server).open(browser, me, f"/tasks/{task.id}")
        await expect(page.locator(".run")).to_have_attribute("data-connection", "live")
        await page.get_by_role("textbox").fill("kept over the sign-in")
        # Signed out in another tab: the stream and the screen end, and what was typed stays.
        await page.evaluate("localStorage.removeItem('agent-runtime.session')")
        await page.reload()
        await expect(page.locator("input[type=password]")).to_be_visible()
        assert "kept over" in await page.evaluate("JSON.stringify(localStorage)")
        session = await Site(own, url, server).session_of(me)
        await page.evaluate("session => localStorage.setItem('agent-runtime.session', session)", session)
        await page.reload()
        await expect(page.get_by_role("textbox")).to_have_value("kept over the sign-in")
        await expect(page.locator(".run")).to_have_attribute("data-connection", "live")
        # The conversation goes, and the task with it.
        await work.settle("cancelled")
        async with await psycopg.AsyncConnection.connect(own.database_url) as owner:
            await owner.execute(
                "delete from conversations where id = (select conversation_id from tasks where id = %s)", [task.id]
            )
        await expect(page.get_by_text("This task is not here any more")).to_be_visible(timeout=30_000)
        await page.context.close()


async def test_two_readers_see_each_others_acts(own: Stack, browser: Browser) -> None:
    me = await new_person(own)
    async with (
        Person(me, keep=False) as person,
        await worker_connection(own) as connection,
        serving(own) as (url, server),
    ):
        task = await person.submit("Be steered from two browsers")
        work = await take(connection, task.id)
        site = Site(own, url, server)
        one, two = await asyncio.gather(
            site.open(browser, me, f"/tasks/{task.id}"), site.open(browser, me, f"/tasks/{task.id}", language="es-ES")
        )
        await one.get_by_role("textbox").fill("Use the second sheet")
        await one.get_by_role("button", name="Send").click()
        await expect(two.locator(".said-person", has_text="Use the second sheet")).to_be_visible()
        await expect(one.get_by_role("textbox")).to_have_value("")
        await two.get_by_role("button", name="Pausar").click()
        await expect(one.get_by_role("button", name="Resume")).to_be_visible()
        await work.suspend("pause")
        await expect(one.locator(".status", has_text="Paused")).to_be_visible()
        await expect(two.locator(".status", has_text="En pausa")).to_be_visible()
        await one.get_by_role("button", name="Resume").click()
        await expect(two.get_by_role("button", name="Pausar")).to_be_visible()
        # A task that nobody runs ends at once.
        await two.get_by_role("button", name="Detener").click()
        await two.get_by_role("dialog").get_by_role("button", name="Detener").click()
        await expect(one.get_by_text("The task was stopped")).to_be_visible()
        await expect(one.get_by_role("textbox")).to_have_count(0)
        for page in (one, two):
            assert page.complaints == []  # type: ignore[attr-defined]
            await page.context.close()
