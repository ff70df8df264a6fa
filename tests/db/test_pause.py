"""A pause holds a task wherever it is, and it goes on from there: what it waited for, who may, and who hears of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.control import answer, asked, cancel, decide, install_asking_probes, lose_worker, pause, resume
from tests.db.impersonation import DENIED, NOT_FOUND, WRONG_STATE, acting_as, one, person, refused, value
from tests.db.people import People, settle_in
from tests.db.races import connect
from tests.db.runs import claim, execution_row, record_turn, start, submit, suspend, task_row, tool_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row


@pytest.fixture(scope="module")
def people(shared_database: Database) -> Iterator[People]:
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        people = settle_in(connection)
        install_asking_probes(connection)
        yield people


@pytest.fixture
def task(connection: Connection, people: People) -> Row:
    return runs.running(connection, people.alice)


def walked(connection: Connection, task: Row) -> list[str]:
    """The task's states, as its timeline tells them."""
    return [e["payload"]["status"] for e in runs.events(connection, task, "task.status")]


def asked_for(connection: Connection, task: Row) -> list[str]:
    return [e["payload"]["request"] for e in runs.events(connection, task, "task.control")]


# Tasks that nobody runs


def test_a_pending_task_is_paused_at_once_and_goes_on(connection: Connection, people: People) -> None:
    task = submit(connection, people.alice)
    paused = pause(connection, people.alice, task)
    assert (paused["status"], paused["pause_requested_at"] is not None) == ("paused", True)
    assert claim(connection) == []
    resumed = resume(connection, people.alice, task)
    assert (resumed["status"], resumed["pause_requested_at"]) == ("pending", None)
    assert [t["id"] for t in claim(connection)] == [task["id"]]
    assert walked(connection, task) == ["paused", "pending", "running"]
    assert asked_for(connection, task) == []


def test_a_task_for_later_stays_one(connection: Connection, people: People) -> None:
    task = submit(connection, people.alice, run_after=value(connection, "select now() + interval '1 hour'"))
    pause(connection, people.alice, task)
    assert resume(connection, people.alice, task)["run_after"] == task["run_after"]
    assert claim(connection) == []
    pause(connection, people.alice, task)
    connection.execute("update public.tasks set run_after = now() - interval '1 s' where id = %s", [task["id"]])
    assert claim(connection) == []
    assert task_row(connection, task)["status"] == "paused"
    resume(connection, people.alice, task)
    assert [t["id"] for t in claim(connection)] == [task["id"]]


@pytest.mark.parametrize("answered", [True, False])
def test_a_task_that_waits_for_an_answer_can_be_paused(
    connection: Connection, people: People, task: Row, answered: bool
) -> None:
    runs.executed(connection, task, 1)
    assert suspend(connection, task, "answer") == "waiting"
    paused = pause(connection, people.alice, task)
    assert (paused["status"], paused["wait_reason"]) == ("paused", None)
    if answered:
        assert answer(connection, people.alice, task)["status"] == "paused"
    assert claim(connection) == []
    assert resume(connection, people.alice, task)["status"] == "pending"
    (again,) = claim(connection)
    assert suspend(connection, again, "answer") == ("pending" if answered else "waiting")


@pytest.mark.parametrize("verdict", ["approved", "denied", "nobody in time", "nobody yet"])
def test_what_is_decided_while_a_task_is_paused_is_heard_when_it_goes_on(
    connection: Connection, people: People, task: Row, verdict: str
) -> None:
    execution = asked(connection, task)
    suspend(connection, task, "approval")
    pause(connection, people.alice, task)
    match verdict:
        case "approved" | "denied":
            decide(connection, people.alice, execution, verdict == "approved")
        case "nobody in time":
            connection.execute("update public.tool_executions set approval_expires_at = now() - interval '1 s'")
            runs.reap(connection)
            assert execution_row(connection, execution)["status"] == "denied"
    assert task_row(connection, task)["status"] == "paused"
    assert claim(connection) == []
    resume(connection, people.alice, task)
    (again,) = claim(connection)
    if verdict == "approved":
        start(connection, again, execution)
    assert suspend(connection, again, "approval") == ("waiting" if verdict == "nobody yet" else "pending")
    said = [m for m in runs.messages(connection, task) if m["role"] == "tool"]
    assert len(said) == (verdict in ("denied", "nobody in time"))


