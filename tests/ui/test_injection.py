"""What an agent wrote is hostile: a corpus in every text that it can write stays text, on every screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from agent_runtime.person.client import Person
from tests.e2e.desk import new_person, take, worker_connection
from tests.loopback import LOOPBACK
from tests.ui.injection import ELSEWHERE, EVERYTHING, FILENAMES, TEXTS

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from agent_runtime.person.session import Session
    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRUSTED, ASKS = f"Trusted {TEXTS['script']}", f"Asks {TEXTS['script']}"
PAGE = f"<title>{TEXTS['script']}</title>{EVERYTHING}<script>fetch('{ELSEWHERE}/fetch')</script>"

BECAME_MORE = "document.querySelectorAll('main script, main style, main object, main embed, main form[action]').length"
LEADING_ASTRAY = r"""[...document.querySelectorAll('[href], [src], [action]')]
    .map(one => one.getAttribute('href') ?? one.getAttribute('src') ?? one.getAttribute('action'))
    .filter(address => /^\s*(javascript|vbscript|data:text)/i.test(address))"""


async def test_nothing_that_an_agent_wrote_becomes_more_than_text(site: Site, browser: Browser, tmp_path: Path) -> None:
    person = await new_person(site.stack, "ines")
    _make_admin_with_agents(site, person)
    task, waiting, files = await _write_everywhere(site, person, _hostile_files(tmp_path))
    page = await site.open(browser, person, "/tasks")
    asked = _requests_to_elsewhere(page, site)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    paths = ["/tasks", f"/tasks/{task}", f"/tasks/{waiting}", f"/tasks/{task}/replay", "/approvals", "/files"]
    paths += [f"/tasks/{task}/files/{file}" for file in files]
    paths += [f"/admin/{tab}" for tab in ("agents", "tools", "people", "configuration", "audit", "health")]
    for path in paths:
        await page.goto(f"{site.url}{path}")
        await expect(page.get_by_role("main").get_by_role("heading").first).to_be_visible()
        await _settled(page)
        assert await page.evaluate("[window.__injected, ({}).injected]") == [None, None], path
        assert await page.evaluate(BECAME_MORE) == 0, path
        assert await page.evaluate(LEADING_ASTRAY) == [], path
        # The page still stands, whatever was meant to hide it or to push it aside.
        await expect(page.get_by_role("navigation").first).to_be_visible()
    assert (asked, dialogs) == ([], [])
    assert page.complaints == []  # type: ignore[attr-defined]
    async with httpx.AsyncClient(**LOOPBACK) as client:
        figures = (await client.get(f"{site.url}/metrics")).text
    assert re.search(r"^\S*csp_reports\S* 0$", figures, re.MULTILINE), figures
    await page.context.close()


async def _settled(page: Page) -> None:
    """Until nothing is being fetched for the first time."""
    await expect(page.get_by_text("Loading…")).to_have_count(0)
    await expect(page.get_by_text("Reading…")).to_have_count(0)


def _make_admin_with_agents(site: Site, person: Session) -> None:
    with psycopg.connect(site.stack.database_url) as owner:
        owner.execute("update users set role = 'admin', full_name = %s where id = %s", [TEXTS["image"], person.user_id])
        owner.execute(
            "insert into agents (name, description, system_prompt, model_name, tools_enabled, standing_permissions,"
            "  tenant_id, created_by)"
            " select given.name, given.text, given.text, 'default', '{shell_exec}', given.standing, u.tenant_id, u.id"
            " from users u, (values (%(trusted)s, %(text)s, array['shell_exec']), (%(asks)s, %(text)s, '{}')) as"
            "  given (name, text, standing) where u.id = %(person)s",
            {"trusted": TRUSTED, "asks": ASKS, "text": EVERYTHING, "person": person.user_id},
        )


def _hostile_files(folder: Path) -> list[Path]:
    cell = PAGE.replace('"', "")
    contents = {"page.html": PAGE, "picture.svg": TEXTS["svg"], "table.csv": f'a,b\n"{cell}",2\n'}
    contents |= dict.fromkeys(FILENAMES[:3], PAGE)
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in contents]


async def _write_everywhere(site: Site, person: Session, given: list[Path]) -> tuple[UUID, UUID, list[str]]:
    """A finished task and one that waits, in whose every text the corpus stands; the ids of its files."""
    async with Person(person, keep=False) as client, await worker_connection(site.stack) as connection:
        task = await client.submit(EVERYTHING, given, agent=TRUSTED, title=TEXTS["image"])
        work = await take(connection, task.id)
        await work.do("plan_set", effect={"kind": "plan", "phases": list(TEXTS.values())[:8]})
        for text in TEXTS.values():
            (execution,) = await work.turn({"name": "shell_exec", "arguments": {"command": text}}, content=text)
            await work.start(execution)
            await work.finish(execution, status="failed", error=text[:400])
        await work.do("message_notify", effect={"kind": "notify", "text": EVERYTHING[:2_000]})
        await work.settle("completed", answer=EVERYTHING)
        waiting = await client.submit(TEXTS["frame"], agent=ASKS)
        work = await take(connection, waiting.id)
        await work.turn({"name": "shell_exec", "arguments": {"command": EVERYTHING}}, content=EVERYTHING)
        await work.suspend("approval")
        files = [str(file.id) for file in await client.files(task.id)]
    return task.id, waiting.id, files


def _requests_to_elsewhere(page: Page, site: Site) -> list[str]:
    """Grows with every request for a host that is not configured."""
    known = (site.url, site.stack.supabase_url, "data:", "blob:", "about:")
    found: list[str] = []
    page.context.on("request", lambda request: None if request.url.startswith(known) else found.append(request.url))
    return found
