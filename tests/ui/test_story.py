"""The web UI from beginning to end: a real worker, a real Chromium, and a model that follows a script."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from tests.conftest import StackFolder
from tests.e2e.desk import PASSWORD, new_person
from tests.ui.conftest import Site, open_site, violations_in_both_themes, watch_page

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = Path(__file__).parent / "stories" / "story.yaml"
RENTALS = Path(__file__).parents[2] / "examples" / "bike-rentals.csv"
MINUTE = 60_000


async def test_from_sign_up_to_replay(stack_folder: StackFolder, browser: Browser) -> None:
    async with open_site(await stack_folder("story"), script=SCRIPT, worker=True) as site:
        _add_an_agent_that_asks(site)
        page = await _sign_up(site, browser)

        await _give(page, "Please profile the rentals", files=[RENTALS])
        finished = page.url
        await expect(page.get_by_role("main")).to_contain_text("I look at the file first")
        await expect(page.get_by_role("main")).to_contain_text("Ran a command")
        await expect(page.get_by_text("The report is in report.md.").first).to_be_visible(timeout=MINUTE)
        await expect(page.get_by_text("Completed").first).to_be_visible()

        await _approve(site, page)
        await _edit_and_approve(site, page)
        await _deny(site, page)
        await _answer(site, page, browser)
        await _stop(site, page)

        await _replay(page, finished)
        await _look_into_the_report(page, finished)
        await _nobody_else_sees_it(site, browser, finished)
        assert page.complaints == []  # type: ignore[attr-defined]
        await page.context.close()


def _add_an_agent_that_asks(site: Site) -> None:
    with psycopg.connect(site.stack.database_url) as owner:
        owner.execute(
            "insert into agents (name, system_prompt, model_name, tools_enabled, is_public)"
            " values ('Careful', 'Ask before each command.', 'default', '{shell_exec}', true)"
        )


async def _sign_up(site: Site, browser: Browser) -> Page:
    page = await site.open(browser, None, "/tasks")
    watch_page(page)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    await page.get_by_role("button", name="Create an account").click()
    await page.get_by_label("E-mail address").fill(f"nina-{uuid.uuid4().hex[:8]}@example.org")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="No task yet")).to_be_visible()
    return page


async def _give(page: Page, prompt: str, *, agent: str | None = None, files: list[Path] | None = None) -> None:
    await page.get_by_role("link", name="Tasks").first.click()
    await page.get_by_label("What should the agent do?").fill(prompt)
    if files:
        await page.set_input_files("input[type=file]", files)
    if agent:
        await page.get_by_role("combobox", name="Agent").first.select_option(label=agent)
    await page.get_by_role("button", name="Start the task").click()
    await page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}"))


async def _open_the_call(page: Page) -> None:
    await _give(page, "Please tidy up", agent="Careful")
    await expect(page.get_by_role("button", name="Approve", exact=True).first).to_be_visible(timeout=MINUTE)


async def _approve(site: Site, page: Page) -> None:
    await _open_the_call(page)
    await page.get_by_role("button", name="Approve", exact=True).first.click()
    await _confirm(page, "Approve")
    await _ends(page, "Tidied up.")


async def _edit_and_approve(site: Site, page: Page) -> None:
    await _open_the_call(page)
    task = page.url.rsplit("/", 1)[1]
    await page.get_by_role("link", name="Approvals").first.click()
    await page.get_by_role("link", name=re.compile("Please tidy up")).first.click()
    await page.get_by_role("button", name="Edit", exact=True).click()
    command = page.get_by_label(re.compile("command", re.IGNORECASE)).first
    await command.fill("echo kept everything > tidied.txt")
    await page.get_by_role("button", name="Approve with changes").first.click()
    await _confirm(page, "Approve with changes")
    await expect(page.get_by_text("Approved").first).to_be_visible()
    await page.goto(f"{site.url}/tasks/{task}")
    await _ends(page, "Tidied up.")
    with psycopg.connect(site.stack.database_url) as owner:
        ran = owner.execute(
            "select input_parameters ->> 'command', original_parameters ->> 'command' from tool_executions e"
            " join tools t on t.id = e.tool_id where e.task_id = %s and t.name = 'shell_exec'",
            [task],
        ).fetchone()
    assert ran == ("echo kept everything > tidied.txt", "echo removed everything > tidied.txt")


async def _deny(site: Site, page: Page) -> None:
    await _open_the_call(page)
    await page.get_by_label("A word to go with it").first.fill("Leave it as it is.")
    await page.get_by_role("button", name="Deny", exact=True).first.click()
    await _confirm(page, "Deny")
    await _ends(page, "Tidied up.")
    await expect(page.get_by_text("Leave it as it is.").first).to_be_visible()


async def _confirm(page: Page, action: str) -> None:
    """Where a second word is asked for, give it."""
    dialog = page.get_by_role("dialog")
    if await dialog.count():
        await dialog.get_by_role("button", name=action, exact=True).click()


async def _answer(site: Site, page: Page, browser: Browser) -> None:
    await _give(page, "Please ask me first")
    await expect(page.get_by_text("Keep the old one or the new one?").first).to_be_visible(timeout=MINUTE)
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.get_by_text("Keep the old one or the new one?").first).to_be_visible()
    await page.get_by_label("Your answer").fill("Keep them both")
    await page.get_by_role("button", name="Send", exact=True).click()
    for each in (page, other):
        await _ends(each, "Both are kept.")
    await other.close()


async def _stop(site: Site, page: Page) -> None:
    await _give(page, "Please work for ever")
    await expect(page.get_by_text("Running a command").first).to_be_visible(timeout=MINUTE)
    await page.get_by_role("button", name="Stop", exact=True).first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("Cancelled").first).to_be_visible(timeout=MINUTE)


async def _ends(page: Page, answer: str) -> None:
    await expect(page.get_by_text(answer).first).to_be_visible(timeout=MINUTE)
    await expect(page.get_by_text("Completed").first).to_be_visible(timeout=MINUTE)


async def _replay(page: Page, task: str) -> None:
    await page.goto(f"{task}/replay")
    await expect(page.get_by_role("slider").first).to_be_visible()
    await page.keyboard.press("Home")
    await expect(page.get_by_role("main")).not_to_contain_text("Ran a command")
    for _ in range(3):
        await page.get_by_role("button", name="Next step").click()
    await expect(page).to_have_url(re.compile(r"at=\d+"))
    await expect(page.get_by_role("main")).to_contain_text("Step 2 of 4")


async def _look_into_the_report(page: Page, task: str) -> None:
    await page.goto(f"{task}/files")
    await page.get_by_role("link", name=re.compile("report.md")).first.click()
    await expect(page.get_by_role("cell", name="4920.42")).to_be_visible()
    async with page.expect_download() as download:
        await expect(page.get_by_role("button", name="Download", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Download", exact=True).click()
    saved = await (await download.value).path()
    assert saved.read_text().startswith("# Rentals")


async def _nobody_else_sees_it(site: Site, browser: Browser, task: str) -> None:
    page = await site.open(browser, await new_person(site.stack), "/tasks")
    await expect(page.get_by_role("heading", name="No task yet")).to_be_visible()
    for path in ("", "/replay", "/files"):
        await page.goto(f"{task}{path}")
        await expect(page.get_by_role("main")).to_contain_text(re.compile("Not here|no such|not here"))
        assert "rentals" not in (await page.get_by_role("main").inner_text()).lower()
    await page.context.close()
