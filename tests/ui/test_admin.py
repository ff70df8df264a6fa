"""Admin in a browser: changed by who may, told to others who could; nothing typed lost, nothing written over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from agent_runtime.audit.file import verify_file
from tests.ui.conftest import PHONE, go, violations, violations_in_both_themes
from tests.ui.injection import EVERYTHING, TEXTS
from tests.ui.team import a_tool, owner, team_of

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAME = TEXTS["image"][:200]


async def said(page: Page, words: str) -> None:
    """A notice says so."""
    await expect(page.locator(".notice").filter(has_text=words).first).to_be_visible()


async def overhang(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    return int(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


async def test_an_operator_changes_agents_and_tools(site: Site, browser: Browser) -> None:
    stack = site.stack
    (ana,) = await team_of(stack, operator=True)
    tool = a_tool(stack, description=EVERYTHING.replace("\x00", ""), display_name="Pay")
    page = await site.open(browser, ana, "/admin")
    panel = page.get_by_role("tabpanel")
    await expect(panel.get_by_role("link", name="Asistente General")).to_be_visible()
    assert await violations_in_both_themes(page) == []

    await panel.get_by_role("link", name="New agent").click()
    await panel.get_by_role("button", name="Make the agent").click()
    await expect(panel.get_by_text("This is needed.")).to_have_count(2)
    await panel.get_by_label("Name").fill(NAME)
    await panel.get_by_label("System prompt").fill("Pay what is asked.")
    await panel.get_by_role("checkbox", name=f"Pay {tool}").check()
    await page.reload()
    await expect(panel.get_by_label("Name")).to_have_value(NAME)
    await panel.get_by_role("button", name="Make the agent").click()
    await said(page, "Made: ")
    await expect(panel.get_by_role("heading", name=NAME)).to_be_visible()
    agent = page.url.rsplit("/", 1)[1]

    # What the database refuses is said in its words, and stays as it was typed.
    await panel.get_by_label("Temperature").fill("9")
    await panel.get_by_label("Steps").fill("20")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.get_by_role("alert")).to_contain_text("temperature 9.00 is not between 0 and 2")
    await panel.get_by_label("Temperature").fill("0.2")
    await expect(panel.get_by_text("Not saved yet: Temperature, Other configuration")).to_be_visible()
    await panel.get_by_role("button", name="Save").click()
    await said(page, "Saved: Temperature")

    # Where it may send without asking: what is typed and not added is not lost in a save.
    await panel.get_by_role("checkbox", name="http_request").check()
    sending = panel.get_by_role("group", name="May send without asking")
    await sending.get_by_label("Destination").fill("*.org")
    await panel.get_by_role("button", name="Save").click()
    await expect(sending.get_by_role("alert")).to_contain_text("This is not added yet.")
    await sending.get_by_label("Destination").press("Enter")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.get_by_role("alert")).to_contain_text("a pattern is *.host or *@host")
    await sending.get_by_role("button", name="Remove: http_request to *.org").press("Enter")
    await expect(sending).to_be_focused()
    await sending.get_by_label("Destination").fill("named by the person")
    await sending.get_by_role("checkbox", name="body", exact=True).check()
    await sending.get_by_role("button", name="Add permission").click()
    await expect(sending.get_by_role("listitem")).to_contain_text("only as the person wrote them: body")
    await panel.get_by_role("button", name="Save").click()
    await said(page, "Saved: Tools, May send without asking")

    # Somebody else was there meanwhile.
    await panel.get_by_label("Description").fill("Pays.")
    with owner(stack) as connection:
        connection.execute("update agents set system_prompt = %s where id = %s", [TEXTS["script"], agent])
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.get_by_text("Somebody else changed this meanwhile").first).to_be_visible()
    await expect(panel.get_by_text(TEXTS["script"]).first).to_be_visible()
    assert await violations_in_both_themes(page) == []
    await expect(panel.get_by_label("Description")).to_have_value("Pays.")
    await panel.get_by_role("button", name="Take theirs").click()
    await expect(panel.get_by_label("System prompt")).to_have_value(TEXTS["script"])
    await panel.get_by_label("Description").fill("Pays.")
    await panel.get_by_role("switch", name="Active").click()
    await panel.get_by_role("button", name="Save").click()
    await said(page, "Saved: Description, Active")
    with owner(stack) as connection:
        row = connection.execute(
            "select system_prompt, description, is_active, temperature::float, configuration, tools_enabled,"
            " outward_permissions from agents where id = %s",
            [agent],
        ).fetchone()
    permitted = {"tool": "http_request", "destination": "named by the person", "bound": ["body"]}
    assert row == (
        TEXTS["script"], "Pays.", False, 0.2, {"limits": {"steps": 20}}, [tool, "http_request"], [permitted],
    )  # fmt: skip
    await panel.get_by_role("button", name="Copy").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Payer two")
    await page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    await expect(panel.get_by_role("heading", name="Payer two")).to_be_visible()
    tried = await panel.get_by_role("link", name="Try").get_attribute("href")
    assert tried == "/tasks?new=1&agent=Payer%20two"

    await go(page, f"/admin/tools/{tool}")
    await panel.get_by_label("Time per call, in seconds").fill("0")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.get_by_role("alert")).to_contain_text("timeout_seconds 0 is not between 1 and 86400")
    await panel.get_by_label("Time per call, in seconds").fill("30")
    await panel.get_by_label("Approvals needed").fill("2")
    await panel.get_by_role("button", name="Save").click()
    await said(page, "Saved: Approvals needed, Time per call, in seconds")
    await panel.get_by_role("button", name="Run it once").click()
    await expect(panel.get_by_text("This is needed.", exact=True)).to_be_visible()
    await panel.get_by_label("command").fill("1 EUR")
    await panel.get_by_role("button", name="Run it once").click()
    await expect(panel.get_by_role("link", name="Open the task of the trial")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    assert await page.evaluate("[window.__injected, {}.injected].every((mark) => mark === undefined)")
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)


async def test_an_admin_governs_people_settings_and_the_record(site: Site, browser: Browser, tmp_path: Path) -> None:
    stack = site.stack
    ana, ben = await team_of(stack, "user", operator=True)
    page = await site.open(browser, ana, "/admin/people")
    panel = page.get_by_role("tabpanel")
    await panel.get_by_label(f"Role of {ben.email}").select_option("viewer")
    await said(page, f"{ben.email} is now: Viewer")
    await panel.get_by_label(f"Role of {ana.email}").select_option("user")
    await expect(panel.get_by_role("alert")).to_contain_text("is the last admin of")
    await panel.get_by_role("button", name=f"Actions for {ben.email}").click()
    await page.get_by_role("menuitem", name="Deactivate").click()
    await page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    await said(page, f"{ben.email} is deactivated")
    await panel.get_by_label("E-mail address").fill("carl@example.org")
    await panel.get_by_role("button", name="Invite").click()
    await said(page, "carl@example.org is invited")
    assert await violations_in_both_themes(page) == []
    await panel.get_by_role("button", name="Revoke").click()
    await said(page, "The invitation of carl@example.org is revoked")
    await panel.get_by_role("button", name="Rename").click()
    await page.get_by_role("dialog").get_by_label("Name").fill(TEXTS["script"])
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(panel.get_by_role("heading", name=TEXTS["script"])).to_be_visible()

    await page.get_by_role("tab", name="Configuration").click()
    history = panel.get_by_label("Messages that a model is shown")
    await history.fill("many")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.get_by_text("This is not JSON.")).to_be_visible()
    await history.fill("0")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.get_by_role("alert")).to_contain_text("is not a whole number from 1 to 10000")
    # The whole stack's, so that it stays what it was.
    await history.fill("100")
    await panel.get_by_role("button", name="Save").click()
    await said(page, "Saved: Messages that a model is shown")
    await panel.get_by_role("searchbox", name="Find a team").fill(TEXTS["script"])
    await expect(panel.get_by_role("button", name="Set limits")).to_have_count(1)
    await panel.get_by_role("button", name="Set limits").click()
    await page.get_by_role("dialog").get_by_label("Steps").fill("7")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(panel.get_by_text("Steps: 7")).to_be_visible()
    assert await violations(page) == []

    await page.goto(f"{site.url}/admin/audit?resource=tenants&action=update")
    await expect(panel.locator("details")).to_have_count(2)
    await panel.locator("summary").last.click()
    await expect(panel.get_by_role("group", name="What changed")).to_contain_text(TEXTS["script"])
    await panel.get_by_label("Text").fill("steps")
    await panel.get_by_label("Text").press("Enter")
    await expect(panel.locator("details")).to_have_count(1)
    assert "text=steps" in page.url
    assert await violations_in_both_themes(page) == []
    await panel.get_by_role("button", name="Verify every row").click()
    await expect(panel.get_by_text("are as they were written, and none is missing.")).to_be_visible()
    async with page.expect_download() as started:
        await panel.get_by_role("button", name="Export as a file").click()
    await (await started.value).save_as(tmp_path / "audit.jsonl")
    with (tmp_path / "audit.jsonl").open(encoding="utf-8") as lines:
        (verdict,) = verify_file(lines, key=None, on_rows=lambda _count: None)
    assert verdict.problem is None
    assert verdict.rows > 5

    await page.get_by_role("tab", name="Health").click()
    await expect(panel.get_by_text("The whole platform.")).to_be_visible()
    await expect(panel.get_by_role("heading", name="Queue")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    await page.set_viewport_size(PHONE)
    for tab in ("Health", "Audit", "Configuration", "People", "Tools", "Agents"):
        await page.get_by_role("tab", name=tab).click()
        await expect(panel.locator(".card, table").first).to_be_visible()
        assert await overhang(page) == 0
    assert await page.evaluate("window.__injected === undefined")
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)


async def test_who_may_not_is_told_who_could(site: Site, browser: Browser) -> None:
    _, ben, vera = await team_of(site.stack, "user", "viewer")
    page = await site.open(browser, ben, "/admin/agents", viewport=PHONE)
    panel = page.get_by_role("tabpanel")
    await panel.get_by_role("link", name="Asistente General").click()
    await expect(panel.get_by_text("Only operators of the platform change the catalogue.")).to_be_visible()
    await expect(panel.get_by_label("System prompt")).to_be_disabled()
    await expect(panel.get_by_role("group", name="May send without asking")).to_contain_text("It asks each time.")
    await expect(panel.get_by_role("button", name="Add permission")).to_have_count(0)
    for path, words in (
        ("agents/new", "Only the admins of the team say where an agent may send without asking."),
        ("tools/shell_exec", "Only operators of the platform change how its tools may be used."),
        ("tools/shell_exec", "Only admins of a team try tools."),
        ("people", "The admins of your team see all members"),
        ("configuration", "Only operators of the platform change it."),
        ("audit", "The audit is for the admins of your team"),
        ("health", "admins see for their team and operators for all"),
        ("agents/00000000-0000-0000-0000-000000000000", "Not here"),
        ("health", "Ask one of them."),
    ):
        await go(page, f"/admin/{path}")
        await expect(panel.get_by_text(words)).to_be_visible()
        assert await overhang(page) == 0
    assert await violations_in_both_themes(page) == []
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)

    page = await site.open(browser, vera, "/admin", language="es-ES")
    panel = page.get_by_role("tabpanel")
    await expect(panel.get_by_text("Los lectores no crean ni modifican agentes.")).to_be_visible()
    await expect(panel.get_by_role("link", name="Agente nuevo")).to_have_count(0)
    await expect(panel.get_by_role("button", name="Copiar")).to_have_count(0)
    # By the database, not by what is hidden.
    answer = await page.evaluate(
        """async () => {
          const { supabase_url, publishable_key } = await (await fetch('/config.json')).json()
          const { access_token } = JSON.parse(localStorage.getItem('agent-runtime.session'))
          const authorization = `Bearer ${access_token}`
          const headers = { apikey: publishable_key, authorization, 'content-type': 'application/json' }
          const rows = await (await fetch(`${supabase_url}/rest/v1/audit_logs?limit=1`, { headers })).json()
          const asked = await fetch(`${supabase_url}/rest/v1/rpc/set_configuration`, {
            method: 'POST', headers, body: JSON.stringify({ p_key: 'session_timeout', p_value: 60 }) })
          return [rows.length, asked.ok]
        }"""
    )
    assert answer == [0, False]
    await site.leave(page)
