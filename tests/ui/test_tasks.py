"""Screen 1 in a browser: giving tasks with files, the list and what it says of the runtime."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from playwright.async_api import expect
from psycopg.rows import dict_row

from agent_runtime.person.client import Person
from tests.e2e.desk import a_tool_that_asks, new_person, take, worker_connection
from tests.ui.conftest import DESKTOP, PHONE, no_wider, violations_in_both_themes
from tests.ui.injection import EVERYTHING, FILENAMES, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Browser, FilePayload, Page, Route

    from agent_runtime.person.session import Session
    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Several tests share two processors.

CSV = b"city,rentals\nMadrid,12\nMadrid,30\n"
PROMPT = "What should the agent do?"


@contextmanager
def owner(site: Site) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """The database's owner, who may change anything."""
    with psycopg.connect(site.stack.database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def stored_tasks(site: Site, person: Session) -> list[dict[str, Any]]:
    with owner(site) as connection:
        return connection.execute(
            "select t.* from tasks t where t.user_id = %s order by t.created_at", [person.user_id]
        ).fetchall()


def payload(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": content}


def attached(page: Page, name: str) -> Any:
    return page.get_by_role("list", name="Files of the new task").get_by_role("listitem").filter(has_text=name)


async def test_a_task_is_given_with_its_files_and_is_in_the_list(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack)
    page = await site.open(browser, person)
    await expect(page.get_by_role("heading", name="No task yet")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    await page.get_by_role("button", name="Look into a table").click()
    prompt = page.get_by_label(PROMPT)
    await expect(prompt).to_have_value(re.compile("CSV"))
    await expect(prompt).to_be_focused()

    # Picked, dropped and pasted; two that some file systems take for one; one that tries to be more than a name.
    await page.set_input_files(
        "input[type=file]",
        [
            payload("rentals.csv", CSV),
            payload(FILENAMES[0], b"# hello\n"),
        ],
    )
    await expect(attached(page, "rentals.csv").get_by_text("Uploaded")).to_be_visible()
    await give_by_event(page, "drop", "RENTALS.csv", "other\n")
    await expect(attached(page, "RENTALS-2.csv").get_by_text("Uploaded")).to_be_visible()
    await page.set_viewport_size(PHONE)
    await give_by_event(page, "paste", "n" * 180 + ".txt", "")
    await expect(attached(page, "nnn").get_by_text("Uploaded")).to_be_visible()
    await no_wider(page)
    await page.set_viewport_size(DESKTOP)
    await page.get_by_role("button", name="Take nnn").click()
    await give_by_event(page, "paste", "empty.txt", "")
    await expect(attached(page, "empty.txt").get_by_text("Uploaded")).to_be_visible()
    await page.get_by_role("button", name="Take empty.txt off").click()

    # All of it outlives the page.
    await page.get_by_role("button", name="Options").click()
    await page.get_by_label("Title").fill("Look at this")
    await page.get_by_label("Priority").select_option("3")
    await page.get_by_label("Steps").fill("none")
    assert await violations_in_both_themes(page) == []
    await page.reload()
    await expect(attached(page, "RENTALS-2.csv").get_by_text("Uploaded")).to_be_visible()
    await expect(attached(page, "empty.txt")).to_have_count(0)
    await prompt.press("Control+Enter")
    await expect(page.get_by_text("A number above 0")).to_be_visible()
    assert stored_tasks(site, person) == []
    await page.get_by_label("Steps").fill("20")
    await prompt.press("Control+Enter")
    await page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}$"))

    (task,) = stored_tasks(site, person)
    assert page.url.endswith(str(task["id"]))
    assert (task["title"], task["priority"], task["limits"]) == ("Look at this", 3, {"steps": 20})
    async with Person(person, keep=False) as client:
        files = {file.filename: file for file in await client.files(task["id"])}
        assert set(files) == {"rentals.csv", "RENTALS-2.csv", FILENAMES[0]}
        into = io.BytesIO()
        await client.download(files["rentals.csv"], into)
    assert into.getvalue() == CSV
    assert files["rentals.csv"].file_hash == hashlib.sha256(CSV).hexdigest()

    await page.goto(f"{site.url}/tasks")
    row = page.get_by_role("listitem").filter(has_text="Look at this")
    await expect(row).to_contain_text("3 files")
    await expect(row).to_contain_text("Priority 3")
    await expect(prompt).to_have_value("")
    await page.set_viewport_size(PHONE)
    await no_wider(page)
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)


async def give_by_event(page: Page, event: str, name: str, text: str) -> None:
    """Drop a file on the page, or paste it into the description."""
    await page.evaluate(
        """([kind, name, text]) => {
          const data = new DataTransfer()
          data.items.add(new File([text], name, {type: 'text/plain'}))
          const event = kind === 'drop'
            ? new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})
            : new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
          document.querySelector('#new-task-prompt').dispatchEvent(event)
        }""",
        [event, name, text],
    )


async def test_a_cut_loses_nothing_and_makes_no_second_task(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack)
    with owner(site) as connection:
        connection.execute("update system_config set config_value = '1000' where config_key = 'file_upload_max_size'")
    try:
        page = await site.open(browser, person, "/tasks?new=1&agent=Asistente General&prompt=Count the words")
        prompt = page.get_by_label(PROMPT)
        await expect(prompt).to_have_value("Count the words")
        await expect(page).to_have_url(f"{site.url}/tasks")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if "/storage/" in request.url else None)
        await page.set_input_files("input[type=file]", payload("large.bin", b"x" * 1001))
        await expect(attached(page, "large.bin")).to_contain_text("Over the limit of 1 kB")
        assert sent == []
    finally:
        with owner(site) as connection:
            connection.execute(
                "update system_config set config_value = '104857600' where config_key = 'file_upload_max_size'"
            )
    await page.get_by_role("button", name="Start the task").click()
    await expect(page.get_by_text("Not all files are up")).to_be_visible()
    await page.get_by_role("button", name="Take large.bin off").click()

    # The upload is cut: that file alone is tried again.
    storage = re.compile(r"/storage/v1/object/")
    await page.route(storage, lambda route: route.abort())
    await page.set_input_files("input[type=file]", payload("words.txt", b"a b"))
    await expect(attached(page, "words.txt")).to_contain_text("The service does not answer")
    assert await violations_in_both_themes(page) == []
    await page.unroute(storage)
    # Its bytes arrive, and the answer does not: the next try finds them.
    lost = Lost()
    await page.route(storage, lost.answer)
    await page.get_by_role("button", name="Try words.txt again").click()
    await expect(attached(page, "words.txt")).to_contain_text("The service does not answer")
    await page.unroute(storage)
    await page.get_by_role("button", name="Try words.txt again").click()
    await expect(attached(page, "words.txt")).to_contain_text("Uploaded")

    # The task is filed, and the answers of both tries are lost.
    submit = re.compile(r"/rpc/submit_task")
    await page.route(submit, lost.answer)
    await page.get_by_role("button", name="Start the task").click()
    await expect(page.get_by_text("The service does not answer")).to_be_visible()
    await page.unroute(submit)
    assert len(stored_tasks(site, person)) == 1
    await expect(prompt).to_have_value("Count the words")
    # Something else was typed meanwhile: it is not answered with the task that is there.
    await prompt.fill("Count the letters")
    await page.get_by_role("button", name="Start the task").click()
    await expect(page.get_by_role("link", name="Open that task")).to_have_attribute(
        "href", f"/tasks/{stored_tasks(site, person)[0]['id']}"
    )
    await expect(attached(page, "words.txt")).to_contain_text("Uploaded")
    await page.get_by_role("button", name="Start the task").click()
    await page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}$"))
    first, second = stored_tasks(site, person)
    assert [first["description"], second["description"]] == ["Count the words", "Count the letters"]
    with owner(site) as connection:
        paths = connection.execute(
            "select task_id, file_path from files where task_id = any(%s)", [[first["id"], second["id"]]]
        )
        assert {str(row["task_id"]) in row["file_path"] for row in paths} == {True}
    await site.leave(page)


