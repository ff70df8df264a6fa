"""What must hold when several act at the same moment: real connections, open transactions, and no luck."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from tests.db import runs
from tests.db.impersonation import LEASE_LOST, many, person, refused, value
from tests.db.races import PATIENCE_SECONDS, connect, wait_until_blocked, wait_until_settled_or_blocked

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    with connect(database) as connection:
        runs.install_probes(connection)
        runs.register(connection)
        yield connection


@pytest.fixture
def alice(owner: Connection) -> uuid.UUID:
    return runs.sign_up(owner, "alice@example.org")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_no_task_is_given_to_two_workers(database: Database, owner: Connection, threads: ThreadPoolExecutor) -> None:
    people = [runs.sign_up(owner, f"p{i}@example.org") for i in range(20)]
    for user in people:
        for _ in range(5):
            runs.submit(owner, user)
    together = Barrier(8)

    def work() -> list[uuid.UUID]:
        taken = []
        with connect(database) as connection:
            together.wait(PATIENCE_SECONDS)
            while batch := runs.claim(connection, 3):
                for task in batch:
                    taken.append(task["id"])
                    runs.settle(connection, task)
        return taken

    taken = [task for future in [threads.submit(work) for _ in range(8)] for task in future.result(60)]
    assert Counter(Counter(taken).values()) == {1: 100}
    assert value(owner, "select count(*) from public.tasks where status = 'completed'") == 100


def test_the_cap_of_a_user_holds_under_simultaneous_claims(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    owner.execute("update public.system_config set config_value = '5' where config_key = 'max_concurrent_tasks'")
    for _ in range(30):
        runs.submit(owner, alice)
    together = Barrier(8)

    def work() -> int:
        with connect(database) as connection:
            together.wait(PATIENCE_SECONDS)
            return sum(len(runs.claim(connection, 2)) for _ in range(5))

    assert sum(future.result(60) for future in [threads.submit(work) for _ in range(8)]) == 5
    assert value(owner, "select count(*) from public.tasks where status = 'running'") == 5


def test_two_claims_that_count_the_same_full_users_do_not_wait_for_each_other(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    bob = runs.sign_up(owner, "bob@example.org")
    owner.execute("update public.system_config set config_value = '1' where config_key = 'max_concurrent_tasks'")
    for user in (alice, bob):
        runs.submit(owner, user)
        runs.claim(owner)
        for _ in range(3):
            runs.submit(owner, user)
    with connect(database) as first, connect(database) as second:
        with first.transaction():
            # What a claim that has counted Alice's running tasks holds.
            first.execute("select pg_advisory_xact_lock(hashtextextended(%s::text, 4202))", [alice])
            other = threads.submit(runs.claim, second, 5)
            wait_until_settled_or_blocked(owner, second, other)
            assert runs.claim(first, 5) == []
        assert other.result(PATIENCE_SECONDS) == []


def test_a_reap_and_a_claim_over_the_same_conversations_do_not_wait_for_each_other(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    dead_a, dead_b = runs.submit(owner, alice), runs.submit(owner, alice)
    assert len(runs.claim(owner, 2, lease_seconds=-1)) == 2
    runs.submit(owner, alice, conversation=dead_b["conversation_id"], priority=3)
    runs.submit(owner, alice, conversation=dead_a["conversation_id"], priority=2)
    with connect(database) as reaper, connect(database) as claimer:
        with reaper.transaction():
            assert len(many(reaper, "select * from public.worker_reap(1)")) == 1
            claims = threads.submit(runs.claim, claimer, 2)
            wait_until_blocked(owner, claimer)
            assert len(many(reaper, "select * from public.worker_reap(1)")) == 1
        assert len(claims.result(PATIENCE_SECONDS)) == 2


def test_a_write_that_was_open_when_its_task_was_taken_back_is_refused(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    runs.submit(owner, alice)
    (task,) = runs.claim(owner, lease_seconds=-1)
    with connect(database) as worker, connect(database) as reaper:
        with reaper.transaction():
            assert len(runs.reap(reaper)) == 1
            # Its snapshot is older than the reap's commit, and it waits for the row.
            late = threads.submit(refused_settle, worker, task)
            wait_until_blocked(owner, worker)
        late.result(PATIENCE_SECONDS)
    assert runs.task_row(owner, task)["status"] == "pending"
    assert len(runs.messages(owner, task)) == 1


def refused_settle(worker: Connection, task: Row) -> None:
    with refused(LEASE_LOST), worker.transaction():
        runs.record_turn(worker, task, 1)
        runs.settle(worker, task)


def test_a_task_whose_worker_is_writing_is_not_taken_back(
    database: Database, owner: Connection, alice: uuid.UUID
) -> None:
    runs.submit(owner, alice)
    (task,) = runs.claim(owner, lease_seconds=-1)
    with connect(database) as worker:
        with worker.transaction():
            runs.record_turn(worker, task, 1)
            assert runs.reap(owner) == []
            runs.settle(worker, task)
        assert runs.reap(owner) == []
    assert runs.task_row(owner, task)["status"] == "completed"


def test_a_person_can_write_while_the_worker_writes(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    task = runs.running(owner, alice)

    def say(connection: Connection) -> None:
        with person(connection, alice):
            connection.execute(
                "insert into public.messages (conversation_id, task_id, role, content) values (%s, %s, 'user', 'No!')",
                [task["conversation_id"], task["id"]],
            )

    with connect(database) as worker, connect(database) as writer:
        with worker.transaction():
            worker.execute("select private.leased_task(%s, %s)", [task["id"], task["lease_token"]])
            # It holds the conversation and names the task that the worker holds, who wants the conversation next.
            said = threads.submit(say, writer)
            wait_until_settled_or_blocked(owner, writer, said)
            runs.record_turn(worker, task, 1)
        said.result(PATIENCE_SECONDS)
    assert [m["role"] for m in runs.messages(owner, task)] == ["user", "user", "assistant"]


def test_the_same_key_at_the_same_moment_is_one_task_in_one_conversation(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    with ExitStack() as open_connections:
        first, *others = (open_connections.enter_context(connect(database)) for _ in range(5))
        with first.transaction():
            task = runs.submit(first, alice, idempotency_key="once")
            same = [threads.submit(runs.submit, other, alice, idempotency_key="once") for other in others]
            for other in others:
                wait_until_blocked(owner, other)
        assert {future.result(PATIENCE_SECONDS)["id"] for future in same} == {task["id"]}
    assert [value(owner, f"select count(*) from public.{t}") for t in ("tasks", "conversations", "messages")] == [
        1,
        1,
        1,
    ]


def test_order_of_seq_and_of_events_is_order_of_commit(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    task = runs.submit(owner, alice)

    def answer(connection: Connection, text: str) -> None:
        with person(connection, alice):
            connection.execute("select public.answer_task(%s, %s)", [task["id"], text])

    with connect(database) as early, connect(database) as late:
        with early.transaction():
            answer(early, "first")
            waiting = threads.submit(answer, late, "second")
            wait_until_blocked(owner, late)
            assert len(runs.messages(owner, task)) == 1
        waiting.result(PATIENCE_SECONDS)
    said = runs.messages(owner, task)
    assert [m["content"] for m in said] == ["Do it", "first", "second"]
    told = [e["payload"]["seq"] for e in runs.events(owner, task, "message.created")]
    assert told == [m["seq"] for m in said] == sorted(told)


def test_people_of_one_name_who_sign_up_at_the_same_moment_all_get_a_profile(
    database: Database, owner: Connection, threads: ThreadPoolExecutor
) -> None:
    with connect(database) as first, connect(database) as second:
        with first.transaction():
            one = runs.sign_up(first, "ana@one.example")
            other = threads.submit(runs.sign_up, second, "ana@two.example")
            wait_until_blocked(owner, second)
        two = other.result(PATIENCE_SECONDS)
    names = dict(many_pairs(owner, "select id, username from public.users"))
    assert names == {one: "ana", two: f"ana-{two.hex}"}
    assert value(owner, "select count(*) from public.tenants") == 2


def many_pairs(connection: Connection, statement: str) -> list[tuple[uuid.UUID, str]]:
    return [(row["id"], row["username"]) for row in many(connection, statement)]


def test_wake_ups_carry_ids_and_nothing_else(database: Database, owner: Connection, alice: uuid.UUID) -> None:
    with connect(database) as listener:
        listener.execute("listen agent_runtime_pending")
        listener.execute("listen agent_runtime_control")

        def heard() -> list[tuple[str, str]]:
            return [(n.channel, n.payload) for n in listener.notifies(timeout=0.1)]

        task = runs.submit(owner, alice, prompt="secret words")
        runs.submit(owner, alice, run_after=value(owner, "select now() + interval '1 hour'"))
        assert heard() == [("agent_runtime_pending", "")]
        (task,) = runs.claim(owner)
        runs.executed(owner, task, 1)
        assert heard() == []
        with person(owner, alice):
            owner.execute("select public.cancel_task(%s)", [task["id"]])
        assert heard() == [("agent_runtime_control", str(task["id"]))]
        other = runs.running(owner, alice)
        heard()
        runs.release(owner, other)
        assert heard() == [("agent_runtime_pending", "")]


def test_a_claim_that_is_repeated_while_the_first_still_runs_is_given_the_same_tasks(
    database: Database, owner: Connection, alice: uuid.UUID, threads: ThreadPoolExecutor
) -> None:
    tasks = {runs.submit(owner, alice)["id"] for _ in range(3)}
    claim = "select * from public.worker_claim(%s, 2, 60, %s, %s)"
    number = uuid.uuid4()
    with connect(database) as given_up, connect(database) as again:
        given_up.execute("begin")
        first = many(given_up, claim, runs.WORKER, number, False)
        repeated = threads.submit(many, again, claim, runs.WORKER, number, True)
        wait_until_blocked(owner, again)
        given_up.execute("commit")
        second = repeated.result(PATIENCE_SECONDS)
    assert {task["id"] for task in first} == {task["id"] for task in second}
    assert {task["lease_token"] for task in second} == {number}
    (left,) = many(owner, claim, runs.WORKER, uuid.uuid4(), True)
    assert {left["id"]} == tasks - {task["id"] for task in first}


def test_the_start_of_an_unsafe_call_is_repeated_by_who_says_that_it_is_a_repetition(
    owner: Connection, alice: uuid.UUID
) -> None:
    task = runs.running(owner, alice)
    execution = runs.record_turn(owner, task, 1, runs.tool_call("probe"))["executions"][0]["id"]
    runs.start(owner, task, execution)
    start = "select public.worker_start_execution(%s, %s, %s, %s)"
    again = value(owner, start, task["id"], task["lease_token"], execution, True)
    assert (again["execution"]["status"], again["usage"]["tool_calls"]) == ("running", 1)
    with refused("AR003", "in doubt"):
        owner.execute(start, [task["id"], task["lease_token"], execution, False])
