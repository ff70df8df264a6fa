"""A call that a crash cut short, and that nobody may repeat blindly: who is told, who settles it, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.control import asked, cancel, decide, install_asking_probes, lose_worker, pause, resume, settle_doubt
from tests.db.impersonation import INVALID, LIMIT, NOT_FOUND, WRONG_STATE, acting_as, person, refused, value
from tests.db.people import People, settle_in
from tests.db.runs import claim, execution_row, finish, record_turn, start, suspend, task_row, tool_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row

TOLD = "nobody knows whether it took effect"


@pytest.fixture(scope="module")
def people(shared_database: Database) -> Iterator[People]:
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        people = settle_in(connection)
        install_asking_probes(connection)
        yield people


@pytest.fixture
def task(connection: Connection, people: People) -> Row:
    return runs.running(connection, people.alice)


def cut_short(connection: Connection, people: People, task: Row, *tools: str) -> tuple[Row, list[str]]:
    """The worker died while it ran these calls of one turn; the next has looked. The task, and the executions."""
    calls = [tool_call(tool, f"c{number}") for number, tool in enumerate(tools)]
    executions = [e["id"] for e in record_turn(connection, task, 1, *calls)["executions"]]
    for execution in executions:
        if execution_row(connection, execution)["status"] == "awaiting_approval":
            decide(connection, people.alice, execution)
        start(connection, task, execution)
    assert lose_worker(connection, task) == "pending"
    (again,) = claim(connection)
    for execution in executions:
        finish(connection, again, execution, "in_doubt", content=TOLD)
    return again, executions


def said(connection: Connection, task: Row) -> list[tuple[str, str]]:
    return [(m["role"], m["content"]) for m in runs.messages(connection, task)[1:] if m["role"] != "assistant"]


# Nobody had to approve it: the model is told, and looks for itself


def test_the_model_is_told_of_the_doubt_and_later_of_its_end(connection: Connection, people: People, task: Row) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe")
    assert said(connection, task) == [("tool", TOLD)]
    row = settle_doubt(connection, people.alice, execution, True, " The mail is in the outbox. ")
    assert (row["status"], row["error_message"], row["completed_at"] is not None) == ("completed", None, True)
    assert row["output_result"]["content"] == "The mail is in the outbox."
    assert row["output_result"]["settled"] == "happened"
    words = "About the call of probe in step 1 that was in doubt: it did take effect. The mail is in the outbox."
    assert said(connection, task) == [("tool", TOLD), ("user", words)]
    assert runs.messages(connection, task)[-1]["metadata"] == {"settles": execution}
    assert task_row(connection, task)["status"] == "running"
    # The model has not heard it yet, so the task does not end.
    assert not runs.settle(connection, task)
    record_turn(connection, task, 2)
    assert runs.settle(connection, task)


def test_what_did_not_happen_has_failed(connection: Connection, people: People, task: Row) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe")
    row = settle_doubt(connection, people.alice, execution, False)
    assert (row["status"], row["error_message"]) == ("failed", "it did not happen, a person found")
    assert said(connection, task)[-1][1].endswith("that was in doubt: it did not take effect.")
    decisions = "select verdict, user_id, reason from public.execution_decisions where execution_id = %s"
    found = connection.execute(decisions, [execution]).fetchall()
    assert found == [{"verdict": "did_not_happen", "user_id": people.alice, "reason": None}]
    assert runs.events(connection, task, "execution.decision")[-1]["payload"]["verdict"] == "did_not_happen"


@pytest.mark.parametrize("moment", ["before the task waits", "while it waits"])
def test_settling_is_no_answer_to_a_question(connection: Connection, people: People, task: Row, moment: str) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe")
    runs.executed(connection, task, 2)
    if moment == "before the task waits":
        settle_doubt(connection, people.alice, execution, True)
    assert suspend(connection, task, "answer") == "waiting"
    if moment == "while it waits":
        settle_doubt(connection, people.alice, execution, True)
    assert task_row(connection, task)["status"] == "waiting"
    assert claim(connection) == []


def test_settling_wakes_no_task_that_waits_for_an_approval(connection: Connection, people: People, task: Row) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe")
    asked(connection, task, step=2)
    assert suspend(connection, task, "approval") == "waiting"
    settle_doubt(connection, people.alice, execution, True)
    assert task_row(connection, task)["status"] == "waiting"


def test_what_the_model_was_told_of_is_not_waited_for(connection: Connection, people: People, task: Row) -> None:
    task, _ = cut_short(connection, people, task, "probe")
    assert suspend(connection, task, "doubt") == "pending"


# People had to approve it: they settle it, and until then the task waits


def test_a_doubt_about_what_was_approved_waits_for_a_person(connection: Connection, people: People, task: Row) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe_confirm")
    assert said(connection, task) == []
    assert suspend(connection, task, "doubt") == "waiting"
    assert task_row(connection, task)["wait_reason"] == "doubt"
    assert claim(connection) == []
    settle_doubt(connection, people.alice, execution, True, "Paid.")
    assert said(connection, task) == [
        ("tool", "The worker stopped while this call was running. A person looked: it did take effect. Paid.")
    ]
    told = runs.messages(connection, task)[-1]
    assert (told["tool_call_id"], told["metadata"]["execution_id"], told["metadata"]["status"]) == (
        "c0", execution, "completed",
    )  # fmt: skip
    (again,) = claim(connection)
    with acting_as(connection, "agent_worker"):
        context = value(connection, "select public.worker_context(%s, %s)", again["id"], again["lease_token"])
    assert [e["status"] for e in context["executions"]] == ["completed"]
    assert suspend(connection, again, "doubt") == "pending"


def test_a_doubt_that_was_settled_before_the_task_waits_is_not_waited_for(
    connection: Connection, people: People, task: Row
) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe_confirm")
    settle_doubt(connection, people.alice, execution, False)
    assert suspend(connection, task, "doubt") == "pending"


def test_a_task_waits_until_the_last_of_its_doubts_is_settled(
    connection: Connection, people: People, task: Row
) -> None:
    task, (first, second, told) = cut_short(connection, people, task, "probe_confirm", "probe_dangerous", "probe")
    assert suspend(connection, task, "doubt") == "waiting"
    settle_doubt(connection, people.alice, first, True)
    settle_doubt(connection, people.alice, told, True)
    assert task_row(connection, task)["status"] == "waiting"
    settle_doubt(connection, people.dan, second, False)
    assert task_row(connection, task)["status"] == "pending"
    assert [role for role, _ in said(connection, task)] == ["tool", "tool", "user", "tool"]


def test_a_doubt_is_settled_while_the_task_is_paused(connection: Connection, people: People, task: Row) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe_confirm")
    suspend(connection, task, "doubt")
    pause(connection, people.alice, task)
    settle_doubt(connection, people.alice, execution, True)
    assert task_row(connection, task)["status"] == "paused"
    assert len(said(connection, task)) == 1
    resume(connection, people.alice, task)
    assert len(claim(connection)) == 1


def test_a_doubt_does_not_expire_and_is_not_decided(connection: Connection, people: People, task: Row) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe_confirm")
    suspend(connection, task, "doubt")
    connection.execute("update public.tool_executions set approval_expires_at = now() - interval '1 s'")
    runs.reap(connection)
    assert execution_row(connection, execution)["status"] == "in_doubt"
    with refused(WRONG_STATE, "is in_doubt: there is nothing to decide"):
        decide(connection, people.alice, execution)


# Neither a worker nor time makes it certain


@pytest.mark.parametrize("tool", ["probe", "probe_confirm"])
@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_worker_does_not_settle_a_doubt(
    connection: Connection, people: People, task: Row, tool: str, status: str
) -> None:
    task, (execution,) = cut_short(connection, people, task, tool)
    before = said(connection, task), execution_row(connection, execution)
    with refused(WRONG_STATE, "is in doubt: a person settles it"):
        finish(connection, task, execution, status)
    with refused(WRONG_STATE):
        start(connection, task, execution)
    assert (said(connection, task), execution_row(connection, execution)) == before


@pytest.mark.parametrize("tool", ["probe", "probe_confirm"])
def test_a_doubt_recorded_twice_is_one(connection: Connection, people: People, task: Row, tool: str) -> None:
    task, (execution,) = cut_short(connection, people, task, tool)
    before = said(connection, task)
    finish(connection, task, execution, "in_doubt", content=TOLD)
    assert said(connection, task) == before


@pytest.mark.parametrize("tool", ["probe", "probe_confirm"])
@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_what_is_in_doubt_stays_so_when_the_task_ends_and_can_be_settled_then(
    connection: Connection, people: People, task: Row, tool: str, end: str
) -> None:
    task, (execution,) = cut_short(connection, people, task, tool)
    if end == "cancelled":
        suspend(connection, task, "doubt")
        cancel(connection, people.alice, task)
    else:
        assert runs.settle(connection, task, end)
    assert execution_row(connection, execution)["status"] == "in_doubt"
    before, ended = said(connection, task), task_row(connection, task)
    settle_doubt(connection, people.alice, execution, True, "It was there.")
    assert execution_row(connection, execution)["status"] == "completed"
    assert (said(connection, task), task_row(connection, task)) == (before, ended)


# Who, and once


@pytest.mark.parametrize("who", ["frank", "vera", "eve", "bob"])
def test_strangers_settle_nothing(connection: Connection, people: People, task: Row, who: str) -> None:
    _, (execution,) = cut_short(connection, people, task, "probe")
    with refused(NOT_FOUND, "there is no tool execution"):
        settle_doubt(connection, getattr(people, who), execution, True)


@pytest.mark.parametrize("who", ["alice", "dan"])
def test_the_owner_and_the_tenants_admin_settle_it_once(
    connection: Connection, people: People, task: Row, who: str
) -> None:
    task, (execution,) = cut_short(connection, people, task, "probe")
    settle_doubt(connection, getattr(people, who), execution, True)
    for again in ("alice", "dan"):
        for happened in (True, False):
            with refused(WRONG_STATE, "is completed: it is not in doubt"):
                settle_doubt(connection, getattr(people, again), execution, happened)
    assert len(said(connection, task)) == 2


def test_what_is_in_no_doubt_is_not_settled(connection: Connection, people: People, task: Row) -> None:
    waiting = asked(connection, task)
    done = runs.executed(connection, task, 2)
    for execution, status in ((waiting, "awaiting_approval"), (done, "completed")):
        with refused(WRONG_STATE, f"is {status}: it is not in doubt"):
            settle_doubt(connection, people.alice, execution, True)


def test_a_settlement_that_says_nothing_or_too_much_is_refused(
    connection: Connection, people: People, task: Row
) -> None:
    _, (execution,) = cut_short(connection, people, task, "probe")
    with refused(INVALID, "p_happened"), person(connection, people.alice):
        connection.execute("select public.settle_execution(%s, null)", [execution])
    with refused(LIMIT, "limit result_bytes reached: 65537 bytes"):
        settle_doubt(connection, people.alice, execution, True, "x" * 65537)