class Lost:
    """The request goes through; its answer does not come back."""

    async def answer(self, route: Route) -> None:
        if route.request.method == "POST":
            await route.fetch()
        await route.abort()


async def test_the_list_filters_pages_acts_and_follows(site: Site, browser: Browser) -> None:
    ana, other = await new_person(site.stack, "ana"), await new_person(site.stack, "other")
    asks = a_tool_that_asks(site.stack)
    with owner(site) as connection, connection.transaction():
        # Fifty-one at one moment: the page ends among equals.
        connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": ana.user_id})])
        connection.execute("set local role authenticated")
        connection.execute(
            "select count(submit_task('Task ' || n, p_run_after => '2100-01-01')) from generate_series(1, 51) n"
        )
    async with Person(ana, keep=False) as client:
        waits = await client.submit(f"Delete old exports {EVERYTHING}", agent=asks, title=TEXTS["image"] + TEXTS["svg"])
        held = await client.submit("Write the minutes")
    page = await site.open(browser, ana)
    await expect(page.get_by_role("listitem")).to_have_count(50)
    await page.get_by_role("button", name="Show more").click()
    await expect(page.get_by_role("listitem")).to_have_count(53)
    assert len(set(await page.locator(".item-title").evaluate_all("all => all.map(one => one.href)"))) == 53

    # What happens is seen without a reload.
    row = page.locator(f'li:has(a[href="/tasks/{waits.id}"])')
    async with await worker_connection(site.stack) as work:
        led = await take(work, waits.id)
        await led.turn({"name": asks, "arguments": {"command": "rm"}})
        await led.suspend("approval")
    await expect(row).to_contain_text("Waiting for approval")
    await expect(row.get_by_role("link", name="Decide")).to_have_attribute("href", "/approvals")
    assert await page.evaluate("window.__injected") is None

    row = page.locator(f'li:has(a[href="/tasks/{held.id}"])')
    await row.get_by_role("button").click()
    await page.get_by_role("menuitem", name="Pause").click()
    await expect(row).to_contain_text("Paused")
    await row.get_by_role("button").click()
    await page.get_by_role("menuitem", name="Go on").click()
    await expect(row).to_contain_text("Pending")
    await row.get_by_role("button").click()
    await page.get_by_role("menuitem", name="Stop…").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Write the minutes")
    await page.get_by_role("button", name="Stop the task").click()
    await expect(row).to_contain_text("Cancelled")
    await row.get_by_role("button").click()
    await page.get_by_role("menuitem", name="Replay").click()
    await page.wait_for_url(f"**/tasks/{held.id}/replay")

    # The address is the list.
    await page.goto(f"{site.url}/tasks?status=cancelled&q=minutes&agent=nonsense")
    await expect(page.get_by_role("listitem")).to_have_count(1)
    await expect(page.get_by_label("Search tasks")).to_have_value("minutes")
    await page.get_by_label("Status").select_option("open")
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    await expect(page).to_have_url(f"{site.url}/tasks?q=minutes&status=open")
    await page.get_by_role("search").get_by_role("button", name="Clear filters").click()
    await page.get_by_label("Search tasks").fill('"delete old"')
    await expect(page.get_by_role("listitem")).to_have_count(1)
    await page.set_viewport_size(PHONE)
    await no_wider(page)
    assert await violations_in_both_themes(page) == []
    await page.get_by_role("listitem").get_by_role("button").click()
    await page.get_by_role("menuitem", name="Stop…").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)

    # Somebody else sees none of it; as a viewer of the same team what is shared alone, and no form.
    page = await site.open(browser, other)
    await expect(page.get_by_role("heading", name="No task yet")).to_be_visible()
    with owner(site) as connection:
        connection.execute(
            "update users v set role = 'viewer', tenant_id = u.tenant_id from users u where u.id = %s and v.id = %s",
            [ana.user_id, other.user_id],
        )
        connection.execute("update conversations set is_shared = true where id = %s", [waits.conversation_id])
    await page.reload()
    await expect(page.get_by_text("you are a viewer")).to_be_visible()
    await expect(page.get_by_role("listitem")).to_have_count(1)
    await expect(page.get_by_label(PROMPT)).to_have_count(0)
    await page.get_by_role("listitem").get_by_role("button").click()
    await expect(page.get_by_role("menuitem")).to_have_count(2)
    await site.leave(page)


