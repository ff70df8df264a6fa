"""The list of tasks is there soon: what a browser has to fetch for it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bench.ui_size import ENCODINGS, MARK_KB, first_load, javascript_kilobytes
from tests.e2e.desk import PASSWORD, new_person
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_first_load_of_the_list_of_tasks_is_within_its_mark(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack)
    async with httpx.AsyncClient(timeout=30, **LOOPBACK) as client:
        answer = await client.post(
            f"{site.stack.supabase_url}/auth/v1/token?grant_type=password",
            json={"email": person.email, "password": PASSWORD},
            headers={"apikey": site.stack.publishable_key},
        )
    for encoding in ENCODINGS.values():
        load = await first_load(browser, site.url, answer.json(), encoding)
        assert javascript_kilobytes(load, encoding) < MARK_KB
