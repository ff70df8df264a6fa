"""People of one team, and calls that wait for them: what the tests of approvals and of admin begin with."""

from __future__ import annotations

import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from agent_runtime.person.client import Person
from tests.e2e.desk import Work, new_person, take, worker_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

SCHEMA = {
    "type": "object",
    "properties": {
        "command": {"type": "string", "description": "What the shell runs.", "maxLength": 40_000},
        "timeout_seconds": {"type": "integer", "minimum": 1, "maximum": 600, "default": 60},
        "folder": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["command"],
    "additionalProperties": False,
}


@dataclass
class Waiting:
    """A call that waits for a person, and the hand that leads its task."""

    execution: str
    task_id: uuid.UUID
    work: Work


def owner(stack: Stack) -> psycopg.Connection[tuple[Any, ...]]:
    """The database's owner."""
    return psycopg.connect(stack.database_url, autocommit=True)


def status(stack: Stack, execution: str) -> str:
    """What a call is now."""
    with owner(stack) as connection:
        row = connection.execute("select status from tool_executions where id = %s", [execution]).fetchone()
    assert row is not None
    return str(row[0])


async def team_of(stack: Stack, *roles: str, operator: bool = False) -> list[Session]:
    """An admin and, in the same team, somebody of each of these roles; with `operator` the admin is one, too."""
    admin, *others = [await new_person(stack, role) for role in ("admin", *roles)]
    with owner(stack) as connection:
        connection.execute("update users set role = 'admin', is_operator = %s where id = %s", [operator, admin.user_id])
    for session, role in zip(others, roles, strict=True):
        async with Person(admin, keep=False) as person:
            await person.members.invite(session.email, role)
        async with Person(session, keep=False) as person:
            (offer,) = await person.members.offers()
            await person.members.accept(offer.id)
    return [admin, *others]


def a_tool(
    stack: Stack, *, approvals: int = 1, description: str = "For tests.", display_name: str = "Run a command"
) -> str:
    """A dangerous tool that asks, and an agent of the same name that has it."""
    name = f"asks_{uuid.uuid4().hex[:8]}"
    schema = json.dumps({"type": "function", "function": {"name": name, "parameters": SCHEMA}})
    with owner(stack) as connection:
        connection.execute(
            "insert into tools (name, display_name, description, category, function_schema, requires_confirmation,"
            " approvals_required, security_level) values (%s, %s, %s, 'test', %s, true, %s, 'dangerous')",
            [name, display_name, description, schema, approvals],
        )
        connection.execute(
            "insert into agents (name, system_prompt, model_name, tools_enabled, is_public)"
            " values (%s, 'Ask.', 'default', array[%s], true)",
            [name, name],
        )
    return name


@asynccontextmanager
async def calls_of(stack: Stack, person: Session, tool: str) -> AsyncIterator[Any]:
    """`await waits(title, arguments, why)` files a task of this person whose call then waits."""
    async with await worker_connection(stack) as connection, Person(person, keep=False) as client:

        async def waits(
            title: str, arguments: dict[str, Any], why: str = "Because.", *, in_doubt: bool = False
        ) -> Waiting:
            task = await client.submit(title, agent=tool)
            work = await take(connection, task.id)
            (execution,) = await work.turn({"name": tool, "arguments": arguments}, content=why)
            if in_doubt:
                await client.call_function("decide_execution", {"p_execution": execution, "p_approve": True})
                await work.start(execution)
                await work.finish(execution, "in_doubt", error="the worker stopped while the call was running")
            await work.suspend("doubt" if in_doubt else "approval")
            return Waiting(execution, task.id, work)

        yield waits
