"""The event union is what the database writes: every kind, every field."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import ValidationError

from agent_runtime.cli.watch_lines import describe
from agent_runtime.events import TASK_EVENT, payloads
from agent_runtime.person.records import EventRow
from agent_runtime.person.timeline import Timeline
from tests.db import control, runs
from tests.db.impersonation import acting_as, many, person, value

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row


@pytest.fixture
def connection(database18: Database) -> Iterator[Connection]:
    with psycopg.connect(database18.owner, autocommit=True, row_factory=dict_row) as opened:
        yield opened


def test_the_union_has_the_kinds_that_the_table_takes(connection: Connection) -> None:
    check = value(
        connection,
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'task_events_kind_check'",
    )
    assert list(payloads()) == re.findall(r"'([a-z]+\.[a-z]+)'", check)


def test_each_event_of_a_life_is_in_the_union_and_can_be_told(connection: Connection) -> None:
    runs.install_probes(connection)
    control.install_asking_probes(connection)
    runs.register(connection)
    alice = runs.sign_up(connection, "alice@example.org")
    live_through_everything(connection, alice)

    rows = many(connection, "select id, task_id, kind, payload, created_at from public.task_events order by id")
    events = [TASK_EVENT.validate_json(json.dumps(row, default=str), extra="forbid") for row in rows]

    assert {event.kind for event in events} == set(payloads())
    timeline = Timeline()
    for row in rows:
        timeline.apply(EventRow.model_validate(row))
        assert isinstance(describe(EventRow.model_validate(row), timeline, row["task_id"]), list)
    told: dict[str, set[str]] = {}
    for event in events:
        told.setdefault(event.kind, set()).update(event.payload.model_fields_set)
    assert told == {kind: set(model.model_fields) for kind, model in payloads().items()}


def test_a_field_that_the_union_does_not_know_is_found() -> None:
    row = {"id": 1, "task_id": "00000000-0000-4000-8000-000000000000", "created_at": "2026-01-01 00:00:00+00"}
    row |= {"kind": "task.notice", "payload": {"text": "Half way.", "loud": True}}
    assert TASK_EVENT.validate_python(row).payload.model_dump() == {"text": "Half way."}
    with pytest.raises(ValidationError, match=r"task\.notice.*loud"):
        TASK_EVENT.validate_python(row, extra="forbid")


def live_through_everything(connection: Connection, alice: uuid.UUID) -> None:
    """Tasks that pass through every state, with calls that do, files that come and go, and what people say."""
    task = runs.running(connection, alice)
    control.pause(connection, alice, task)
    control.resume(connection, alice, task)
    file = {"filename": "a.md", "file_path": f"{task['tenant_id']}/{task['id']}/a", "file_size": 1, "mime_type": "x"}
    runs.executed(connection, task, 1, files=[file], effect={"kind": "plan_set", "phases": ["one", "two"]})
    runs.executed(connection, task, 2, files=[{"filename": "a.md", "kind": "removed"}], effect={"kind": "plan_advance"})
    runs.executed(connection, task, 3, effect={"kind": "notify", "text": "Half way."})

    denied = control.asked(connection, task, step=4)
    runs.suspend(connection, task, "approval")
    control.decide(connection, alice, denied, approve=False, reason="Not that one.")
    (task,) = runs.claim(connection)
    doubtful = control.asked(connection, task, "probe_confirm", step=5)
    runs.suspend(connection, task, "approval")
    control.decide(connection, alice, doubtful)
    (task,) = runs.claim(connection)
    runs.start(connection, task, doubtful)
    assert control.lose_worker(connection, task) == "pending"
    (task,) = runs.claim(connection)
    runs.finish(connection, task, doubtful, "in_doubt", content="Nobody knows.")
    control.settle_doubt(connection, alice, doubtful, happened=True, result="It did.")
    failing = runs.record_turn(connection, task, 6, runs.tool_call("probe"))["executions"][0]["id"]
    runs.start(connection, task, failing)
    fail(connection, task, failing)
    runs.suspend(connection, task, "answer")
    control.answer(connection, alice, task)
    (task,) = runs.claim(connection)
    runs.release(connection, task, delay_seconds=0, reason="The worker stops.")
    (task,) = runs.claim(connection)
    # It has read something from outside, and would send something there.
    connection.execute("update public.tasks set tainted = true where id = %s", [task["id"]])
    connection.execute("update public.tools set outward = true where name = 'probe'")
    runs.record_turn(connection, task, 7, runs.tool_call("probe"))
    connection.execute("update public.tools set outward = false where name = 'probe'")
    say(connection, alice, task, {"step": {"not": "a number"}})
    control.cancel(connection, alice, task)
    runs.settle(connection, task, "cancelled")

    later = runs.running(connection, alice)
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_settle(%s, %s, 'failed', null, 'It broke.')", [later["id"], later["lease_token"]]
        )
    runs.release(connection, runs.running(connection, alice), delay_seconds=60, reason="The model server is away.")


def say(connection: Connection, user: uuid.UUID, task: Row, metadata: Row) -> None:
    """A message that the person writes past the functions, with what they like in its metadata."""
    with person(connection, user):
        connection.execute(
            "insert into public.messages (conversation_id, task_id, role, content, metadata)"
            " values (%s, %s, 'user', 'And this.', %s)",
            [task["conversation_id"], task["id"], json.dumps(metadata)],
        )


def fail(connection: Connection, task: Row, execution: str) -> None:
    """The call ends in an error."""
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_finish_execution(%s, %s, %s, 'failed', 'no', null, 'It broke.', 12, null, '[]')",
            [task["id"], task["lease_token"], execution],
        )
