"""Answers that were lost on their way: each call can be made again, says the same, and happens once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.db import runs
from tests.db.control import answer, asked, decide, install_asking_probes, lose_worker, pause
from tests.db.impersonation import LEASE_LOST, WRONG_STATE, acting_as, many, one, refused, value
from tests.db.people import People, settle_in
from tests.db.runs import (
    claim,
    execution_row,
    finish,
    record_turn,
    release,
    settle,
    start,
    suspend,
    task_row,
    tool_call,
)

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


def everything(connection: Connection, task: Row) -> list[object]:
    """All that a repetition could change."""
    found: list[object] = [task_row(connection, task), runs.messages(connection, task), runs.events(connection, task)]
    for table in ("tool_executions", "files", "execution_decisions", "tools"):
        found.append(many(connection, f"select * from public.{table} order by id"))
    return found


def twice(connection: Connection, task: Row, call: Callable[[], object]) -> object:
    """The call's answer, which is the same when it is made again, and then changes nothing."""
    first = call()
    before = everything(connection, task)
    assert call() == first
    assert everything(connection, task) == before
    return first


def stored(task: Row, filename: str) -> Row:
    path = f"{task['tenant_id']}/{task['id']}/{filename}"
    return {
        "filename": filename, "file_path": path, "file_size": 3, "mime_type": "text/plain", "file_hash": "0" * 64,
    }  # fmt: skip


# A step


@pytest.mark.parametrize("started", [True, False])
def test_a_turn(connection: Connection, task: Row, started: bool) -> None:
    calls = [
        tool_call("probe_pure", "c1"),
        tool_call("probe", "c2"),
        tool_call("no_such", "c3"),
        tool_call("probe_two"),
    ]
    twice(connection, task, lambda: record_turn(connection, task, 1, *calls, start=started))
    assert task_row(connection, task)["usage"]["tool_calls"] == started


def test_a_turn_that_was_recorded_by_a_worker_that_died(connection: Connection, task: Row) -> None:
    calls = [tool_call("probe_pure", "c1")]
    first = record_turn(connection, task, 1, *calls, start=True)
    lose_worker(connection, task)
    (again,) = claim(connection)
    assert record_turn(connection, again, 1, *calls, start=True)["executions"] == first["executions"]
    with refused(LEASE_LOST):
        record_turn(connection, task, 1, *calls)


@pytest.mark.parametrize("tool", ["probe_pure", "probe_confirm_pure"])
def test_a_start(connection: Connection, people: People, task: Row, tool: str) -> None:
    execution = asked(connection, task, tool)
    if tool == "probe_confirm_pure":
        decide(connection, people.alice, execution)

    def begin() -> Row:
        with acting_as(connection, "agent_worker"):
            started: Row = value(
                connection, "select public.worker_start_execution(%s, %s, %s)",
                task["id"], task["lease_token"], execution,
            )  # fmt: skip
        return started

    answered = twice(connection, task, begin)
    assert answered["usage"]["tool_calls"] == 1  # type: ignore[index]
    # The next run's start is another one.
    lose_worker(connection, task)
    (again,) = claim(connection)
    start(connection, again, execution)
    assert task_row(connection, task)["usage"]["tool_calls"] == 2


def test_the_start_of_an_unsafe_call_whose_answer_was_lost_is_refused(connection: Connection, task: Row) -> None:
    """Nobody but the caller knows whether the effect has begun: it says that it did not run, and nothing ran twice."""
    execution = asked(connection, task, "probe")
    start(connection, task, execution)
    before = everything(connection, task)
    with refused(WRONG_STATE, "never runs again"):
        start(connection, task, execution)
    assert everything(connection, task) == before
    finish(connection, task, execution, "failed")


@pytest.mark.parametrize("status", ["completed", "failed", "in_doubt"])
@pytest.mark.parametrize("following", ["probe_pure", "probe", "probe_confirm"])
def test_a_result(connection: Connection, task: Row, status: str, following: str) -> None:
    turn = record_turn(connection, task, 1, tool_call("probe", "c1"), tool_call(following, "c2"))
    execution, after = (e["id"] for e in turn["executions"])
    start(connection, task, execution)
    effect = {"kind": "notify", "text": "Half way."}
    files = [stored(task, "a"), stored(task, "b")]
    recorded = twice(
        connection,
        task,
        lambda: finish(connection, task, execution, status, effect=effect, files=files, following=after),
    )
    used = task_row(connection, task)["usage"]
    assert used["tool_calls"] == (2 if following == "probe_pure" else 1)
    assert execution_row(connection, after)["status"] == {
        "probe_pure": "running", "probe": "pending", "probe_confirm": "awaiting_approval",
    }[following]  # fmt: skip
    assert [e["id"] for e in recorded["executions"]] == [execution, after]  # type: ignore[index]
    assert len(runs.events(connection, task, "task.notice")) == (status == "completed")


def test_a_result_of_which_another_was_recorded(connection: Connection, task: Row) -> None:
    execution = runs.executed(connection, task, 1)
    for status in ("failed", "in_doubt"):
        with refused(WRONG_STATE, "cannot go from completed"):
            finish(connection, task, execution, status)


def test_files(connection: Connection, task: Row) -> None:
    def add() -> None:
        with acting_as(connection, "agent_worker"):
            connection.execute(
                "select public.worker_add_files(%s, %s, jsonb_build_array(%s::jsonb))",
                [task["id"], task["lease_token"], Jsonb(stored(task, "a"))],
            )

    twice(connection, task, add)


# The end of a run


