"""The bounds of a task: the tightest of tenant, agent and task holds, and what was used is counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.control import lose_worker, pause
from tests.db.impersonation import INVALID, LIMIT, acting_as, person, refused, value
from tests.db.people import People, settle_in
from tests.db.runs import claim, execution_row, finish, record_turn, start, suspend, task_row, tool_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row

NAMES = ["steps", "tool_calls", "wall_seconds", "model_tokens", "output_tokens", "output_bytes"]
NAMES += ["child_tasks", "child_tasks_at_once", "child_depth"]


@pytest.fixture(scope="module")
def people(shared_database: Database) -> Iterator[People]:
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        yield settle_in(connection)


def limited(connection: Connection, people: People, **limits: object) -> Row:
    return runs.running(connection, people.alice, limits=json.dumps(limits))


def limit_tenant(connection: Connection, people: People, limits: object) -> None:
    with acting_as(connection, "service_role"):
        connection.execute(
            "update public.tenants set settings = jsonb_build_object('limits', %s::jsonb) where id = %s",
            [json.dumps(limits), people.tenant],
        )


def limit_agent(connection: Connection, people: People, limits: object, agent: str = "Ours") -> None:
    with person(connection, people.alice):
        connection.execute(
            "update public.agents set configuration = jsonb_build_object('limits', %s::jsonb) where name = %s",
            [json.dumps(limits), agent],
        )


def limits_of(connection: Connection, task: Row) -> Row:
    with acting_as(connection, "agent_worker"):
        context: Row = value(connection, "select public.worker_context(%s, %s)", task["id"], task["lease_token"])
    limits: Row = context["limits"]
    return limits


# Which holds


@pytest.mark.parametrize(
    ("tenant", "agent", "task", "holds"),
    [
        ({}, {}, {}, {}),
        ({"steps": 1}, {"steps": 2}, {"steps": 3}, {"steps": 1}),
        ({"steps": 3}, {"steps": 1}, {"steps": 2}, {"steps": 1}),
        ({"steps": 3}, {"steps": 2}, {"steps": 1}, {"steps": 1}),
        ({"steps": 10}, {}, {"steps": 9}, {"steps": 9}),
        ({"steps": 5}, {"tool_calls": 6}, {"wall_seconds": 0.5}, {"steps": 5, "tool_calls": 6, "wall_seconds": 0.5}),
        (None, None, dict.fromkeys(NAMES, 1), dict.fromkeys(NAMES, 1)),
    ],
)
def test_the_tightest_of_tenant_agent_and_task_holds(
    connection: Connection, people: People, tenant: Row | None, agent: Row | None, task: Row, holds: Row
) -> None:
    if tenant is not None:
        limit_tenant(connection, people, tenant)
    if agent is not None:
        limit_agent(connection, people, agent)
    running = runs.running(connection, people.alice, agent="Ours", limits=json.dumps(task))
    assert limits_of(connection, running) == holds


def test_limits_of_others_are_not_ones_own(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.bob)
    limit_tenant(connection, people, {"steps": 1})
    limit_agent(connection, people, {"steps": 1})
    assert limits_of(connection, task) == {}


NONE_OF_THEM = [
    ({"step": 5}, "there is no limit \"step\"; there are: steps, tool_calls, wall_seconds, model_tokens,"),
    ({"": 5}, "there is no limit \"\""),
    ({"x" * 500: 5}, "there is no limit \"x{100}\";"),
    ({"steps": -1}, "limit steps is a number above 0, not -1"),
    ({"steps": 0}, "limit steps is a number above 0, not 0"),
    ({"steps": "5"}, "limit steps is a number above 0, not \"5\""),
    ({"steps": None}, "limit steps is a number above 0, not null"),
    ({"steps": True}, "limit steps is a number above 0, not true"),
    ({"steps": [5]}, "limit steps is a number above 0"),
    ({"steps": 5, "tool_calls": {}}, "limit tool_calls is a number above 0"),
    ([], "limits is an object"),
    ("steps", "limits is an object"),
    (5, "limits is an object"),
]  # fmt: skip


@pytest.mark.parametrize("place", ["task", "agent", "tenant"])
def test_a_limit_that_is_none_is_refused_where_it_is_set(connection: Connection, people: People, place: str) -> None:
    for limits, match in NONE_OF_THEM:
        if limits == "steps" and place == "task":
            continue  # an argument in a string is taken for the JSON in it
        with refused(INVALID, match), connection.transaction():
            set_limits(connection, people, place, limits)


def set_limits(connection: Connection, people: People, place: str, limits: object) -> None:
    match place:
        case "task":
            runs.submit(connection, people.alice, limits=json.dumps(limits))
        case "agent":
            limit_agent(connection, people, limits)
        case _:
            limit_tenant(connection, people, limits)


def test_a_client_that_writes_the_row_itself_is_checked_too(connection: Connection, people: People) -> None:
    with refused(INVALID, "there is no limit"), person(connection, people.alice):
        connection.execute(
            "insert into public.tasks (conversation_id, title, limits) values (%s, 'x', '{\"stepz\": 1}')",
            [people.conversation],
        )


def test_other_settings_are_not_limits(connection: Connection, people: People) -> None:
    with acting_as(connection, "service_role"):
        connection.execute('update public.tenants set settings = \'{"colour": "red"}\'')
        connection.execute("update public.tenants set settings = '[]' where id = %s", [people.tenant])
    assert limits_of(connection, runs.running(connection, people.alice)) == {}


# What the database holds itself


def test_the_step_after_the_last_is_refused_and_leaves_nothing(connection: Connection, people: People) -> None:
    task = limited(connection, people, steps=2)
    for step in (1, 2):
        record_turn(connection, task, step)
    before = task_row(connection, task), runs.messages(connection, task)
    with refused(LIMIT, "limit steps reached: 3 of 2"):
        record_turn(connection, task, 3, tool_call("probe"))
    assert (task_row(connection, task), runs.messages(connection, task)) == before
    # What was done so far is kept, and the answer to a repeated call too.
    record_turn(connection, task, 2)
    assert runs.settle(connection, task, "failed")


def test_a_limit_that_is_lowered_holds_for_what_runs(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.alice)
    record_turn(connection, task, 1)
    limit_tenant(connection, people, {"steps": 1})
    with refused(LIMIT, "limit steps reached: 2 of 1"):
        record_turn(connection, task, 2)


def test_a_call_over_the_limit_does_not_start(connection: Connection, people: People) -> None:
    task = limited(connection, people, tool_calls=1)
    turn = record_turn(connection, task, 1, tool_call("probe", "c1"), tool_call("probe_pure", "c2"))
    unsafe, pure = (e["id"] for e in turn["executions"])
    start(connection, task, unsafe)
    finish(connection, task, unsafe)
    with refused(LIMIT, "limit tool_calls reached: 2 of 1"):
        start(connection, task, pure)
    assert execution_row(connection, pure)["status"] == "pending"
    assert task_row(connection, task)["usage"]["tool_calls"] == 1


@pytest.mark.parametrize("most", [1, 1.5])
def test_neither_a_turn_nor_a_result_starts_a_call_over_the_limit(
    connection: Connection, people: People, most: float
) -> None:
    task = limited(connection, people, tool_calls=most)
    turn = record_turn(connection, task, 1, tool_call("probe_pure", "c1"), tool_call("probe_pure", "c2"), start=True)
    first, second = turn["executions"]
    assert (first["status"], second["status"]) == ("running", "pending")
    finish(connection, task, first["id"], following=second["id"])
    assert execution_row(connection, second["id"])["status"] == "pending"
    later = record_turn(connection, task, 2, tool_call("probe_pure", "c3"), start=True)["executions"][0]
    assert later["status"] == "pending"
    assert task_row(connection, task)["usage"]["tool_calls"] == 1
    with refused(LIMIT, r"limit tool_calls reached: 2 of 1"):
        start(connection, task, later["id"])


def test_half_a_call_is_none(connection: Connection, people: People) -> None:
    task = limited(connection, people, tool_calls=0.5)
    turn = record_turn(connection, task, 1, tool_call("probe_pure"), start=True)
    assert turn["executions"][0]["status"] == "pending"


# What was used


def run_for(connection: Connection, task: Row, seconds: float, lease_seconds: float) -> None:
    """As if the claim were so many seconds ago, and its lease so many seconds long."""
    connection.execute(
        "update public.tasks set claimed_at = now() - %(ago)s * interval '1 s',"
        " lease_expires_at = now() - %(ago)s * interval '1 s' + %(lease)s * interval '1 s' where id = %(task)s",
        {"ago": seconds, "lease": lease_seconds, "task": task["id"]},
    )


def test_the_time_of_each_run_counts_and_waiting_does_not(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.alice)
    assert (task["active_seconds"], task["claimed_at"] is not None) == (0, True)
    # A worker whose lease was over before it wrote counts as long as the lease did.
    run_for(connection, task, 200, 100)
    runs.executed(connection, task, 1)
    assert suspend(connection, task, "approval") == "pending"
    (task,) = claim(connection)
    assert task["active_seconds"] == 100
    run_for(connection, task, 60, 7.5)
    runs.release(connection, task)
    (task,) = claim(connection)
    run_for(connection, task, 60, 2.5)
    pause(connection, people.alice, task)
    assert suspend(connection, task, "pause") == "paused"
    held = task_row(connection, task)
    assert (held["active_seconds"], held["claimed_at"]) == (110, None)


def test_a_dead_workers_time_counts_as_long_as_its_lease(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.alice)
    connection.execute("update public.tasks set claimed_at = now() - interval '41 s' where id = %s", [task["id"]])
    lose_worker(connection, task)
    assert task_row(connection, task)["active_seconds"] == 40


def test_a_lease_that_was_over_when_it_began_counts_nothing(connection: Connection, people: People) -> None:
    runs.submit(connection, people.alice)
    (task,) = claim(connection, lease_seconds=-10)
    runs.reap(connection)
    assert task_row(connection, task)["active_seconds"] == 0


def test_what_a_run_puts_out_is_counted_in_bytes(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.alice)
    turn = record_turn(connection, task, 1, tool_call("probe"), content="ééé")
    start(connection, task, turn["executions"][0]["id"])
    path = f"{task['tenant_id']}/{task['id']}/x"
    files = [
        {"filename": name, "file_path": f"{path}/{name}", "file_size": 1000, "mime_type": "x", "file_hash": "0" * 64}
        for name in ("a", "b")
    ]
    finish(connection, task, turn["executions"][0]["id"], content="résult", files=files)
    used = task_row(connection, task)["usage"]
    assert used == {
        "steps": 1, "prompt_tokens": 7, "tool_calls": 1, "tool_seconds": 0.012, "output_bytes": 6 + 7 + 2000,
    }  # fmt: skip


def test_each_start_counts_wherever_it_is_made(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.alice)
    calls = [tool_call("probe_pure", "c1"), tool_call("probe_pure", "c2"), tool_call("probe", "c3")]
    first, second, third = (e["id"] for e in record_turn(connection, task, 1, *calls, start=True)["executions"])
    assert task_row(connection, task)["usage"]["tool_calls"] == 1
    finish(connection, task, first, following=second)
    assert task_row(connection, task)["usage"]["tool_calls"] == 2
    finish(connection, task, second, following=third)
    assert task_row(connection, task)["usage"]["tool_calls"] == 2
    start(connection, task, third)
    used = task_row(connection, task)["usage"]
    assert (used["tool_calls"], round(used["tool_seconds"], 6)) == (3, 0.024)


def test_no_usage_but_numbers_is_added_and_a_worker_takes_no_step_back(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.alice)
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_record_turn(%s, %s, 1, '', '[]', '{}', %s)",
            [task["id"], task["lease_token"],
             json.dumps({"steps": -5, "prompt_tokens": "9", "output_tokens": None, "model_seconds": 0.5})],
        )  # fmt: skip
    used = task_row(connection, task)["usage"]
    assert used == {"steps": 1, "tool_calls": 0, "output_bytes": 0, "model_seconds": 0.5}
