"""People and tasks for the tests of the web UI's server, in the shared stack."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest_asyncio

from agent_runtime.person.client import Person
from tests.e2e.desk import new_person

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

Connection = psycopg.AsyncConnection[Any]

_APPEND = (
    "select private.append_event(id, conversation_id, tenant_id, 'task.notice', %s) from public.tasks where id = %s"
)


@pytest_asyncio.fixture
async def owner(stack: Stack) -> AsyncIterator[Connection]:
    """The database's owner."""
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        yield connection


@pytest_asyncio.fixture
async def alice(stack: Stack) -> Session:
    """Somebody who has just signed up."""
    return await new_person(stack, "alice")


@pytest_asyncio.fixture
async def task(alice: Session) -> uuid.UUID:
    """A task of Alice's that nobody works on."""
    async with Person(alice, keep=False) as person:
        return (await person.submit("Do it.")).id


async def append(connection: Connection, task_id: uuid.UUID, *texts: str) -> None:
    """More of the timeline, an event for each text."""
    async with connection.pipeline():
        for text in texts:
            await connection.execute(_APPEND, [json.dumps({"text": text}), task_id])


async def recorded(connection: Connection, task_id: uuid.UUID) -> list[int]:
    """The ids of the timeline, as the table has them."""
    found = await connection.execute("select id from public.task_events where task_id = %s order by id", [task_id])
    return [row[0] for row in await found.fetchall()]
