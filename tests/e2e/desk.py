"""For tests of what a person does: people who sign up in the running stack, and a worker that does as it is told."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from agent_runtime.person import auth
from agent_runtime.person.session import Session

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

PASSWORD = "correct horse battery"
_COMMAND = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}


async def new_person(stack: Stack, name: str = "person") -> Session:
    """Somebody who has just signed up."""
    email = f"{name}-{uuid.uuid4().hex[:12]}@example.org"
    session = await auth.sign_up(stack.supabase_url, stack.publishable_key, email, PASSWORD)
    assert session is not None
    return session


@dataclass
class Work:
    """One task in the hands of a worker that the test leads, by the database's own functions."""

    connection: psycopg.AsyncConnection[dict[str, Any]]
    task_id: uuid.UUID
    lease: uuid.UUID
    step: int = 0

    async def turn(self, *calls: dict[str, Any], content: str = "") -> list[str]:
        """The model's next turn; the executions of its calls, each `{"name", "arguments"}`."""
        self.step += 1
        numbered = [{"id": f"call_{index}", **call} for index, call in enumerate(calls)]
        recorded = await self._call(
            "worker_record_turn", self.step, content, json.dumps(numbered), json.dumps({}), json.dumps({})
        )
        return [execution["id"] for execution in recorded["executions"]]

    async def start(self, execution: str) -> None:
        await self._call("worker_start_execution", execution)

    async def finish(
        self,
        execution: str,
        status: str = "completed",
        *,
        error: str | None = None,
        effect: Any = None,
        files: Any = (),
    ) -> None:
        await self._call(
            "worker_finish_execution", execution, status, "done", json.dumps({}), error, 12,
            json.dumps(effect) if effect else None, json.dumps(list(files)),
        )  # fmt: skip

    async def do(self, name: str, arguments: dict[str, Any] | None = None, **finished: Any) -> str:
        """A whole step with one call."""
        (execution,) = await self.turn({"name": name, "arguments": arguments or {}})
        await self.start(execution)
        await self.finish(execution, **finished)
        return execution

    async def suspend(self, reason: str) -> None:
        await self._call("worker_suspend", reason)

    async def settle(self, status: str = "completed", *, answer: str = "", error: str | None = None) -> None:
        await self._call("worker_settle", status, json.dumps({"answer": answer, "files": []}), error)

    async def _call(self, function: str, *arguments: Any) -> Any:
        holes = ", ".join(["%s"] * (2 + len(arguments)))
        cursor = await self.connection.execute(
            f"select public.{function}({holes}) as value", [self.task_id, self.lease, *arguments]
        )
        row = await cursor.fetchone()
        return row["value"] if row else None


async def take(connection: psycopg.AsyncConnection[dict[str, Any]], task_id: uuid.UUID, seconds: float = 600) -> Work:
    """Claim the task, whoever else's tasks wait: those go back."""
    worker = uuid.uuid4()
    await connection.execute("select public.worker_register(%s, 'test', 1, '0', 1, 2)", [worker])
    claimed = await (
        await connection.execute("select * from public.worker_claim(%s, 1000, %s)", [worker, seconds])
    ).fetchall()
    for row in claimed:
        if row["id"] != task_id:
            await connection.execute("select public.worker_release(%s, %s)", [row["id"], row["lease_token"]])
    (mine,) = [row for row in claimed if row["id"] == task_id]
    return Work(connection, task_id, mine["lease_token"])


async def worker_connection(stack: Stack) -> psycopg.AsyncConnection[dict[str, Any]]:
    """A connection with a worker's rights."""
    return await psycopg.AsyncConnection.connect(stack.worker_database_url, autocommit=True, row_factory=dict_row)


def a_tool_that_asks(stack: Stack, approvals_required: int = 1) -> str:
    """A tool that needs approval, and an agent of the same name that has it."""
    name = f"asks_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(
            "insert into tools (name, display_name, description, category, function_schema, requires_confirmation,"
            " approvals_required) values (%s, 'Asks', 'For tests.', 'test', %s, true, %s)",
            [name, json.dumps({"function": {"parameters": _COMMAND}}), approvals_required],
        )
        owner.execute(
            "insert into agents (name, system_prompt, model_name, tools_enabled, is_public)"
            " values (%s, 'Ask.', 'default', array[%s], true)",
            [name, name],
        )
    return name
