"""Sessions of the shell and Python in a real run: as the workbench shows them, and what is said when they ended."""

from __future__ import annotations

import importlib.util
import uuid
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, expect

from agent_runtime.person.client import Person
from tests.conftest import StackFolder
from tests.e2e.desk import new_person
from tests.ui.conftest import Site, open_site, violations_in_both_themes

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = Path(__file__).parent / "stories" / "terminals.yaml"
MINUTE = 60_000
DRAWS = importlib.util.find_spec("matplotlib") is not None


async def test_what_stays_open_between_calls_is_seen_and_its_end_is_told(
    stack_folder: StackFolder, browser: Browser
) -> None:
    async with open_site(await stack_folder("terminals"), script=SCRIPT, worker=True) as site:
        me = await new_person(site.stack)
        async with Person(me, keep=False) as person:
            task = await person.submit("Please keep things open")
            page = await site.open(browser, me, f"/tasks/{task.id}")
            lines = page.get_by_role("region", name="Timeline", exact=True)
            bench = page.get_by_role("region", name="Workbench", exact=True)
            await expect(page.get_by_text("Shall I go on?").first).to_be_visible(timeout=2 * MINUTE)

            await lines.get_by_role("button", name="Ran a command build").click()
            await expect(bench.get_by_text("terminal build", exact=True)).to_be_visible()
            await expect(bench.get_by_text("seems to wait for input")).to_be_visible()
            await expect(bench.locator("pre.output")).to_have_text("building\nInstall it? [y/N]")
            assert await violations_in_both_themes(page) == []
            await lines.get_by_role("button", name="Typed into the terminal build").click()
            await expect(bench.locator(".terminal-command pre")).to_have_text("› y")
            await expect(bench.get_by_text("still running")).to_be_visible()
            await lines.get_by_role("button", name="Ran Python").first.click()
            await expect(bench.get_by_text("[1, 1, 3, 4, 5, 9]")).to_be_visible()
            if DRAWS:
                await expect(bench.get_by_role("img").last).to_be_visible()
            assert await violations_in_both_themes(page) == []
            await lines.get_by_role("button", name="Running Python").last.click()
            await expect(bench.get_by_text("IndexError: list index out of range").last).to_be_visible()

            await person.answer(task.id, "yes, go on")
            await expect(page.get_by_text("Done with both.").first).to_be_visible(timeout=MINUTE)
        gone, anew = _said(site, task.id)[-3:-1]
        assert gone.startswith("The session build is gone: sessions end when their task waits")
        assert "`echo building; read -p" in gone
        assert anew.startswith("This is a new interpreter")
        assert page.complaints == []  # type: ignore[attr-defined]
        await page.context.close()


def _said(site: Site, task: uuid.UUID) -> list[str]:
    """What the model read of its calls, in order."""
    with psycopg.connect(site.stack.database_url) as owner:
        rows = owner.execute(
            "select content from messages where task_id = %s and role = 'tool' order by seq", [task]
        ).fetchall()
    return [row[0] for row in rows]
