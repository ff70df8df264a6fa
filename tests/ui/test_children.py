"""Tasks that a task gave away: a live table in the workbench, links both ways, and failed ones tried again."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from agent_runtime.person.client import Person
from tests.e2e.desk import new_person, take, worker_connection
from tests.ui.conftest import PHONE, Site, no_wider, violations_in_both_themes

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_table_of_children_that_moves_and_tries_again(site: Site, browser: Browser) -> None:
    me = await new_person(site.stack)
    async with Person(me, keep=False) as person, await worker_connection(site.stack) as connection:
        parent = await person.submit("Look into these pioneers")
        work = await take(connection, parent.id)
        page = await site.open(browser, me, f"/tasks/{parent.id}")
        bench = page.get_by_role("region", name="Workbench", exact=True)
        asked = {
            "instructions": "Find out when they were born.",
            "items": ["Ada", "Grace", "Edsger", "Tony", "Barbara"],
        }
        (call,) = await work.turn({"name": "spawn_tasks", "arguments": asked}, content="One task for each.")
        await work.start(call)
        await work._call("worker_children", call)
        await work.suspend("children")
        await expect(page.get_by_role("button", name="Giving away 5 tasks").first).to_be_visible()
        table = bench.get_by_role("table")
        await expect(table.get_by_role("row")).to_have_count(6)
        await expect(table.get_by_role("row", name="Barbara")).to_contain_text("Waits for its turn")

        children = {child.title: child for child in await person.children(parent.id)}
        await (await take(connection, children["Ada"].id)).settle(answer="1815")
        await (await take(connection, children["Grace"].id)).settle("failed", error="No luck with Grace.")
        await expect(table.get_by_role("row", name="Ada")).to_contain_text("1815")
        await expect(table.get_by_role("row", name="Grace")).to_contain_text("No luck with Grace.")
        await expect(bench.get_by_text("1 of 5 completed")).to_be_visible()
        assert await violations_in_both_themes(page) == []

        await bench.get_by_role("button", name="Try 1 failed task again").click()
        await expect(page.get_by_text("1 task is tried again.", exact=True)).to_be_visible()
        await expect(table.get_by_role("row", name="Grace")).to_contain_text("2 tries")
        await expect(bench.get_by_role("button", name="Try")).to_have_count(0)
        await table.get_by_role("link", name="Ada").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Ada")
        await page.get_by_role("link", name="Part of another task").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Look into these pioneers")
        await page.set_viewport_size(PHONE)
        await no_wider(page)
        assert page.complaints == []  # type: ignore[attr-defined]
        await page.context.close()

        listed = await site.open(browser, me, "/tasks", language="es-ES")
        await expect(listed.get_by_text("1 de 5 tareas repartidas completadas")).to_be_visible()
        await expect(listed.get_by_role("link", name="Ada")).to_have_count(0)
        assert await violations_in_both_themes(listed) == []
        await listed.context.close()
