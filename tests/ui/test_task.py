"""The screen of a task: what happened in plain words, what the tools brought, and what a person can do about it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from playwright.async_api import Browser, Route, expect

from agent_runtime.person.client import Person
from tests.e2e.desk import a_tool_that_asks, new_person, take, worker_connection
from tests.ui.conftest import PHONE, Site, go, violations_in_both_themes
from tests.ui.injection import ELSEWHERE, EVERYTHING, TEXTS
from tests.ui.telling import advanced, folder_of, made, notified, planned, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_WIDER = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def agent(site: Site) -> str:
    """An agent that has every tool and asks for nothing."""
    with psycopg.connect(site.stack.database_url) as owner:
        owner.execute(
            "insert into agents (name, system_prompt, model_name, tools_enabled, is_public, standing_permissions)"
            " select 'Does all', 'Do.', 'default', array_agg(name), true, array_agg(name) from tools"
        )
    return "Does all"


async def test_a_run_from_its_plan_to_its_answer(site: Site, browser: Browser, agent: str) -> None:
    me = await new_person(site.stack)
    async with Person(me, keep=False) as person, await worker_connection(site.stack) as connection:
        task = await person.submit(
            "Count the rentals\n\nand **tell** me, also of https://example.org/bikes", agent=agent, limits={"steps": 12}
        )
        work, where = await take(connection, task.id), folder_of(site.stack, task.id)
        page = await site.open(browser, me, f"/tasks/{task.id}")
        lines = page.get_by_role("region", name="Timeline", exact=True)
        bench = page.get_by_role("region", name="Workbench", exact=True)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Count the rentals")
        await expect(page.locator(".status", has_text="Running").first).to_be_visible()
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()

        await planned(work, "Look", "Count")
        await expect(page.locator("[aria-current=step]")).to_have_text("current: Look")
        await told(work, "file_read", {"path": "a.csv"}, "city\nMadrid", {"kind": "text"}, says="I look at **it**.")
        await expect(lines.get_by_role("button", name="Read a.csv")).to_be_visible()
        await expect(lines.locator("strong", has_text="it")).to_be_visible()
        await expect(bench.get_by_text("Madrid")).to_be_visible()
        await advanced(work)
        command = await told(
            work, "shell_exec", {"command": "wc -l a.csv"}, "exit code 2\nstdout:\n\x1b[31mred\x1b[0m\nstderr:\nno",
            {"exit_code": 2}, status="failed", error="exit code 2",
        )  # fmt: skip
        await expect(bench.get_by_text("exit code 2").last).to_be_visible()
        await expect(bench.locator(".ansi-1")).to_have_text("red")
        edits = [{"old": "one", "new": "two"}, {"old": "three", "new": "four"}]
        await told(work, "file_edit", {"path": "a.py", "edits": edits}, "a.py: changed 2 places\n@@ -1 +1 @@", {})
        await expect(bench.locator(".diff")).to_have_count(2)
        await expect(bench.locator(".diff").last).to_contain_text("four")
        await told(
            work, "file_grep", {"pattern": "tw.", "context": 1},
            "b-1.py-4- one\nb-1.py:5: two\n--\nc.py:1: two\n[limit of 2 reached; narrow]", {"matches": 2},
        )  # fmt: skip
        await expect(bench.locator(".matches section")).to_have_count(2)
        await expect(bench.get_by_text("limit of 2 reached")).to_be_visible()
        await told(
            work, "db_query", {"sql": "select 1"}, "[1]", {"columns": ["n"], "rows": [[41], [42]], "row_count": 2}
        )
        await expect(bench.get_by_role("cell", name="42")).to_be_visible()
        url = "https://example.org/bikes"
        await told(
            work, "browser_navigate", {"url": url},
            f"URL: {url}\ntitle: Bikes\nstatus: 200\n\nRented.\n\nlinks:\n- Home: https://example.org/",
            {"url": url, "status": 200},
        )  # fmt: skip
        await expect(bench.get_by_text("Rented.")).to_be_visible()
        await notified(work, "Half **way**")
        await expect(lines.get_by_text("The agent says")).to_be_visible()
        assert await violations_in_both_themes(page) == []

        # By keys alone: to the failed call, and into the workbench. The address holds it.
        failed = lines.locator(f'[data-key="{await first_event(site, command)}"]')
        await lines.focus()
        for _ in range(20):
            await page.keyboard.press("k")
            if await failed.count() and await failed.evaluate("line => line === document.activeElement"):
                break
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{site.url}/tasks/{task.id}?call={command}")
        await expect(bench.get_by_text("wc -l a.csv")).to_be_visible()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Usage").click()
        await expect(page.get_by_role("progressbar", name="Steps")).to_be_visible()
        assert await violations_in_both_themes(page) == []
        await page.keyboard.press("Escape")

        # A question is answered in its place; what was typed lives through a reload.
        (question,) = await work.turn({"name": "message_ask", "arguments": {"question": "Which *year*?"}})
        await work.start(question)
        await work.finish(question, effect={"kind": "ask", "question": "Which *year*?"})
        await work.suspend("answer")
        await expect(page.get_by_role("region", name="The agent asks")).to_contain_text("Which year?")
        await page.keyboard.press("m")
        await expect(page.get_by_role("textbox", name="Your answer")).to_be_focused()
        await page.keyboard.type("2024")
        await page.reload()
        await expect(page.get_by_role("textbox", name="Your answer")).to_have_value("2024")
        await page.get_by_role("textbox").press("Control+Enter")
        await expect(lines.locator(".said-person", has_text="2024")).to_be_visible()
        work, step = await take(connection, task.id), work.step
        work.step = step
        await told(work, "file_write", {"path": "r.md", "content": "# R"}, "ok", {}, files=[made(where, "r.md", 3)])
        await work._call("worker_settle", "completed", '{"answer": "**42** rentals", "files": ["r.md"]}', None)
        end = lines.locator(".end")
        await expect(end.locator("strong")).to_have_text("42")
        await expect(end.get_by_role("link", name="r.md")).to_be_visible()
        await expect(page.get_by_role("textbox")).to_have_count(0)
        assert await violations_in_both_themes(page) == []
        assert page.complaints == []  # type: ignore[attr-defined]
        await site.leave(page)

        # The same on a phone, in Spanish; and nobody else sees it.
        phone = await site.open(browser, me, f"/tasks/{task.id}", viewport=PHONE, language="es-ES")
        await expect(phone.locator(".end strong")).to_have_text("42")
        assert await phone.evaluate(NO_WIDER)
        for tab, text in (("Mesa de trabajo", "r.md"), ("Plan y consumo", "Count")):
            await phone.get_by_role("tab", name=tab).click()
            await expect(phone.get_by_text(text).first).to_be_visible()
            assert await phone.evaluate(NO_WIDER)
        assert await violations_in_both_themes(phone) == []
        await site.leave(phone)
        stranger = await site.open(browser, await new_person(site.stack, "stranger"), f"/tasks/{task.id}")
        await expect(stranger.get_by_text("Not here")).to_be_visible()
        await stranger.goto(f"{site.url}/tasks/nonsense")
        await expect(stranger.get_by_text("Not here")).to_be_visible()
        assert await violations_in_both_themes(stranger) == []
        await site.leave(stranger)


async def first_event(site: Site, execution: str) -> int:
    async with await psycopg.AsyncConnection.connect(site.stack.database_url) as owner:
        row = await (
            await owner.execute("select min(id) from task_events where payload ->> 'execution_id' = %s", [execution])
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_call_is_approved_where_it_waits(site: Site, browser: Browser) -> None:
    me = await new_person(site.stack)
    asks = a_tool_that_asks(site.stack)
    async with Person(me, keep=False) as person, await worker_connection(site.stack) as connection:
        task = await person.submit("Tidy up", agent=asks)
        work = await take(connection, task.id)
        page = await site.open(browser, me, f"/tasks/{task.id}")
        await work.turn({"name": asks, "arguments": {"command": "rm -rf old"}})
        await work.suspend("approval")
        await expect(page.locator(".task-wait")).to_have_text("Waiting for approval")
        card = page.locator(".call-awaiting_approval")
        await expect(card).to_contain_text("rm -rf old")
        assert await violations_in_both_themes(page) == []
        await card.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.get_by_text("You approved")).to_be_visible()
        await expect(page.locator(".task-wait")).to_have_count(0)
        await site.leave(page)


async def test_what_an_agent_writes_is_only_ever_shown(site: Site, browser: Browser, agent: str) -> None:
    me = await new_person(site.stack)
    async with Person(me, keep=False) as person, await worker_connection(site.stack) as connection:
        task = await person.submit(EVERYTHING[:60_000], agent=agent, title=TEXTS["script"])
        work = await take(connection, task.id)
        requests: list[str] = []
        page = await site.open(browser, me, f"/tasks/{task.id}")
        page.on("request", lambda request: requests.append(request.url))
        await planned(work, *[text[:200] for text in list(TEXTS.values())[:6]])
        hits = [{"title": text, "url": text, "excerpt": text} for text in TEXTS.values()]
        calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("shell_exec", {"command": EVERYTHING[:30_000]}, {"exit_code": 0}),
            ("file_read", {"path": TEXTS["turned"]}, {"kind": "text"}),
            ("file_edit", {"path": "a.html", "edits": [{"old": TEXTS["svg"], "new": EVERYTHING}]}, {}),
            ("web_search", {"query": TEXTS["image"]}, {"results": hits}),
            ("browser_navigate", {"url": TEXTS["frame"]}, {"url": f"javascript:{TEXTS['script']}", "status": 200}),
            ("db_query", {"sql": TEXTS["script"]}, {"columns": list(TEXTS.values()), "rows": [list(TEXTS.values())]}),
            ("file_grep", {"pattern": TEXTS["script"], "path": TEXTS["image"]}, {}),
            ("message_notify", {"text": EVERYTHING[:4_000]}, {}),
        ]  # fmt: skip
        for name, arguments, data in calls:
            call = await told(work, name, arguments, EVERYTHING, data, says=EVERYTHING, error=None)
            await go(page, f"/tasks/{task.id}?call={call}")
            await expect(page.locator(".bench-body [aria-pressed]").first).to_be_visible()
        # Fifty megabytes of a result: a part is never even parsed.
        huge = {"exit_code": 0, "blob": "x" * 50_000_000}
        large = await told(work, "shell_exec", {"command": "yes"}, "exit code 0\nstdout:\n" + "y\n" * 100_000, huge)
        await page.goto(f"{site.url}/tasks/{task.id}?call={large}")
        await expect(page.get_by_text("too large to show")).to_be_visible(timeout=40_000)
        await page.locator(".bench-body").get_by_role("button", name="Show more").click()
        await notified(work, EVERYTHING[:4_000])
        await work._call("worker_settle", "completed", json.dumps({"answer": EVERYTHING, "files": [3]}), None)
        await expect(page.locator(".end")).to_be_visible()
        assert await page.evaluate("window.__injected") is None
        assert not [url for url in requests if ELSEWHERE in url or not url.startswith((site.url, "blob:", "data:"))]
        assert page.complaints == []  # type: ignore[attr-defined]
        await site.leave(page)


async def test_an_end_between_the_row_and_its_events_brings_the_answer(site: Site, browser: Browser) -> None:
    me = await new_person(site.stack)
    async with Person(me, keep=False) as person, await worker_connection(site.stack) as connection:
        task = await person.submit("Be quick")
        work = await take(connection, task.id)
        page = await site.open(browser, me, "/account")
        ended = asyncio.Event()

        async def answered_before(route: Route) -> None:
            answer = await route.fetch()
            if not ended.is_set():
                await work.settle("completed", answer="Here it is.")
                ended.set()
            await route.fulfill(response=answer)

        async def streamed_after(route: Route) -> None:
            await ended.wait()
            await route.continue_()

        await page.route("**/rest/v1/tasks?*agents*", answered_before)
        await page.route("**/live/**", streamed_after)
        await page.goto(f"{site.url}/tasks/{task.id}")
        await expect(page.get_by_text("Here it is.").first).to_be_visible()
        await site.leave(page)