async def test_why_nothing_moves_is_said_with_the_remedy(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack)
    worker = uuid.uuid4()
    healths = {
        "The model server does not answer.": {"reachable": False},
        "The model server does not have": {"reachable": True, "models": ["other:1b"]},
        "The model is a stand-in.": {"reachable": True, "stand_in": True, "models": []},
    }
    with owner(site) as connection:
        connection.execute("update workers set stopped_at = now() where stopped_at is null")
        page = await site.open(browser, person)
        await expect(page.get_by_text("No worker is running.")).to_be_visible()
        await expect(page.get_by_text("agent-runtime run")).to_be_visible()
        assert await violations_in_both_themes(page) == []
        async with await worker_connection(site.stack) as work:
            await work.execute("select worker_register(%s, 'test', 1, '0', 1, 2)", [worker])
            for said, health in healths.items():
                await work.execute("select worker_report(%s, %s)", [worker, json.dumps(health)])
                await page.reload()
                await expect(page.get_by_text(said)).to_be_visible()
            assert await violations_in_both_themes(page) == []
        connection.execute("update workers set stopped_at = now() where id = %s", [worker])
    await site.leave(page)


async def test_a_file_added_a_moment_before_goes_along(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack)
    page = await site.open(browser, person, "/account")
    sent = asyncio.Event()

    async def late(route: Route) -> None:
        await sent.wait()
        await route.continue_()

    await page.route("**/rest/v1/system_config?*file_upload_max_size*", late)
    await page.get_by_role("link", name="Tasks").first.click()
    await page.get_by_label(PROMPT).fill("Look at it")
    await page.set_input_files("input[type=file]", {"name": "a.csv", "mimeType": "text/csv", "buffer": CSV})
    await page.get_by_role("button", name="Start the task").click()
    await expect(
        page.get_by_text("Starts when the files are up…").or_(page.locator("[aria-busy=true]")).first
    ).to_be_visible()
    sent.set()
    await page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}$"))
    (task,) = stored_tasks(site, person)
    async with Person(person, keep=False) as client:
        assert [file.filename for file in await client.files(task["id"])] == ["a.csv"]
    await site.leave(page)
