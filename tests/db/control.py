"""What people do to a task while it runs or waits, by the database's functions, as the signed-in person; and the tools
that ask them first."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from tests.db import runs
from tests.db.impersonation import one, person

if TYPE_CHECKING:
    from tests.db.impersonation import Connection, Row


ASKING = ["probe_confirm", "probe_dangerous", "probe_two", "probe_two_dangerous", "probe_confirm_pure"]
"""Tools whose calls wait for people."""


def install_asking_probes(connection: Connection) -> None:
    """Tools that ask in each way: for one person or two, always or for want of a standing permission."""
    for name, confirm, level, people, retry_class in (
        ("probe_dangerous", False, "dangerous", 1, "unsafe"),
        ("probe_two", True, "safe", 2, "unsafe"),
        ("probe_two_dangerous", False, "dangerous", 2, "unsafe"),
        ("probe_confirm_pure", True, "safe", 1, "pure"),
    ):
        connection.execute(
            "insert into public.tools (name, display_name, description, category, function_schema,"
            " requires_confirmation, security_level, approvals_required, retry_class)"
            " values (%s, %s, 'For tests', 'test', '{}', %s, %s, %s, %s)",
            [name, name, confirm, level, people, retry_class],
        )
    connection.execute(
        "update public.agents set tools_enabled = tools_enabled || %s where name = 'Prober'", [ASKING[1:]]
    )


def asked(connection: Connection, task: Row, tool: str = "probe_confirm", step: int = 1) -> str:
    """The turn's call of the tool, recorded; its execution."""
    execution: str = runs.record_turn(connection, task, step, runs.tool_call(tool, path="a"))["executions"][0]["id"]
    return execution


def decide(
    connection: Connection,
    user: uuid.UUID,
    execution: str,
    approve: bool = True,
    *,
    reason: str | None = None,
    arguments: Row | None = None,
    digest: str | None = None,
) -> Row:
    """Approves or denies; `arguments` to run instead, `digest` of what was seen. The execution as it is then."""
    with person(connection, user):
        return one(
            connection,
            "select * from public.decide_execution(%s, %s, %s, %s, %s)",
            execution, approve, reason, None if arguments is None else json.dumps(arguments), digest,
        )  # fmt: skip


def settle_doubt(
    connection: Connection, user: uuid.UUID, execution: str, happened: bool, result: str | None = None
) -> Row:
    """Says of a call in doubt what became of it. The execution as it is then."""
    with person(connection, user):
        return one(connection, "select * from public.settle_execution(%s, %s, %s)", execution, happened, result)


def pause(connection: Connection, user: uuid.UUID, task: Row) -> Row:
    """The task as it is then."""
    with person(connection, user):
        return one(connection, "select * from public.pause_task(%s)", task["id"])


def resume(connection: Connection, user: uuid.UUID, task: Row) -> Row:
    """The task as it is then."""
    with person(connection, user):
        return one(connection, "select * from public.resume_task(%s)", task["id"])


def cancel(connection: Connection, user: uuid.UUID, task: Row) -> Row:
    """The task as it is then."""
    with person(connection, user):
        return one(connection, "select * from public.cancel_task(%s)", task["id"])


def answer(connection: Connection, user: uuid.UUID, task: Row, text: str = "Yes.") -> Row:
    """The task as it is then."""
    with person(connection, user):
        return one(connection, "select * from public.answer_task(%s, %s)", task["id"], text)


def lose_worker(connection: Connection, task: Row) -> str:
    """The task's worker dies: its lease runs out, and another takes the task back. What the task is then."""
    connection.execute("update public.tasks set lease_expires_at = now() - interval '1 s' where id = %s", [task["id"]])
    (reaped,) = (row for row in runs.reap(connection) if row["task_id"] == task["id"])
    status: str = reaped["status"]
    assert status == runs.task_row(connection, task)["status"]
    return status
