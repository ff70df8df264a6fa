"""What people do to a task while it runs or waits: each by the database's functions, as the signed-in person."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from tests.db import runs
from tests.db.impersonation import one, person

if TYPE_CHECKING:
    from tests.db.impersonation import Connection, Row


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