def test_a_paused_task_is_cancelled_at_once(connection: Connection, people: People, task: Row) -> None:
    execution = asked(connection, task)
    suspend(connection, task, "approval")
    pause(connection, people.alice, task)
    assert cancel(connection, people.alice, task)["status"] == "cancelled"
    assert execution_row(connection, execution)["status"] == "cancelled"
    with refused(WRONG_STATE, "is cancelled: it is not paused"):
        resume(connection, people.alice, task)


# A task that runs


def test_a_running_task_is_paused_through_its_worker(connection: Connection, people: People, task: Row) -> None:
    asked_to = pause(connection, people.alice, task)
    assert (asked_to["status"], asked_to["lease_token"]) == ("running", task["lease_token"])
    with acting_as(connection, "agent_worker"):
        renewed = one(
            connection, "select * from public.worker_renew(%s, %s, %s, 60)",
            runs.WORKER, [task["id"]], [task["lease_token"]],
        )  # fmt: skip
    assert (renewed["held"], renewed["pause_requested"], renewed["cancel_requested"]) == (True, True, False)
    assert suspend(connection, task, "pause") == "paused"
    held = task_row(connection, task)
    assert (held["lease_token"], held["worker_id"], held["wait_reason"], held["attempts"]) == (None, None, None, 0)
    assert claim(connection) == []
    resume(connection, people.alice, task)
    (again,) = claim(connection)
    assert suspend(connection, again, "pause") == "pending"
    assert walked(connection, task) == ["running", "paused", "pending", "running", "pending"]
    assert asked_for(connection, task) == ["pause"]


def test_a_pause_that_is_taken_back_before_the_worker_heard_is_none(
    connection: Connection, people: People, task: Row
) -> None:
    pause(connection, people.alice, task)
    assert resume(connection, people.alice, task)["status"] == "running"
    assert suspend(connection, task, "pause") == "pending"
    assert asked_for(connection, task) == ["pause", "resume"]
    assert len(claim(connection)) == 1


@pytest.mark.parametrize("reason", ["answer", "approval", "doubt", "schedule"])
def test_a_run_that_came_to_wait_by_itself_is_paused_all_the_same(
    connection: Connection, people: People, task: Row, reason: str
) -> None:
    asked(connection, task)
    pause(connection, people.alice, task)
    assert suspend(connection, task, reason) == "paused"
    assert task_row(connection, task)["wait_reason"] is None
    assert resume(connection, people.alice, task)["status"] == "pending"


@pytest.mark.parametrize("delay_seconds", [0, 60])
def test_a_run_that_was_given_back_is_paused(
    connection: Connection, people: People, task: Row, delay_seconds: float
) -> None:
    pause(connection, people.alice, task)
    runs.release(connection, task, delay_seconds)
    held = task_row(connection, task)
    assert (held["status"], held["run_after"] is not None) == ("paused", delay_seconds > 0)
    assert resume(connection, people.alice, task)["status"] == "pending"
    assert len(claim(connection)) == (delay_seconds == 0)


def test_a_run_whose_worker_died_is_paused_and_the_crash_counts(
    connection: Connection, people: People, task: Row
) -> None:
    pause(connection, people.alice, task)
    assert lose_worker(connection, task) == "paused"
    assert task_row(connection, task)["attempts"] == 1
    assert claim(connection) == []


def test_the_last_crash_ends_a_task_that_was_to_be_paused(connection: Connection, people: People, task: Row) -> None:
    pause(connection, people.alice, task)
    connection.execute("update public.tasks set max_attempts = 1 where id = %s", [task["id"]])
    assert lose_worker(connection, task) == "failed"


@pytest.mark.parametrize("way", ["suspend", "release", "reap"])
def test_an_end_that_is_asked_for_wins_over_a_pause(
    connection: Connection, people: People, task: Row, way: str
) -> None:
    pause(connection, people.alice, task)
    cancel(connection, people.alice, task)
    match way:
        case "suspend":
            assert suspend(connection, task, "pause") == "cancelled"
        case "release":
            runs.release(connection, task)
        case _:
            lose_worker(connection, task)
    assert task_row(connection, task)["status"] == "cancelled"
    assert asked_for(connection, task) == ["pause", "cancel"]


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_run_that_ended_first_has_ended(connection: Connection, people: People, task: Row, status: str) -> None:
    pause(connection, people.alice, task)
    assert runs.settle(connection, task, status)
    assert task_row(connection, task)["status"] == status
    for ask in (pause, resume):
        with refused(WRONG_STATE, f"is {status}"):
            ask(connection, people.alice, task)