@pytest.mark.parametrize(
    ("reason", "status"), [("answer", "waiting"), ("approval", "waiting"), ("doubt", "pending"), ("pause", "pending")]
)
def test_a_suspension(connection: Connection, task: Row, reason: str, status: str) -> None:
    asked(connection, task)
    assert twice(connection, task, lambda: suspend(connection, task, reason)) == status


def test_a_suspension_for_a_pause(connection: Connection, people: People, task: Row) -> None:
    pause(connection, people.alice, task)
    assert twice(connection, task, lambda: suspend(connection, task, "pause")) == "paused"


def test_a_suspension_after_which_the_task_went_on(connection: Connection, people: People, task: Row) -> None:
    runs.executed(connection, task, 1)
    assert suspend(connection, task, "answer") == "waiting"
    answer(connection, people.alice, task)
    assert suspend(connection, task, "answer") == "pending"
    (again,) = claim(connection)
    before = everything(connection, task)
    assert suspend(connection, task, "answer") == "running"
    assert everything(connection, task) == before
    with refused(LEASE_LOST):
        suspend(connection, task, "approval")
    release(connection, again)
    with refused(LEASE_LOST):
        suspend(connection, task, "answer")


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_end(connection: Connection, task: Row, status: str) -> None:
    asked(connection, task)
    assert twice(connection, task, lambda: settle(connection, task, status)) is True
    for other in {"completed", "failed", "cancelled"} - {status}:
        with refused(LEASE_LOST):
            settle(connection, task, other)


@pytest.mark.parametrize("delay_seconds", [0, 60])
def test_a_release(connection: Connection, task: Row, delay_seconds: float) -> None:
    twice(connection, task, lambda: release(connection, task, delay_seconds, "The model server is away."))
    given_back = task_row(connection, task)
    assert (given_back["retries"], given_back["attempts"]) == (delay_seconds > 0, 0)
    assert len(runs.events(connection, task, "task.notice")) == 1


def test_a_release_after_which_the_task_was_claimed_takes_nothing_back(connection: Connection, task: Row) -> None:
    release(connection, task)
    (again,) = claim(connection)
    release(connection, task)
    assert task_row(connection, task)["lease_token"] == again["lease_token"]


@pytest.mark.parametrize("write", [release, settle, lambda c, t: suspend(c, t, "answer")])
def test_a_repetition_with_another_lease_is_none(
    connection: Connection, task: Row, write: Callable[[Connection, Row], object]
) -> None:
    write(connection, task)
    for lease in ("00000000-0000-4000-8000-00000000beef", None):
        with refused(LEASE_LOST):
            write(connection, task | {"lease_token": lease})


# A worker


def test_a_registration(connection: Connection) -> None:
    def register() -> Row:
        with acting_as(connection, "agent_worker"):
            found: Row = value(connection, "select public.worker_register(%s, 'host', 1, '0', 4, 2)", runs.WORKER)
        return found

    assert register() == register()
    assert value(connection, "select count(*) from public.workers where id = %s", runs.WORKER) == 1


def test_a_registration_after_a_goodbye_is_a_return(connection: Connection) -> None:
    with acting_as(connection, "agent_worker"):
        connection.execute("select public.worker_stopped(%s)", [runs.WORKER])
    assert value(connection, "select stopped_at is not null from public.workers where id = %s", runs.WORKER)
    runs.register(connection)
    assert value(connection, "select stopped_at is null from public.workers where id = %s", runs.WORKER)


def test_a_renewal(connection: Connection, task: Row) -> None:
    def renew() -> Row:
        with acting_as(connection, "agent_worker"):
            return one(
                connection, "select * from public.worker_renew(%s, %s, %s, 60)",
                runs.WORKER, [task["id"]], [task["lease_token"]],
            )  # fmt: skip

    twice(connection, task, renew)


# A person's word at the last moment


def test_a_task_does_not_end_before_the_model_has_seen_what_a_person_wrote(
    connection: Connection, people: People, task: Row
) -> None:
    record_turn(connection, task, 1, content="All done.")
    answer(connection, people.alice, task, "Wait, one more thing.")
    before = everything(connection, task)
    for _ in range(2):
        assert settle(connection, task) is False
        assert everything(connection, task) == before
    with acting_as(connection, "agent_worker"):
        context = value(connection, "select public.worker_context(%s, %s)", task["id"], task["lease_token"])
    assert context["messages"][-1]["content"] == "Wait, one more thing."
    record_turn(connection, task, 2, content="That too.")
    assert settle(connection, task) is True


def test_a_word_that_came_while_the_model_thought_is_unseen(connection: Connection, people: People, task: Row) -> None:
    seen = value(connection, "select max(seq) from public.messages where task_id = %s", task["id"])
    answer(connection, people.alice, task, "Stop!")
    with acting_as(connection, "agent_worker"):
        turn = value(
            connection,
            "select public.worker_record_turn(%s, %s, 1, 'Done.', '[]', '{}', '{}', %s)",
            task["id"], task["lease_token"], seen,
        )  # fmt: skip
    assert [m["role"] for m in turn["messages"]] == ["user", "assistant"]
    assert settle(connection, task) is False


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_other_ends_wait_for_no_word(connection: Connection, people: People, task: Row, status: str) -> None:
    record_turn(connection, task, 1)
    answer(connection, people.alice, task)
    assert settle(connection, task, status) is True


def test_another_tasks_words_keep_no_task_from_its_end(connection: Connection, people: People, task: Row) -> None:
    record_turn(connection, task, 1)
    runs.submit(connection, people.alice, conversation=task["conversation_id"])
    assert settle(connection, task) is True
