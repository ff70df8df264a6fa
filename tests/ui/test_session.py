"""Signing in and out, how a session ends, and the person's own account."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from playwright.async_api import expect

from agent_runtime.person.client import Person
from tests.e2e.desk import PASSWORD, new_person
from tests.loopback import LOOPBACK
from tests.ui.conftest import PHONE, no_wider, violations_in_both_themes

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROMPT = "What should the agent do?"


def change(site: Site, statement: str, *values: object) -> None:
    """Change the database as its owner."""
    with psycopg.connect(site.stack.database_url, autocommit=True) as owner:
        owner.execute(statement, values)


async def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_one_makes_an_account_signs_out_and_in_again(site: Site, browser: Browser) -> None:
    page = await site.open(browser, None, "/tasks?status=failed", viewport=PHONE)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    await page.get_by_role("button", name="Español").click()
    await expect(page.get_by_role("heading", name="Iniciar sesión")).to_be_visible()
    await page.get_by_role("button", name="English").click()
    known = await new_person(site.stack)
    await page.get_by_role("button", name="Create an account").click()
    await page.get_by_label("E-mail address").fill(known.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("alert")).to_contain_text("There is an account with this address already")
    assert await violations_in_both_themes(page) == []
    email = f"new-{known.email}"
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_role("button", name="Create account").click()
    # It goes on where the link led.
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    await expect(page).to_have_url(f"{site.url}/tasks?status=failed")

    await page.get_by_role("button", name="Account").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_text("Your session is over")).to_have_count(0)
    assert await page.evaluate("localStorage.getItem('agent-runtime.session')") is None
    await sign_in(page, email, "something else")
    await expect(page.get_by_role("alert")).to_contain_text("E-mail address or password is wrong")
    await sign_in(page, email)
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    assert page.complaints == []  # type: ignore[attr-defined]

    # What a provider or a mail led back to, and could not do.
    await page.evaluate("localStorage.clear()")
    await page.goto(f"{site.url}/auth/callback?error=access_denied&error_description=The+user+said+<b>no</b>")
    await expect(page.get_by_role("alert")).to_contain_text("The user said <b>no</b>")
    await page.goto(f"{site.url}/auth/callback?code=of-another-browser")
    await expect(page.get_by_role("alert")).to_contain_text("was asked for in another browser")
    assert await violations_in_both_themes(page) == []
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Password")).to_be_visible()
    await site.leave(page)


async def test_who_uses_no_tab_is_signed_out_of_all_and_keeps_what_was_typed(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack)
    change(site, "update system_config set config_value = '120' where config_key = 'session_timeout'")
    try:
        page = await site.open(browser, person)
        await page.get_by_label(PROMPT).fill("Half a thought")
        await page.clock.install()
        other = await page.context.new_page()
        await other.goto(f"{site.url}/account")
        await expect(other.get_by_text("after 2 min")).to_be_visible()
        await page.reload()
        await expect(page.get_by_label(PROMPT)).to_have_value("Half a thought")
        await page.clock.fast_forward(100_000)
        # Used here, so both stay.
        await other.keyboard.press("Tab")
        await page.clock.fast_forward(100_000)
        await expect(page.get_by_label(PROMPT)).to_be_visible()
        await expect(other.get_by_role("heading", name="Account")).to_be_visible()
        await page.clock.fast_forward(125_000)
        for tab in (page, other):
            await expect(tab.get_by_text("this page was not used for a while")).to_be_visible()
        assert await violations_in_both_themes(page) == []
        await page.reload()
        await expect(page.get_by_text("this page was not used for a while")).to_be_visible()
        await sign_in(page, person.email)
        await expect(page.get_by_label(PROMPT)).to_have_value("Half a thought")
        await page.context.close()
    finally:
        change(site, "update system_config set config_value = '3600' where config_key = 'session_timeout'")


async def test_a_session_that_is_refused_and_a_person_who_is_deactivated_are_told(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack)
    page = await site.open(browser, person)
    await page.get_by_label(PROMPT).fill("Half a thought")
    # A token that is not accepted is exchanged for a good one, and nobody sees anything of it.
    await page.evaluate(
        """() => {
          const kept = JSON.parse(localStorage.getItem('agent-runtime.session'))
          kept.access_token = kept.access_token.slice(0, -4) + 'AAAA'
          localStorage.setItem('agent-runtime.session', JSON.stringify(kept))
        }"""
    )
    refused = []
    page.on(
        "response", lambda answer: refused.append(answer.url) if answer.status == httpx.codes.UNAUTHORIZED else None
    )
    await page.reload()
    await expect(page.get_by_role("heading", name="No task yet")).to_be_visible()
    assert refused

    change(site, "update users set is_active = false where id = %s", person.user_id)
    await page.reload()
    await expect(page.get_by_role("heading", name="Your account is not active")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    change(site, "update users set is_active = true where id = %s", person.user_id)
    await try_again(page)
    await expect(page.get_by_label(PROMPT)).to_have_value("Half a thought")

    # Both tokens are refused: over, and said so.
    await page.evaluate(
        """() => {
          const kept = JSON.parse(localStorage.getItem('agent-runtime.session'))
          kept.access_token = kept.access_token.slice(0, -4) + 'AAAA'
          kept.refresh_token = 'used-up'
          localStorage.setItem('agent-runtime.session', JSON.stringify(kept))
        }"""
    )
    await page.reload()
    await expect(page.get_by_text("Your session is over")).to_be_visible()
    await sign_in(page, person.email)
    await expect(page.get_by_label(PROMPT)).to_have_value("Half a thought")
    # Auth is away and the token has run out: not signed out, but waiting.
    await page.route(re.compile("/auth/v1/"), lambda route: route.abort())
    await page.evaluate(
        """() => {
          const kept = JSON.parse(localStorage.getItem('agent-runtime.session'))
          kept.expires_at = 1
          localStorage.setItem('agent-runtime.session', JSON.stringify(kept))
        }"""
    )
    await page.reload()
    await expect(page.get_by_role("heading", name="The service does not answer")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    await page.unroute(re.compile("/auth/v1/"))
    await try_again(page)
    await expect(page.get_by_label(PROMPT)).to_have_value("Half a thought")
    await site.leave(page)


async def try_again(page: Page) -> None:
    """Press the button if it is still there: the screen tries again by itself too."""
    await page.evaluate(
        "() => [...document.querySelectorAll('button')].find((one) => one.textContent === 'Try again')?.click()"
    )


async def test_the_account_is_the_persons_own(site: Site, browser: Browser) -> None:
    person, boss = await new_person(site.stack), await new_person(site.stack, "boss")
    change(site, "update users set role = 'admin' where id = %s", boss.user_id)
    async with Person(boss, keep=False) as client:
        await client.members.rename("Bike <b>rental</b>")
        await client.members.invite(person.email, "viewer")
    page = await site.open(browser, person, "/account")
    await page.get_by_label("Full name").fill("Ana <b>Pérez</b>")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="Save")).to_be_disabled()

    await page.get_by_role("button", name="Join").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Join Bike <b>rental</b>?")
    await dialog.get_by_role("button", name="Join").click()
    await expect(page.get_by_text("Viewer: sees what is shared")).to_be_visible()
    assert await violations_in_both_themes(page) == []
    await page.get_by_role("button", name="Leave the team").click()
    await dialog.get_by_role("button", name="Leave the team").click()
    await expect(page.get_by_text("This is your own space.")).to_be_visible()

    await page.get_by_label("Theme").select_option("dark")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.get_by_label("Language").select_option("es")
    await expect(page.get_by_role("heading", name="Cuenta", exact=True)).to_be_visible()
    await page.get_by_label("Contraseña nueva").fill("another correct horse")
    await page.get_by_role("button", name="Cambiar contraseña").click()
    await expect(page.get_by_text("Tu contraseña ha cambiado.").first).to_be_visible()
    await page.set_viewport_size(PHONE)
    await no_wider(page)
    assert await violations_in_both_themes(page) == []
    async with httpx.AsyncClient(timeout=30, **LOOPBACK) as client:
        answer = await client.post(
            f"{site.stack.supabase_url}/auth/v1/token?grant_type=password",
            content=json.dumps({"email": person.email, "password": "another correct horse"}),
            headers={"apikey": site.stack.publishable_key, "content-type": "application/json"},
        )
    assert answer.is_success
    async with Person(person, keep=False) as own:
        names = await own.members.people()
    assert [one.full_name for one in names] == ["Ana <b>Pérez</b>"]
    assert page.complaints == []  # type: ignore[attr-defined]
    await site.leave(page)
