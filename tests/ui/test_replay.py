"""The replay of a run: every moment of it, by keys, by the scrubber and by a link."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from playwright.async_api import Page, expect

from agent_runtime.person.client import Person
from tests.e2e.desk import Work, new_person, take, worker_connection
from tests.ui.conftest import PHONE, violations_in_both_themes
from tests.ui.injection import EVERYTHING, FILENAMES
from tests.ui.workspaces import rows_of

if TYPE_CHECKING:
    from uuid import UUID

    from playwright.async_api import Browser

    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def story(site: Site, work: Work) -> None:
    """A plan, a file in two versions, a call that fails, a wait for an answer, and what an agent should not write."""
    await work.do("plan_set", effect={"kind": "plan_set", "phases": ["Look", "Write"]})
    first = await rows_of(site.stack, work.task_id, {"report.md": b"# Draft\n"})
    await work.do("file_write", {"path": "report.md", "content": "# Draft\n"}, files=first)
    await work.do("shell_exec", {"command": "false"}, status="failed", error="exit code 1")
    await work.do("plan_advance", effect={"kind": "plan_advance"})
    second: dict[str, bytes | None] = {"report.md": b"# Final\n", FILENAMES[0]: EVERYTHING.encode()}
    await work.do("file_write", {"path": "report.md"}, files=await rows_of(site.stack, work.task_id, second))
    await work.do("message_notify", {"text": EVERYTHING}, effect={"kind": "notify", "text": EVERYTHING})
    await work.suspend("answer")


async def test_a_run_is_seen_again_at_any_moment(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack, "replay")
    async with Person(person) as client, await worker_connection(site.stack) as connection:
        task = await client.submit("Write a report.", title="Watch me")
        await story(site, await take(connection, task.id))
        await client.answer(task.id, "Yes.")
        work = await take(connection, task.id)
        work.step = 6
        await work.do("shell_exec", {"command": "true"})
        await work.settle(answer="The report is report.md.")
    page = await site.open(browser, person, f"/tasks/{task.id}/replay")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    replay = page.locator(".replay")
    where = page.locator(".player-where")
    await expect(page.get_by_role("heading", name="Replay of Watch me")).to_be_visible()
    await expect(where).to_contain_text("Step 0 of 7")
    await expect(page.get_by_text("Write a report.")).to_be_visible()
    assert await violations_in_both_themes(page) == []

    # Step by step: the plan, the file, the error.
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await expect(where).to_contain_text("Step 1 of 7")
    await expect(page.get_by_role("region", name="Plan")).to_contain_text("Phase 1 of 2")
    await page.get_by_role("button", name="Next step").click()
    await expect(where).to_contain_text("Step 2 of 7")
    await page.get_by_role("tab", name="Files (1)").click()
    await page.get_by_role("button", name="report.md v1").click()
    then = page.get_by_role("region", name="Files at this moment")
    await expect(then.get_by_role("heading", name="Draft")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    # The same name at a later moment is its version of then.
    await page.keyboard.press("End")
    await expect(then.get_by_role("heading", name="Final")).to_be_visible()
    await expect(replay.get_by_text("Completed").first).to_be_visible()
    await expect(page.get_by_role("heading", name="Answer")).to_be_visible()
    await page.keyboard.press("Home")
    await expect(then.get_by_text("report.md was not there at this moment")).to_be_visible()

    # Errors alone, and the link that holds the moment.
    await page.get_by_role("tab", name="Workbench").click()
    await page.get_by_role("button", name="Errors only").click()
    await expect(where).to_contain_text("Step 3 of 7")
    await expect(page.get_by_role("region", name="Workbench")).to_contain_text("exit code 1")
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_text("The link to this moment is copied.").first).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    event = await replay.get_attribute("data-event")
    assert f"at={event}" in link
    assert await violations_in_both_themes(page) == []
    other = await page.context.new_page()
    await other.goto(link)
    await expect(other.locator(".replay")).to_have_attribute("data-event", event or "")
    await expect(other.locator(".player-where")).to_contain_text("Step 3 of 7")
    await other.close()

    # It plays by itself to the end, and the space bar holds it.
    await page.get_by_role("button", name="Errors only").click()
    await page.get_by_label("Pace").select_option("turns")
    await page.keyboard.press("Home")
    await page.locator("body").click(position={"x": 5, "y": 400})
    await page.keyboard.press(" ")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await expect(where).to_contain_text("Step 1 of 7")
    await page.keyboard.press(" ")
    await expect(page.get_by_role("button", name="Play")).to_be_visible()
    await page.get_by_label("Speed").select_option("20")
    await page.get_by_role("button", name="Play").click()
    await expect(where).to_contain_text("Step 7 of 7")
    await expect(page.get_by_role("button", name="Play")).to_be_visible()

    await page.set_viewport_size(PHONE)
    await expect(page.get_by_role("tab", name="Timeline")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert await violations_in_both_themes(page) == []
    assert page.complaints == []  # type: ignore[attr-defined]
    assert await page.evaluate("window.__injected === undefined")
    await site.leave(page)

    stranger = await new_person(site.stack, "stranger")
    page = await site.open(browser, stranger, f"/tasks/{task.id}/replay")
    await expect(page.get_by_role("alert")).to_contain_text("Not here")
    assert await violations_in_both_themes(page) == []
    await site.leave(page)


async def test_of_ten_thousand_events_any_moment_is_drawn_with_the_next_frame(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack, "long")
    async with Person(person) as client:
        task = await client.submit("Count for long.", title="Long")
    _lengthen(site, task.id)
    page = await site.open(browser, person, f"/tasks/{task.id}/replay", language="es-ES")
    await expect(page.locator(".player-where")).to_contain_text("Paso 0 de 3333")
    scrubber = page.get_by_role("slider", name="Momento")
    for value, where, rows in await _seek(page):
        step = re.search(r"Paso (\d+) de 3333", where)
        assert step, where
        assert int(step[1]) == pytest.approx(value / 3_000, abs=2)
        # What it costs does not grow with the run: only what is seen is drawn. Milliseconds are the benchmark's.
        assert rows < 100
    await scrubber.focus()
    await page.keyboard.press("End")
    await expect(page.locator(".player-where")).to_contain_text("Paso 3333 de 3333")
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)


async def _seek(page: Page) -> list[tuple[float, str, int]]:
    """The scrubber at milliseconds all over the run; what the page says and how many rows it has a frame later."""
    found: list[tuple[float, str, int]] = await page.evaluate(
        """async () => {
          const range = document.querySelector('.scrubber-range')
          const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set
          const found = []
          for (let at = 1; at <= 10; at++) {
            const value = Math.floor((Number(range.max) * ((at * 7) % 11)) / 11)
            set.call(range, String(value))
            range.dispatchEvent(new Event('input', { bubbles: true }))
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))
            const where = document.querySelector('.player-where').textContent
            found.push([value, where, document.querySelectorAll('.timeline-line').length])
          }
          return found
        }"""
    )
    return found


def _lengthen(site: Site, task_id: UUID) -> None:
    """9,999 events of 3,333 steps, as a run of days would leave them."""
    with psycopg.connect(site.stack.database_url) as owner:
        owner.execute(
            """
            insert into task_events (task_id, tenant_id, kind, payload, created_at)
            select t.id, t.tenant_id, case part when 0 then 'message.created' else 'execution.status' end,
              case part
                when 0 then jsonb_build_object(
                  'message_id', gen_random_uuid(), 'role', 'assistant', 'step', step, 'seq', step)
                else jsonb_build_object(
                  'execution_id', md5('call' || step)::uuid, 'tool', 'shell_exec', 'step', step, 'call_index', 0,
                  'status', case when part = 1 then 'running' when step %% 97 = 0 then 'failed' else 'completed' end)
              end,
              now() + (step * 3 + part) * interval '1 second'
            from tasks t, generate_series(1, 3333) as step, generate_series(0, 2) as part
            where t.id = %(task)s
            order by step, part
            """,
            {"task": task_id},
        )
