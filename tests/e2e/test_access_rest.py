"""The access matrix by the REST API and Storage, with real accounts; and again after the API was started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from agent_runtime.access import trying
from agent_runtime.access.accounts import Api
from agent_runtime.access.matrix import load

if TYPE_CHECKING:
    from agent_runtime.access.report import Report, Way
    from agent_runtime.local.stack import Stack

# The loop that the stack's processes belong to: the API is stopped and started.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

LEFT = "select count(*) as left from auth.users where email like 'access-probe%'"
LEFT_FILES = "select count(*) as left from storage.objects where name like '%probe%'"


async def test_every_cell_is_as_declared_and_nothing_but_the_audit_stays(stack: Stack) -> None:
    report = await tried(stack)
    assert report.differences == []
    assert report.left == ()
    assert {finding.way for finding in report.findings} == {"sql", "rest"}
    with psycopg.connect(stack.database_url, row_factory=dict_row) as connection:
        for statement in (LEFT, LEFT_FILES):
            assert connection.execute(statement).fetchone() == {"left": 0}


async def test_no_cell_is_another_after_the_api_started_again_and_granted_everything(stack: Stack) -> None:
    await stack.api.stop()
    await stack.api.start()
    # Who has the most to gain from a grant. Everybody is made all the same.
    report = await tried(stack, only=frozenset({"anon", "viewer", "outsider_admin"}), ways=("rest",))
    assert report.differences == []


async def tried(stack: Stack, only: frozenset[str] | None = None, ways: tuple[Way, ...] = ("sql", "rest")) -> Report:
    api = Api(stack.supabase_url, stack.publishable_key, stack.secret_key)

    def work() -> Report:
        with psycopg.connect(stack.database_url, autocommit=True, row_factory=dict_row) as connection:
            return trying.everywhere(connection, load(), api, only=only, ways=ways)

    return await asyncio.to_thread(work)
