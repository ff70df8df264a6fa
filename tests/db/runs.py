"""A task's life as its callers live it: people submit, workers claim and write, each by the database's functions."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.db.impersonation import Connection, Row, acting_as, many, one, person, value

WORKER = uuid.UUID("00000000-0000-4000-8000-00000000aaaa")
PROBES = ["probe", "probe_pure", "probe_confirm", "probe_disabled"]


def sign_up(connection: Connection, email: str, metadata: dict[str, Any] | None = None) -> uuid.UUID:
    """An account, and by its trigger a profile and a tenant."""
    found: uuid.UUID = value(
        connection,
        "insert into auth.users (email, raw_user_meta_data) values (%s, %s) returning id",
        email,
        json.dumps(metadata or {}),
    )
    return found


def install_probes(connection: Connection) -> None:
    """Tools of each kind, and the catalogue's agent `Prober` that has all but one (`probe_ungranted`)."""
    for name, enabled, confirm, retry_class in (
        ("probe", True, False, "unsafe"),
        ("probe_pure", True, False, "pure"),
        ("probe_confirm", True, True, "unsafe"),
        ("probe_disabled", False, False, "pure"),
        ("probe_ungranted", True, False, "pure"),
    ):
        connection.execute(
            "insert into public.tools (name, display_name, description, category, function_schema, is_enabled,"
            " requires_confirmation, retry_class, taints) values (%s, %s, 'For tests', 'test', '{}', %s, %s, %s, %s)",
            [name, name, enabled, confirm, retry_class, name == "probe_pure"],
        )
    connection.execute(
        "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public)"
        " values ('Prober', 'Probe.', 'default', %s, true)",
        [PROBES],
    )


def register(connection: Connection, worker: uuid.UUID = WORKER) -> None:
    """A worker announces itself."""
    with acting_as(connection, "agent_worker"):
        connection.execute("select public.worker_register(%s, 'host', 1, '0', 4, 2)", [worker])


def submit(connection: Connection, user: uuid.UUID, prompt: str = "Do it", **named: object) -> Row:
    """Submits as the user; `named` are submit_task's other parameters, without p_."""
    arguments = {"p_prompt": prompt, "p_agent": "Prober"} | {f"p_{name}": given for name, given in named.items()}
    text = ", ".join(f"{name} => %({name})s" for name in arguments)
    with person(connection, user):
        cursor = connection.execute(f"select * from public.submit_task({text})", arguments)
        found = cursor.fetchone()
    assert found is not None
    return found


def claim(connection: Connection, limit: int = 1, lease_seconds: float = 60, worker: uuid.UUID = WORKER) -> list[Row]:
    """Claims as the worker. A negative `lease_seconds` gives a lease that has expired already."""
    with acting_as(connection, "agent_worker"):
        return many(connection, "select * from public.worker_claim(%s, %s, %s)", worker, limit, lease_seconds)


def running(connection: Connection, user: uuid.UUID, **submitted: Any) -> Row:
    """A task of the user that the worker has claimed."""
    task = submit(connection, user, **submitted)
    (claimed,) = claim(connection)
    assert claimed["id"] == task["id"]
    return claimed


def reap(connection: Connection) -> list[Row]:
    """Takes back what dead workers held."""
    with acting_as(connection, "agent_worker"):
        return many(connection, "select * from public.worker_reap()")


def tool_call(name: str, call_id: str = "call_1", **arguments: object) -> Row:
    """A call as a model makes it."""
    return {"id": call_id, "name": name, "arguments": arguments}


def record_turn(
    connection: Connection, task: Row, step: int, *calls: Row, content: str = "I will.", start: bool = False
) -> Row:
    """Records the model's turn, which has seen all that came before its step; the record, as the worker gets it, its
    messages told apart as `message` and `refusals`."""
    seen = value(
        connection,
        "select max(seq) from public.messages"
        " where conversation_id = %s and coalesce((metadata ->> 'step')::int, 0) < %s",
        task["conversation_id"], step,
    )  # fmt: skip
    with acting_as(connection, "agent_worker"):
        found: Row = value(
            connection,
            "select public.worker_record_turn(%s, %s, %s, %s, %s, '{}', '{\"prompt_tokens\": 7}', %s, %s)",
            task["id"], task["lease_token"], step, content, json.dumps(calls), seen, start,
        )  # fmt: skip
    (found["message"],) = (m for m in found["messages"] if m["role"] == "assistant")
    found["refusals"] = [m for m in found["messages"] if m["role"] == "tool"]
    return found


def start(connection: Connection, task: Row, execution: str) -> None:
    """Marks an execution running."""
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_start_execution(%s, %s, %s)", [task["id"], task["lease_token"], execution]
        )


def finish(
    connection: Connection,
    task: Row,
    execution: str,
    status: str = "completed",
    *,
    content: str = "done",
    effect: Row | None = None,
    files: list[Row] | None = None,
    following: str | None = None,
) -> Row:
    """Records an execution's result; the record, as the worker gets it, its own message told apart as `message`."""
    with acting_as(connection, "agent_worker"):
        found: Row = value(
            connection,
            "select public.worker_finish_execution(%s, %s, %s, %s, %s, '{\"ok\": true}', null, 12, %s, %s, null, %s)",
            task["id"], task["lease_token"], execution, status, content,
            json.dumps(effect) if effect else None, json.dumps(files or []), following,
        )  # fmt: skip
    own = (m for m in found["messages"] if m["role"] == "tool" and m["metadata"]["execution_id"] == str(execution))
    found["message"] = next(own, None)
    return found


def executed(connection: Connection, task: Row, step: int, tool: str = "probe", **finished: Any) -> str:
    """One whole step with one call; the execution's id."""
    execution: str = record_turn(connection, task, step, tool_call(tool))["executions"][0]["id"]
    start(connection, task, execution)
    finish(connection, task, execution, **finished)
    return execution


def settle(connection: Connection, task: Row, status: str = "completed") -> bool:
    """Ends the run; false when it must go on."""
    with acting_as(connection, "agent_worker"):
        ended: bool = value(
            connection,
            'select public.worker_settle(%s, %s, %s, \'{"text": "42"}\', null)',
            task["id"], task["lease_token"], status,
        )  # fmt: skip
    return ended


def suspend(connection: Connection, task: Row, reason: str) -> str:
    """Frees the slot; the task's status."""
    with acting_as(connection, "agent_worker"):
        status: str = value(
            connection, "select public.worker_suspend(%s, %s, %s)", task["id"], task["lease_token"], reason
        )
    return status


def release(connection: Connection, task: Row, delay_seconds: float = 0, reason: str | None = None) -> None:
    """Gives the task back."""
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_release(%s, %s, %s, %s)", [task["id"], task["lease_token"], delay_seconds, reason]
        )


def task_row(connection: Connection, task: Row) -> Row:
    """The task as it is now."""
    return one(connection, "select * from public.tasks where id = %s", task["id"])


def execution_row(connection: Connection, execution: str) -> Row:
    """The execution as it is now."""
    return one(connection, "select * from public.tool_executions where id = %s", execution)


def events(connection: Connection, task: Row, kind: str | None = None) -> list[Row]:
    """The task's timeline, or one kind of its events."""
    return many(
        connection,
        "select id, kind, payload from public.task_events where task_id = %s and kind = coalesce(%s, kind) order by id",
        task["id"], kind,
    )  # fmt: skip


def messages(connection: Connection, task: Row) -> list[Row]:
    """The task's messages in their order."""
    return many(connection, "select * from public.messages where task_id = %s order by seq", task["id"])
