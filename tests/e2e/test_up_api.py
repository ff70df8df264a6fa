"""The embedded Supabase API keeps what our SQL promises, and goes on keeping it after a restart."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
import pytest_asyncio

from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

# The loop that the stack's processes belong to: one of the tests stops and starts them.
pytestmark = pytest.mark.asyncio(loop_scope="session")

PRIVILEGES = """
    select format('%s %s on %s', r.role, p.privilege, c.oid::regclass) as held
    from pg_class c
    cross join unnest(array['anon', 'authenticated', 'service_role']) r(role)
    cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p(privilege)
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'v')
      and has_table_privilege(r.role, c.oid, p.privilege)
    order by 1
"""


@pytest_asyncio.fixture(loop_scope="session")
async def rest(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any key."""
    async with httpx.AsyncClient(base_url=stack.supabase_url, **LOOPBACK) as client:
        yield client


def privileges(stack: Stack) -> list[str]:
    with psycopg.connect(stack.database_url) as connection:
        return [row[0] for row in connection.execute(PRIVILEGES)]


async def sign_up(rest: httpx.AsyncClient, key: str) -> dict[str, str]:
    """Headers of a new user."""
    answer = await rest.post(
        "/auth/v1/signup",
        headers={"apikey": key},
        json={"email": f"{uuid.uuid4().hex}@example.org", "password": "long enough 1"},
    )
    return {"apikey": key, "Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


async def test_the_apis_blanket_grants_change_nothing_even_after_a_restart_and_nobody_meets_them(
    stack: Stack, rest: httpx.AsyncClient
) -> None:
    before = privileges(stack)
    assert before
    headers = await sign_up(rest, stack.publishable_key)
    answers: set[int] = set()
    asking = [asyncio.create_task(ask(rest, headers, answers)) for _ in range(4)]
    for _ in range(2):
        # The first request after a start is the one that grants.
        (await rest.get("/rest/v1/agents", headers=headers)).raise_for_status()
        assert privileges(stack) == before
        await stack.api.stop()
        # Not killed for its clients' open connections.
        assert stack.api.child.returncode == 0
        await stack.api.start()
    for asked in asking:
        asked.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert answers == {httpx.codes.OK}
    assert not [line for line in before if line.startswith("anon ")]


async def ask(rest: httpx.AsyncClient, headers: dict[str, str], answers: set[int]) -> None:
    """Again and again, also while nobody answers."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            answers.add((await rest.get("/rest/v1/agents", headers=headers)).status_code)
        await asyncio.sleep(0.005)


async def test_a_request_without_a_key_gets_nothing(stack: Stack, rest: httpx.AsyncClient) -> None:
    assert (await rest.get("/rest/v1/users")).status_code == httpx.codes.UNAUTHORIZED
    assert (await rest.get("/storage/v1/bucket")).json() == []
    as_nobody = await rest.get("/rest/v1/users", headers={"apikey": stack.publishable_key})
    assert as_nobody.status_code == httpx.codes.UNAUTHORIZED
    assert as_nobody.json()["code"] == "42501"


async def test_a_token_of_another_stack_is_refused(stack: Stack, rest: httpx.AsyncClient) -> None:
    mine = await sign_up(rest, stack.publishable_key)
    head, payload, signature = mine["Authorization"].split(".")
    forged = ".".join((head, payload, signature[::-1]))
    answer = await rest.get("/rest/v1/users", headers={**mine, "Authorization": forged})
    assert answer.status_code == httpx.codes.UNAUTHORIZED


async def test_schemas_other_than_public_are_not_exposed(stack: Stack, rest: httpx.AsyncClient) -> None:
    mine = await sign_up(rest, stack.publishable_key)
    for schema in ("private", "auth", "storage"):
        answer = await rest.get("/rest/v1/users", headers={**mine, "Accept-Profile": schema})
        assert not answer.is_success, schema


async def test_functions_with_the_callers_rights_know_who_calls(stack: Stack, rest: httpx.AsyncClient) -> None:
    mine = await sign_up(rest, stack.publishable_key)
    rows = (await rest.get("/rest/v1/users?select=id,role", headers=mine)).raise_for_status().json()
    assert [row["role"] for row in rows] == ["user"]


async def test_nobody_of_the_stack_but_its_setup_is_a_superuser(stack: Stack) -> None:
    with psycopg.connect(stack.database_url) as connection:
        superusers = connection.execute("select rolname from pg_roles where rolsuper").fetchall()
        owners = connection.execute(
            "select distinct pg_get_userbyid(relowner) from pg_class where relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert superusers == [("supabase_admin",)]
    assert owners == [("postgres",)]