def test_nothing_more_is_started_along_the_way(connection: Connection, people: People, task: Row) -> None:
    turn = record_turn(connection, task, 1, tool_call("probe_pure", "c1"), tool_call("probe_pure", "c2"), start=True)
    first, second = turn["executions"]
    assert (first["status"], second["status"]) == ("running", "pending")
    pause(connection, people.alice, task)
    runs.finish(connection, task, first["id"], following=second["id"])
    assert execution_row(connection, second["id"])["status"] == "pending"
    with acting_as(connection, "agent_worker"):
        late = value(
            connection,
            "select public.worker_record_turn(%s, %s, 2, '', %s, '{}', '{}', null, true)",
            task["id"], task["lease_token"], json.dumps([tool_call("probe_pure", "c3")]),
        )  # fmt: skip
    assert [e["status"] for e in late["executions"]] == ["pending"]


# Asking


def test_asking_twice_is_asking_once(connection: Connection, people: People, task: Row) -> None:
    first = pause(connection, people.alice, task)
    assert pause(connection, people.alice, task) == first
    assert asked_for(connection, task) == ["pause"]
    suspend(connection, task, "pause")
    assert pause(connection, people.alice, task)["status"] == "paused"
    resume(connection, people.alice, task)
    with refused(WRONG_STATE, "is pending: it is not paused"):
        resume(connection, people.alice, task)


@pytest.mark.parametrize("who", ["frank", "vera", "dan", "eve", "bob"])
@pytest.mark.parametrize("ask", [pause, resume])
@pytest.mark.parametrize("state", ["running", "pending"])
def test_only_the_tasks_owner_holds_it_and_lets_it_go_on(
    connection: Connection, people: People, who: str, ask: Callable[[Connection, object, Row], Row], state: str
) -> None:
    task = runs.running(connection, people.alice) if state == "running" else submit(connection, people.alice)
    if ask is resume:
        pause(connection, people.alice, task)
    before = task_row(connection, task)
    # Who sees the task, as the tenant's admin does, is told why; to others it is not there.
    with person(connection, getattr(people, who)):
        sees = value(connection, "select count(*) from public.tasks where id = %s", task["id"])
    with refused(DENIED if sees else NOT_FOUND):
        ask(connection, getattr(people, who), task)
    assert task_row(connection, task) == before


@pytest.mark.parametrize("change", ["role = 'viewer'", "is_active = false"])
def test_an_owner_who_may_write_no_more_holds_nothing(
    connection: Connection, people: People, task: Row, change: str
) -> None:
    connection.execute(f"update public.users set {change} where id = %s", [people.alice])
    with refused(DENIED if "viewer" in change else NOT_FOUND):
        pause(connection, people.alice, task)


def test_a_pause_by_a_direct_write_is_of_now(connection: Connection, people: People, task: Row) -> None:
    other = submit(connection, people.alice)
    for state in (task, other):
        with person(connection, people.alice):
            connection.execute("update public.tasks set pause_requested_at = '1970-01-01' where id = %s", [state["id"]])
        assert value(connection, "select pause_requested_at = now() from public.tasks where id = %s", state["id"])
    assert task_row(connection, other)["status"] == "paused"
    with person(connection, people.alice):
        connection.execute("update public.tasks set pause_requested_at = null where id = %s", [other["id"]])
    assert task_row(connection, other)["status"] == "pending"


def test_the_worker_of_a_running_task_is_told_at_once(database: Database) -> None:
    with connect(database) as owner, connect(database) as listener:
        runs.install_probes(owner)
        runs.register(owner)
        alice = runs.sign_up(owner, "alice@example.org")
        listener.execute("listen agent_runtime_control")
        listener.execute("listen agent_runtime_pending")

        def heard() -> list[tuple[str, str]]:
            # A statement of its own brings along whatever was told before it.
            listener.execute("select 1")
            return [(n.channel, n.payload) for n in listener.notifies(timeout=0)]

        waiting = submit(owner, alice)
        heard()
        pause(owner, alice, waiting)
        assert heard() == []
        resume(owner, alice, waiting)
        assert heard() == [("agent_runtime_pending", "")]
        (task,) = claim(owner)
        pause(owner, alice, task)
        pause(owner, alice, task)
        assert heard() == [("agent_runtime_control", str(task["id"]))]
        resume(owner, alice, task)
        assert heard() == [("agent_runtime_control", str(task["id"]))]
        pause(owner, alice, task)
        heard()
        assert suspend(owner, task, "pause") == "paused"
        assert heard() == []
