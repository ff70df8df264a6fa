"""The task's life: submitted, claimed, waiting, given back, taken back, cancelled, ended."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.db import runs
from tests.db.impersonation import (
    DENIED,
    INVALID,
    LEASE_LOST,
    LIMIT,
    NOT_FOUND,
    WRONG_STATE,
    acting_as,
    many,
    one,
    person,
    refused,
    value,
)
from tests.db.runs import claim, execution_row, reap, record_turn, submit, task_row, tool_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.db.impersonation import Connection, Row


@pytest.fixture
def alice(connection: Connection) -> uuid.UUID:
    runs.install_probes(connection)
    runs.register(connection)
    return runs.sign_up(connection, "alice@example.org")


@pytest.fixture
def task(connection: Connection, alice: uuid.UUID) -> Row:
    return runs.running(connection, alice)


def cancel(connection: Connection, user: uuid.UUID, task: Row) -> Row:
    with person(connection, user):
        return one(connection, "select * from public.cancel_task(%s)", task["id"])


def answer(connection: Connection, user: uuid.UUID, task: Row, text: str | None = "Yes.") -> Row:
    with person(connection, user):
        return one(connection, "select * from public.answer_task(%s, %s)", task["id"], text)


def decide(connection: Connection, user: uuid.UUID, execution: str, approve: bool | None, reason: str = "") -> Row:
    with person(connection, user):
        return one(connection, "select * from public.decide_execution(%s, %s, %s)", execution, approve, reason)


def awaiting(connection: Connection, task: Row) -> str:
    execution: str = record_turn(connection, task, 1, tool_call("probe_confirm"))["executions"][0]["id"]
    return execution


# Claiming


def test_the_claim_takes_by_priority_then_by_age(connection: Connection, alice: uuid.UUID) -> None:
    order = [submit(connection, alice, priority=priority)["id"] for priority in (1, 1, 5, 3)]
    for age, task in enumerate(order):
        connection.execute(
            "update public.tasks set created_at = now() - %s * interval '1 s' where id = %s", [age, task]
        )
    assert [t["id"] for t in claim(connection, 3)] == [order[2], order[3], order[1]]
    assert [t["id"] for t in claim(connection, 3)] == [order[0]]
    assert claim(connection) == []


def test_a_claim_leases_the_task(connection: Connection, alice: uuid.UUID) -> None:
    submit(connection, alice)
    (task,) = claim(connection, lease_seconds=30)
    assert (task["status"], task["worker_id"], task["attempts"]) == ("running", runs.WORKER, 0)
    assert task["lease_token"] is not None
    assert task["started_at"] is not None
    assert value(connection, "select %s - now() = interval '30 s'", task["lease_expires_at"])


def test_nobody_runs_more_tasks_than_max_concurrent_tasks(connection: Connection, alice: uuid.UUID) -> None:
    bob = runs.sign_up(connection, "bob@example.org")
    connection.execute("update public.system_config set config_value = '2' where config_key = 'max_concurrent_tasks'")
    for _ in range(4):
        submit(connection, alice, priority=5)
    submit(connection, bob)
    claimed = claim(connection, 10)
    # Tenants take turns at every second one.
    assert sorted(t["user_id"] for t in claimed) == sorted([alice, alice, bob])
    assert claim(connection, 10) == []
    runs.settle(connection, next(t for t in claimed if t["user_id"] == alice))
    assert [t["user_id"] for t in claim(connection, 10)] == [alice]


def test_a_task_for_later_is_claimed_when_its_time_has_come(connection: Connection, alice: uuid.UUID) -> None:
    task = submit(connection, alice, run_after=value(connection, "select now() + interval '1 hour'"))
    assert claim(connection) == []
    connection.execute("update public.tasks set run_after = now() - interval '1 s' where id = %s", [task["id"]])
    (claimed,) = claim(connection)
    assert (claimed["id"], claimed["run_after"]) == (task["id"], None)


def test_nobody_makes_its_task_older_than_it_is(connection: Connection, alice: uuid.UUID) -> None:
    conversation = submit(connection, alice)["conversation_id"]
    with person(connection, alice):
        connection.execute(
            "insert into public.tasks (conversation_id, title, created_at) values (%s, 'First!', '1970-01-01')",
            [conversation],
        )
    assert value(connection, "select created_at = now() from public.tasks where title = 'First!'")


# Leases: each fenced write with a token that is no longer the row's is refused and changes nothing.

FENCED: dict[str, Callable[[Connection, Row, str], object]] = {
    "context": lambda c, t, e: c.execute("select public.worker_context(%s, %s)", [t["id"], t["lease_token"]]),
    "add_files": lambda c, t, e: c.execute("select public.worker_add_files(%s, %s, '[]')", [t["id"], t["lease_token"]]),
    "record_turn": lambda c, t, e: record_turn(c, t, 2),
    "record_turn again": lambda c, t, e: record_turn(c, t, 1),
    "start_execution": lambda c, t, e: runs.start(c, t, e),
    "finish_execution": lambda c, t, e: runs.finish(c, t, e),
    "suspend": lambda c, t, e: runs.suspend(c, t, "answer"),
    "settle": lambda c, t, e: runs.settle(c, t),
    "release": lambda c, t, e: runs.release(c, t),
}


@pytest.mark.parametrize("write", FENCED)
@pytest.mark.parametrize("lost_by", ["another claim", "a reap", "a made-up token", "no token", "the end"])
def test_a_write_without_the_lease_is_refused(
    connection: Connection, alice: uuid.UUID, write: str, lost_by: str
) -> None:
    submit(connection, alice)
    (task,) = claim(connection, lease_seconds=-1)
    execution: str = record_turn(connection, task, 1, tool_call("probe"))["executions"][0]["id"]
    if lost_by in ("another claim", "a reap"):
        assert [r["status"] for r in reap(connection)] == ["pending"]
        if lost_by == "another claim":
            assert len(claim(connection)) == 1
    elif lost_by == "the end":
        # Settling as completed a second time is a repetition, and answered as such.
        runs.settle(connection, task, "failed")
    else:
        task |= {"lease_token": uuid.uuid4() if lost_by == "a made-up token" else None}
    before = task_row(connection, task), execution_row(connection, execution), runs.messages(connection, task)
    with refused(LEASE_LOST, f"the lease on task {task['id']} is lost"), acting_as(connection, "service_role"):
        FENCED[write](connection, task, execution)
    assert before == (
        task_row(connection, task), execution_row(connection, execution), runs.messages(connection, task)
    )  # fmt: skip


def test_a_renewal_says_what_is_held_and_what_is_asked(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    other = runs.running(connection, alice)
    cancel(connection, alice, other)
    gone = uuid.uuid4()
    with acting_as(connection, "agent_worker"):
        renewed = many(
            connection,
            "select * from public.worker_renew(%s, %s, %s, 90)",
            runs.WORKER, [task["id"], other["id"], gone], [task["lease_token"], other["lease_token"], gone],
        )  # fmt: skip
    assert {r["task_id"]: (r["held"], r["cancel_requested"]) for r in renewed} == {
        task["id"]: (True, False),
        other["id"]: (True, True),
        gone: (False, False),
    }
    assert task_row(connection, task)["lease_expires_at"] > task["lease_expires_at"]


def test_a_renewal_is_a_hot_update_that_nobody_is_told_of(connection: Connection, task: Row) -> None:
    counted = "select pg_stat_get_xact_tuples_{}('public.tasks'::regclass)"
    before = [value(connection, counted.format(kind)) for kind in ("updated", "hot_updated")]
    told = runs.events(connection, task), value(connection, "select count(*) from public.audit_logs")
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_renew(%s, %s, %s, 90)", [runs.WORKER, [task["id"]], [task["lease_token"]]]
        )
    after = [value(connection, counted.format(kind)) for kind in ("updated", "hot_updated")]
    assert [a - b for a, b in zip(after, before, strict=True)] == [1, 1]
    assert told == (runs.events(connection, task), value(connection, "select count(*) from public.audit_logs"))


# Giving back and taking back


def test_a_crash_counts_and_the_last_one_ends_the_task(connection: Connection, alice: uuid.UUID) -> None:
    task = submit(connection, alice)
    connection.execute("update public.tasks set max_attempts = 3 where id = %s", [task["id"]])
    for attempt in (1, 2):
        claim(connection, lease_seconds=-1)
        assert [r["status"] for r in reap(connection)] == ["pending"]
        assert task_row(connection, task)["attempts"] == attempt
    claim(connection, lease_seconds=-1)
    assert [r["status"] for r in reap(connection)] == ["failed"]
    ended = task_row(connection, task)
    assert ended["error_message"] == "limit max_attempts reached: the worker died 3 times while it ran this task"
    assert claim(connection) == []


def test_a_lease_that_holds_is_not_reaped(connection: Connection, task: Row) -> None:
    assert reap(connection) == []


def test_a_crash_leaves_the_ledger_as_it_was(connection: Connection, alice: uuid.UUID) -> None:
    submit(connection, alice)
    (task,) = claim(connection, lease_seconds=-1)
    execution = record_turn(connection, task, 1, tool_call("probe"))["executions"][0]["id"]
    runs.start(connection, task, execution)
    reap(connection)
    (again,) = claim(connection)
    with acting_as(connection, "agent_worker"):
        context = value(connection, "select public.worker_context(%s, %s)", again["id"], again["lease_token"])
    assert [(e["status"], e["tool_name"], e["retry_class"]) for e in context["executions"]] == [
        ("running", "probe", "unsafe")
    ]
    assert [m["role"] for m in context["messages"]] == ["user", "assistant"]
    assert context["agent"]["model_name"] == context["config"]["default_model"]


def test_a_released_task_has_not_failed(connection: Connection, task: Row) -> None:
    runs.release(connection, task)
    assert task_row(connection, task)["attempts"] == 0
    (again,) = claim(connection)
    runs.release(connection, again, delay_seconds=60, reason="The model server is away.")
    assert claim(connection) == []
    assert task_row(connection, task)["attempts"] == 0
    assert runs.events(connection, task, "task.notice")[0]["payload"] == {"text": "The model server is away."}


# Waiting


def test_a_task_waits_without_a_worker_until_its_answer_comes(
    connection: Connection, alice: uuid.UUID, task: Row
) -> None:
    runs.executed(connection, task, 1)
    runs.suspend(connection, task, "answer")
    waiting = task_row(connection, task)
    assert (waiting["status"], waiting["wait_reason"], waiting["worker_id"]) == ("waiting", "answer", None)
    assert claim(connection) == []
    assert answer(connection, alice, task)["status"] == "pending"
    (again,) = claim(connection)
    assert again["attempts"] == 0
    assert runs.messages(connection, task)[-1]["content"] == "Yes."


@pytest.mark.parametrize("moment", ["before the asking is recorded", "after it"])
def test_an_answer_that_comes_before_the_task_waits_is_heard(
    connection: Connection, alice: uuid.UUID, task: Row, moment: str
) -> None:
    execution = record_turn(connection, task, 1, tool_call("probe"))["executions"][0]["id"]
    runs.start(connection, task, execution)
    if moment == "before the asking is recorded":
        answer(connection, alice, task)
    runs.finish(connection, task, execution)
    if moment == "after it":
        answer(connection, alice, task)
    runs.suspend(connection, task, "answer")
    assert task_row(connection, task)["status"] == "pending"


def test_another_task_of_the_conversation_is_no_answer(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    runs.executed(connection, task, 1)
    submit(connection, alice, conversation=task["conversation_id"])
    runs.suspend(connection, task, "answer")
    assert task_row(connection, task)["status"] == "waiting"


@pytest.mark.parametrize(
    ("text", "sqlstate"), [("", INVALID), (" \n\t ", INVALID), (None, INVALID), ("x" * 262145, LIMIT)]
)
def test_an_answer_that_says_nothing_or_too_much_is_refused(
    connection: Connection, alice: uuid.UUID, task: Row, text: str | None, sqlstate: str
) -> None:
    with refused(sqlstate, "answer"):
        answer(connection, alice, task, text)


def test_an_approved_call_runs(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    execution = awaiting(connection, task)
    runs.suspend(connection, task, "approval")
    decided = decide(connection, alice, execution, True)
    assert (decided["status"], decided["decided_by"]) == ("pending", alice)
    (again,) = claim(connection)
    runs.start(connection, again, execution)
    with refused(WRONG_STATE, "nothing to decide"):
        decide(connection, alice, execution, False)


def test_what_was_approved_is_what_runs(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    execution = awaiting(connection, task)
    decide(connection, alice, execution, True)
    with refused(WRONG_STATE, "arguments .* cannot change"), connection.transaction():
        connection.execute(
            'update public.tool_executions set input_parameters = \'{"path": "/"}\' where id = %s', [execution]
        )


def test_a_denied_call_tells_the_model_why(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    execution = awaiting(connection, task)
    runs.suspend(connection, task, "approval")
    assert decide(connection, alice, execution, False, "Too dear.")["status"] == "denied"
    assert task_row(connection, task)["status"] == "pending"
    assert runs.messages(connection, task)[-1]["content"] == "The person denied this call: Too dear."
    with refused(WRONG_STATE, "cannot go from denied to running"):
        runs.start(connection, claim(connection)[0], execution)


def test_a_decision_that_is_none_is_refused(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    with refused(INVALID, "approve"):
        decide(connection, alice, awaiting(connection, task), None)


def test_a_decision_that_comes_before_the_task_waits_is_heard(
    connection: Connection, alice: uuid.UUID, task: Row
) -> None:
    decide(connection, alice, awaiting(connection, task), True)
    runs.suspend(connection, task, "approval")
    assert task_row(connection, task)["status"] == "pending"


# Ending


@pytest.mark.parametrize("state", ["pending", "waiting"])
def test_a_task_that_nobody_runs_is_cancelled_at_once(connection: Connection, alice: uuid.UUID, state: str) -> None:
    task = submit(connection, alice)
    execution = None
    if state == "waiting":
        (task,) = claim(connection)
        execution = awaiting(connection, task)
        runs.suspend(connection, task, "approval")
    ended = cancel(connection, alice, task)
    assert ended["status"] == "cancelled"
    assert ended["completed_at"] is not None
    assert claim(connection) == []
    if execution:
        assert execution_row(connection, execution)["status"] == "cancelled"


@pytest.mark.parametrize("way", ["settle", "suspend", "release", "reap"])
def test_a_running_task_is_asked_to_stop_and_ends_through_its_worker(
    connection: Connection, alice: uuid.UUID, way: str
) -> None:
    submit(connection, alice)
    (task,) = claim(connection, lease_seconds=-1)
    execution = record_turn(connection, task, 1, tool_call("probe"))["executions"][0]["id"]
    runs.start(connection, task, execution)
    assert cancel(connection, alice, task)["status"] == "running"
    assert cancel(connection, alice, task)["status"] == "running"
    assert [e["payload"] for e in runs.events(connection, task, "task.control")] == [{"request": "cancel"}]
    match way:
        case "settle":
            runs.settle(connection, task, "cancelled")
        case "suspend":
            runs.suspend(connection, task, "answer")
        case "release":
            runs.release(connection, task)
        case _:
            assert [r["status"] for r in reap(connection)] == ["cancelled"]
    assert task_row(connection, task)["status"] == "cancelled"
    assert execution_row(connection, execution)["status"] == "cancelled"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_ended_task_stays_as_it_is(connection: Connection, alice: uuid.UUID, task: Row, status: str) -> None:
    runs.settle(connection, task, status)
    ended = task_row(connection, task)
    assert (ended["status"], ended["lease_token"], ended["worker_id"]) == (status, None, None)
    assert ended["progress_percentage"] == (100 if status == "completed" else 0)
    with refused(WRONG_STATE, f"is {status} already"):
        cancel(connection, alice, task)
    with refused(WRONG_STATE, f"is {status} already"):
        answer(connection, alice, task)
    for other in {"pending", "running", "waiting", "paused", "completed", "failed", "cancelled"} - {status}:
        with refused(WRONG_STATE, f"cannot go from {status} to {other}"), connection.transaction():
            connection.execute("update public.tasks set status = %s where id = %s", [other, task["id"]])


@pytest.mark.parametrize("status", ["running", "pending", "nonsense"])
def test_a_task_settles_in_no_other_state(connection: Connection, task: Row, status: str) -> None:
    with refused(INVALID, "cannot settle as"):
        runs.settle(connection, task, status)


@pytest.mark.parametrize("function", ["cancel_task(%s)", "answer_task(%s, 'x')", "decide_execution(%s, true)"])
def test_what_is_not_there_is_not_found(connection: Connection, alice: uuid.UUID, function: str) -> None:
    with refused(NOT_FOUND, "there is no"), person(connection, alice):
        connection.execute(f"select public.{function}", [uuid.uuid4()])


@pytest.mark.parametrize("table", ["messages", "task_events", "audit_logs"])
@pytest.mark.parametrize("statement", ["update {} set created_at = now()", "delete from {}", "truncate {} cascade"])
def test_history_is_never_changed_not_even_by_the_owner(
    connection: Connection, task: Row, table: str, statement: str
) -> None:
    runs.executed(connection, task, 1)
    with refused(DENIED, f"{table} is append-only"), connection.transaction():
        connection.execute(statement.format(f"public.{table}"))
