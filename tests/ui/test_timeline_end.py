"""The timeline follows its end while somebody looks at it, and stays where somebody reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from agent_runtime.person.client import Person
from tests.e2e.desk import Work, new_person, take, worker_connection
from tests.ui.telling import told

if TYPE_CHECKING:
    from uuid import UUID

    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

BURST = 12

# From the frame in which nothing has moved for half a second: how far the end is from the view.
AT_REST = """async () => {
  const frame = document.querySelector('.timeline')
  let before = '', since = performance.now()
  for (;;) {
    await new Promise(requestAnimationFrame)
    const now = `${frame.scrollTop} ${frame.scrollHeight} ${frame.clientHeight}`
    if (now !== before) [before, since] = [now, performance.now()]
    else if (performance.now() - since > 500) return frame.scrollHeight - frame.scrollTop - frame.clientHeight
  }
}"""
FIRST_IN_VIEW = """() => {
  const top = document.querySelector('.timeline').getBoundingClientRect().top
  const lines = [...document.querySelectorAll('.timeline-line')]
  const first = lines.filter(line => line.getBoundingClientRect().bottom > top)
    .sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)[0]
  return [first.dataset.key, Math.round(first.getBoundingClientRect().top - top)]
}"""

TOUCH = """() => {
  window.__touched = [...document.querySelectorAll('.timeline-line div')].at(-1)
  window.__touched.dispatchEvent(new Event('touchstart', { bubbles: true }))
}"""
LET_GO = "window.__touched.dispatchEvent(new Event('touchend', { bubbles: true }))"


async def burst(work: Work, times: int = BURST) -> None:
    """Rows of very different heights, as quickly as the database takes them."""
    for _ in range(times):
        says = "\n\n".join(
            f"Paragraph {n} of step {work.step}: **words** and words." for n in range(work.step * 7 % 11)
        )
        output = "exit code 0\nstdout:\n" + f"line of step {work.step}\n" * (work.step * 5 % 17)
        await told(work, "shell_exec", {"command": "x " * (work.step * 13 % 90)}, output, {"exit_code": 0}, says=says)


async def end_after_all_has_come(site: Site, page: Page, task_id: UUID) -> float:
    """Pixels from the view to the end, once everything has come and nothing moves any more."""
    async with await psycopg.AsyncConnection.connect(site.stack.database_url) as owner:
        found = await owner.execute("select count(*) from task_events where task_id = %s", [task_id])
        row = await found.fetchone()
    assert row is not None
    await page.wait_for_function(
        "count => Number(document.querySelector('.run')?.dataset.received) >= count", arg=row[0]
    )
    pixels: float = await page.evaluate(AT_REST)
    return pixels


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
async def test_it_follows_its_end_and_stays_where_one_reads(site: Site, browser: Browser, motion: str) -> None:
    me = await new_person(site.stack)
    async with Person(me, keep=False) as person, await worker_connection(site.stack) as connection:
        task = await person.submit("Talk a lot")
        work = await take(connection, task.id)
        page = await site.open(browser, me, f"/tasks/{task.id}")
        await page.emulate_media(reduced_motion="reduce" if motion == "reduce" else "no-preference")
        to_end = page.locator(".timeline-new")
        for _ in range(3):
            await burst(work)
            assert await end_after_all_has_come(site, page, task.id) < 2
            await expect(to_end).to_have_count(0)

        # Up by the wheel: what is read stays in its place, and what comes is counted.
        await page.locator(".timeline").hover()
        await page.mouse.wheel(0, -700)
        await expect(to_end).to_be_visible()
        assert await end_after_all_has_come(site, page, task.id) > 48
        reads = await page.evaluate(FIRST_IN_VIEW)
        await burst(work)
        await expect(to_end).to_contain_text("new")
        await end_after_all_has_come(site, page, task.id)
        assert await page.evaluate(FIRST_IN_VIEW) == reads

        await to_end.click()
        await expect(to_end).to_have_count(0)
        assert await end_after_all_has_come(site, page, task.id) < 2
        # Under a finger it holds still.
        await page.evaluate(TOUCH)
        before = await page.evaluate("document.querySelector('.timeline').scrollTop")
        await burst(work)
        assert await end_after_all_has_come(site, page, task.id) > 48
        assert await page.evaluate("document.querySelector('.timeline').scrollTop") == before
        await page.evaluate(LET_GO)
        assert await end_after_all_has_come(site, page, task.id) < 2
        # Pulled so far that what is touched is no longer drawn: it is let go of all the same.
        await page.evaluate(TOUCH)
        await page.evaluate("document.querySelector('.timeline').scrollTop = 0")
        await page.wait_for_function("() => !window.__touched.isConnected")
        await page.evaluate(LET_GO)
        await to_end.click()
        await asyncio.gather(burst(work), page.set_viewport_size({"width": 1100, "height": 600}))
        assert await end_after_all_has_come(site, page, task.id) < 2
        await expect(to_end).to_have_count(0)
        assert page.complaints == []  # type: ignore[attr-defined]
        await page.emulate_media(reduced_motion="no-preference")
        await site.leave(page)
