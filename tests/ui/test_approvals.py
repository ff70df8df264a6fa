"""Deciding about calls in a browser: seen whole, decided once, nothing typed lost, nothing gone under the reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.ui.conftest import PHONE, go, violations, violations_in_both_themes
from tests.ui.injection import EVERYTHING, TEXTS
from tests.ui.team import a_tool, calls_of, owner, status, team_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = "set -e\nrm -rf build\n\techo done"


async def look_again(page: Page) -> None:
    """As when somebody comes back to the tab: what is shown is asked for again."""
    await page.evaluate("window.dispatchEvent(new Event('visibilitychange'))")


async def test_a_call_is_approved_edited_denied_and_settled(site: Site, browser: Browser) -> None:
    stack = site.stack
    _, ana = await team_of(stack, "user")
    tool = a_tool(stack)
    async with calls_of(stack, ana, tool) as waits:
        first = await waits("Clean up", {"command": SCRIPT, "timeout_seconds": 5}, "It is **full**.")
        second = await waits("Edit me", {"command": "ls", "tags": ["a"]})
        third = await waits("Deny me", {"command": "reboot"})
        fourth = await waits("Doubt", {"command": "pay"}, in_doubt=True)
        late = await waits("Too late", {"command": "late"})

    page = await site.open(browser, ana, "/approvals")
    listed = page.get_by_role("navigation", name="Calls that wait for you")
    await expect(listed.get_by_role("link")).to_have_count(5)
    await listed.get_by_role("link", name="Clean up").click()
    one = page.get_by_role("article")
    await expect(one.get_by_label("command", exact=True)).to_have_text(SCRIPT)
    await expect(one.get_by_text("Expires in 23 h")).to_be_visible()
    await expect(one.locator("strong", has_text="full")).to_be_visible()
    await one.get_by_role("radio", name="As JSON").click()
    await expect(one.get_by_text('"timeout_seconds": 5')).to_be_visible()
    assert await violations_in_both_themes(page) == []

    # A key alone decides nothing; and it can be thought better of.
    await one.get_by_role("button", name="Approve").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Approve Run a command?")
    await page.keyboard.press("Escape")
    assert status(stack, first.execution) == "awaiting_approval"

    # Nothing typed is lost where there is no network, nor by a reload.
    await one.get_by_label("A word to go with it").fill("go ahead")
    await page.context.set_offline(True)
    await one.get_by_role("button", name="Approve").click()
    await expect(one.get_by_role("alert")).to_contain_text("No connection")
    await page.context.set_offline(False)
    await page.reload()
    await expect(one.get_by_label("A word to go with it")).to_have_value("go ahead")
    await one.get_by_role("button", name="Approve").click()
    await expect(one.get_by_text("You approved")).to_be_visible()
    await expect(one.get_by_text("go ahead")).to_be_visible()
    assert status(stack, first.execution) == "pending"
    # It stays in the list until the reader tidies up.
    await expect(listed.get_by_role("link", name="Clean up")).to_contain_text("Waits no more")

    await listed.get_by_role("link", name="Edit me").click()
    await one.get_by_role("button", name="Edit").click()
    await one.get_by_role("textbox", name="timeout_seconds").fill("9000")
    await one.get_by_role("textbox", name="command").fill("ls -la")
    await expect(one.get_by_text("At most 600.")).to_be_visible()
    await one.get_by_role("button", name="Approve with changes").click()
    assert status(stack, second.execution) == "awaiting_approval"
    await one.get_by_role("textbox", name="environment").fill('{"HOME": ')
    await one.get_by_role("radio", name="As JSON").click()
    await expect(one.get_by_role("alert").filter(has_text="nothing that you typed is lost")).to_be_visible()
    await expect(one.get_by_role("textbox", name="environment")).to_have_value('{"HOME": ')
    await one.get_by_role("textbox", name="environment").fill('{"HOME": "/tmp"}')
    await one.get_by_role("textbox", name="timeout_seconds").fill("90")
    assert await violations_in_both_themes(page) == []
    await one.get_by_role("radio", name="As JSON").click()
    await expect(one.get_by_role("textbox", name="What would run")).to_have_value(
        '{\n  "tags": [\n    "a"\n  ],\n  "command": "ls -la",\n  "timeout_seconds": 90,\n'
        '  "environment": {\n    "HOME": "/tmp"\n  }\n}'
    )
    await one.get_by_role("button", name="Approve with changes").click()
    await expect(one.get_by_text("You approved")).to_be_visible()
    with owner(stack) as connection:
        row = connection.execute(
            "select input_parameters, original_parameters from tool_executions where id = %s", [second.execution]
        ).fetchone()
    assert row == (
        {"command": "ls -la", "tags": ["a"], "timeout_seconds": 90, "environment": {"HOME": "/tmp"}},
        {"command": "ls", "tags": ["a"]},
    )

    await go(page, f"/approvals/{third.execution}")
    await one.get_by_label("A word to go with it").fill("not on this machine")
    await one.get_by_role("button", name="Deny").click()
    await expect(one.get_by_text("Denied. It did not run.")).to_be_visible()
    assert status(stack, third.execution) == "denied"

    await go(page, f"/approvals/{fourth.execution}")
    await expect(one.get_by_text("Nobody knows whether it took effect")).to_be_visible()
    await one.get_by_label("What you found").fill("invoice 812")
    assert await violations(page) == []
    await one.get_by_role("button", name="It happened").click()
    await expect(one.get_by_text("You said that it happened")).to_be_visible()
    assert status(stack, fourth.execution) == "completed"

    # The time is over: first by the clock, then on record.
    await go(page, f"/approvals/{late.execution}")
    await one.get_by_label("A word to go with it").fill("kept")
    with owner(stack) as connection:
        connection.execute(
            "update tool_executions set approval_expires_at = now() - interval '1 second' where id = %s",
            [late.execution],
        )
    await look_again(page)
    await expect(one.get_by_text("The time to decide is over")).to_be_visible()
    await one.get_by_role("button", name="Approve").click()
    await expect(one.get_by_role("alert")).to_contain_text("is over")
    await expect(one.get_by_label("A word to go with it")).to_have_value("kept")
    with owner(stack) as connection:
        connection.execute("select private.expire_approvals(100)")
    await look_again(page)
    await expect(one.get_by_text("nobody decided in time")).to_be_visible()
    await expect(one.get_by_text("kept")).to_be_visible()
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)


async def test_two_people_decide_and_see_each_other(site: Site, browser: Browser) -> None:
    stack = site.stack
    bea, ana, vera, carl = await team_of(stack, "user", "viewer", "user")
    tool = a_tool(stack, approvals=2)
    async with calls_of(stack, ana, tool) as waits:
        call = await waits("Two of us", {"command": "pay 10"})
        other = await waits("Stop me", {"command": "pay 20"})

    mine = await site.open(browser, ana, f"/approvals/{call.execution}")
    hers = await site.open(browser, bea, f"/approvals/{call.execution}")
    my_call, her_call = mine.get_by_role("article"), hers.get_by_role("article")
    await expect(her_call.get_by_text("0 of 2 approvals")).to_be_visible()
    await my_call.get_by_role("button", name="Approve").click()
    await expect(my_call.get_by_text("It needs another person, too.")).to_be_visible()
    await expect(my_call.get_by_role("button", name="Approve")).to_have_count(0)
    await look_again(hers)
    await expect(her_call.get_by_text("1 of 2 approvals")).to_be_visible()
    await expect(her_call.get_by_role("button", name="Stop the task")).to_be_disabled()

    # What one edits, the other has to look at before approving it.
    await her_call.get_by_role("button", name="Edit").click()
    await her_call.get_by_role("textbox", name="command").fill("pay 5")
    await her_call.get_by_role("button", name="Approve with changes").click()
    await expect(her_call.get_by_text("You approved. It needs another person, too.")).to_be_visible()
    await expect(her_call.get_by_text("Somebody changed the arguments")).to_have_count(0)
    await look_again(mine)
    await expect(my_call.get_by_text("Somebody changed the arguments while you read them")).to_be_visible()
    await expect(my_call.get_by_text("of earlier arguments: does not count")).to_be_visible()
    await expect(my_call.get_by_role("button", name="Approve")).to_be_disabled()
    assert await violations_in_both_themes(mine) == []
    await my_call.get_by_role("button", name="I looked at them").click()
    await my_call.get_by_role("button", name="Approve").click()
    await expect(my_call.get_by_text("Approved. It runs as soon as a worker takes it.")).to_be_visible()
    await look_again(hers)
    await expect(her_call.get_by_text("Approved. It runs as soon as a worker takes it.")).to_be_visible()

    # Decided by somebody else while one types: it says so, and keeps what was typed.
    await go(mine, f"/approvals/{other.execution}")
    await my_call.get_by_label("A word to go with it").fill("half a thou")
    async with calls_of(stack, ana, tool) as waits:
        await waits("A newcomer", {"command": "pay 30"})
    await go(hers, f"/approvals/{other.execution}")
    await her_call.get_by_role("button", name="Deny").click()
    await expect(her_call.get_by_text("You denied")).to_be_visible()
    await look_again(mine)
    await expect(my_call.get_by_text("Denied. It did not run.")).to_be_visible()
    await expect(my_call.get_by_text("half a thou")).to_be_visible()
    # The list keeps its order: what is gone is marked, what is new comes last.
    lines = mine.get_by_role("navigation", name="Calls that wait for you").get_by_role("link")
    await expect(lines.filter(has_text="Stop me")).to_contain_text("Waits no more")
    await expect(lines.last).to_contain_text("A newcomer")
    await mine.get_by_role("button", name="Take decided ones off the list").click()
    await expect(lines).to_have_count(1)

    await lines.last.click()
    await my_call.get_by_role("button", name="Stop the task").click()
    await mine.get_by_role("dialog").get_by_role("button", name="Stop the task").click()
    await expect(my_call.get_by_text("Its task was stopped. It did not run.")).to_be_visible()

    # Whom it is no business of sees nothing, also by its address.
    for nobody, path, words in (
        (vera, "/approvals", "Viewers decide about no calls"),
        (carl, "/approvals", "Nothing waits for you"),
        (carl, f"/approvals/{call.execution}", "Not here"),
    ):
        theirs = await site.open(browser, nobody, path)
        await expect(theirs.get_by_text(words)).to_be_visible()
        assert await violations(theirs) == []
        await site.leave(theirs)
    for page in (mine, hers):
        assert page.complaints == []  # type: ignore[attr-defined]
        await site.leave(page)


async def test_what_an_agent_writes_is_text_and_hides_nothing(site: Site, browser: Browser) -> None:
    stack = site.stack
    (ana,) = await team_of(stack)
    hostile = {key: text.replace("\x00", "") for key, text in TEXTS.items()}
    tool = a_tool(stack, display_name=TEXTS["image"][:200], description=EVERYTHING)
    async with calls_of(stack, ana, tool) as waits:
        call = await waits(
            TEXTS["turned"], {"command": EVERYTHING, "tags": list(hostile.values()), "folder": None}, EVERYTHING
        )
    # It goes out of a task that has read something from outside, and where to is what the outside says.
    gate = {
        "destinations": [TEXTS["turned"], "x" * 200],
        "sources": [{"source": text, "tool": "t", "step": 1} for text in hostile.values()],
    }
    with owner(stack) as connection:
        connection.execute(
            "update tool_executions set gate = %s where id = %s", [json.dumps(gate), str(call.execution)]
        )
    asked: list[str] = []
    page = await site.open(browser, ana, f"/approvals/{call.execution}", viewport=PHONE, language="es-ES")
    page.on("request", lambda request: asked.append(request.url))
    one = page.get_by_role("article")
    reach = one.locator(".banner", has_text="Esta tarea ha leído algo de fuera")
    goes = reach.locator(".decide-reach", has_text="Esta llamada llegaría a:")
    await expect(goes.get_by_role("listitem")).to_have_count(2)
    await expect(goes).to_contain_text("U+202E")
    command = one.get_by_label("command", exact=True)
    await expect(command).to_contain_text("U+202E")
    await expect(command).to_contain_text("<script>window.__injected = true</script>")
    await one.get_by_role("button", name="Modificar").click()
    await one.get_by_role("textbox", name="command").fill(EVERYTHING + TEXTS["form"])
    await expect(one.get_by_role("button", name="Aprobar con cambios")).to_be_visible()
    await one.get_by_label("Unas palabras al respecto").fill(EVERYTHING)
    assert await violations_in_both_themes(page) == []
    await one.get_by_role("button", name="Denegar").click()
    await expect(one.get_by_text("Denegada. No se ejecutó.")).to_be_visible()
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0
    assert await page.evaluate("[window.__injected, {}.injected].every((mark) => mark === undefined)")
    assert not [url for url in asked if "attacker" in url]
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)
