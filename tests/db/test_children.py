"""Children of a task: made once, woken for, stopped with their parent, tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.db import runs
from tests.db.impersonation import acting_as, many, one, person, value
from tests.db.runs import tool_call

if TYPE_CHECKING:
    from uuid import UUID

    from tests.db.impersonation import Connection, Row

ITEMS = ["Ada", "Grace", "Edsger", "Barbara", "Tony", "Donald"]


@pytest.fixture
def ana(connection: Connection) -> UUID:
    runs.install_probes(connection)
    connection.execute(
        "update public.agents set tools_enabled = tools_enabled || '{spawn_tasks,retry_tasks}' where name = 'Prober'"
    )
    runs.register(connection)
    return runs.sign_up(connection, "ana@example.org")


def begin(connection: Connection, task: Row, step: int, tool: str = "spawn_tasks", **arguments: Any) -> str:
    """A call of the tool, started; its execution."""
    given = {"instructions": "Look them up.", "items": ITEMS} | arguments if tool == "spawn_tasks" else arguments
    recorded = runs.record_turn(connection, task, step, tool_call(tool, **given), start=True)
    execution: str = recorded["executions"][0]["id"]
    assert recorded["executions"][0]["status"] == "running"
    return execution


def ask(connection: Connection, task: Row, execution: str) -> Row:
    with acting_as(connection, "agent_worker"):
        found: Row = value(
            connection, "select public.worker_children(%s, %s, %s)", task["id"], task["lease_token"], execution
        )
    return found


def children(connection: Connection, task: Row) -> list[Row]:
    return many(
        connection,
        "select * from public.tasks where parent_task_id = %s order by spawn_item, completed_at nulls last",
        task["id"],
    )


def end(connection: Connection, child: Row, status: str = "completed", result: str = '{"answer": "done"}') -> None:
    """The child's run ends, as its worker writes it."""
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_settle(%s, %s, %s, %s, %s)",
            [child["id"], child["lease_token"], status, result, None if status == "completed" else "no luck"],
        )


def waiting_parent(connection: Connection, user: UUID, **arguments: Any) -> tuple[Row, str]:
    """A parent that has spawned and waits, and its call."""
    parent = runs.running(connection, user)
    execution = begin(connection, parent, 1, **arguments)
    ask(connection, parent, execution)
    assert runs.suspend(connection, parent, "children") == "waiting"
    return parent, execution


def test_children_are_made_once_and_a_few_at_a_time(connection: Connection, ana: UUID) -> None:
    parent = runs.running(connection, ana)
    execution = begin(connection, parent, 1)
    told = [ask(connection, parent, execution) for _ in range(2)]
    assert [answer["open"] for answer in told] == [6, 6]
    made = children(connection, parent)
    assert [(row["title"], row["spawn_item"], row["status"]) for row in made] == [
        (name, number, "pending" if number <= 4 else "waiting") for number, name in enumerate(ITEMS, 1)
    ]
    assert {row["wait_reason"] for row in made[4:]} == {"schedule"}
    # A context of their own.
    assert len({row["conversation_id"] for row in [*made, parent]}) == 7
    assert "Look them up." in made[0]["description"]
    assert "Ada" in made[0]["description"]
    assert "Grace" not in made[0]["description"]

    assert runs.suspend(connection, parent, "children") == "waiting"
    row = runs.task_row(connection, parent)
    assert (row["wait_reason"], row["lease_token"]) == ("children", None)
    assert row["run_after"] is not None


def test_the_parent_wakes_with_the_last_child_and_the_call_goes_on(connection: Connection, ana: UUID) -> None:
    parent, execution = waiting_parent(connection, ana)
    seen: list[str] = []
    while len(seen) < len(ITEMS):
        (claimed,) = runs.claim(connection)
        assert claimed["parent_task_id"] == parent["id"]
        seen.append(claimed["title"])
        end(connection, claimed, "failed" if claimed["title"] == "Tony" else "completed")
    assert seen == ITEMS
    (again,) = runs.claim(connection)
    assert again["id"] == parent["id"]
    assert again["run_after"] is None
    calls_before = runs.task_row(connection, parent)["usage"]["tool_calls"]
    runs.start(connection, again, execution)
    told = ask(connection, again, execution)
    assert (told["open"], told["spawn"], told["late"]) == (0, 1, False)
    assert [item["status"] for item in told["items"]] == ["completed"] * 4 + ["failed", "completed"]
    assert told["items"][4]["error"] == "no luck"
    row = runs.task_row(connection, parent)
    assert row["usage"]["tool_calls"] == calls_before
    assert row["usage"]["children"]["tasks"] == 6
    runs.finish(connection, again, execution)
    assert runs.settle(connection, again)


def test_a_crash_between_makes_no_child_twice_and_loses_none(connection: Connection, ana: UUID) -> None:
    task = runs.submit(connection, ana)
    (parent,) = runs.claim(connection, lease_seconds=-1)
    execution = begin(connection, parent, 1)
    ask(connection, parent, execution)
    assert [row["task_id"] for row in runs.reap(connection)] == [task["id"]]
    (again,) = (row for row in runs.claim(connection, 9) if row["id"] == task["id"])
    # The worker that was thought dead is heard no more.
    with pytest.raises(psycopg.Error, match="lease"), connection.transaction():
        ask(connection, parent, execution)
    runs.start(connection, again, execution)
    assert ask(connection, again, execution)["open"] == 6
    assert [row["spawn_item"] for row in children(connection, parent)] == [1, 2, 3, 4, 5, 6]
    assert runs.suspend(connection, again, "children") == "waiting"


def test_other_tasks_of_the_person_do_not_wait_behind_all_children(connection: Connection, ana: UUID) -> None:
    waiting_parent(connection, ana)
    mine = runs.submit(connection, ana)
    # All of this test is one transaction, in which now() stands still.
    connection.execute("update public.tasks set created_at = clock_timestamp() where id = %s", [mine["id"]])
    order = []
    for _ in range(len(ITEMS)):
        (claimed,) = runs.claim(connection)
        order.append(claimed["id"])
        end(connection, claimed)
    assert order.index(mine["id"]) == 4


def test_a_child_that_waits_for_its_person_gives_its_place_to_the_next(connection: Connection, ana: UUID) -> None:
    parent, _ = waiting_parent(connection, ana)
    for _ in range(len(ITEMS)):
        (claimed,) = runs.claim(connection)
        runs.executed(connection, claimed, 1, effect={"kind": "ask", "question": "Which?"})
        assert runs.suspend(connection, claimed, "answer") == "waiting"
    assert runs.claim(connection) == []
    assert runs.task_row(connection, parent)["status"] == "waiting"
    assert {row["wait_reason"] for row in children(connection, parent)} == {"answer"}


def test_failed_items_are_tried_again_alone_by_the_model_and_by_the_person(connection: Connection, ana: UUID) -> None:
    parent, execution = waiting_parent(connection, ana)
    for _ in ITEMS:
        (claimed,) = runs.claim(connection)
        end(connection, claimed, "failed" if claimed["spawn_item"] in (2, 5) else "completed")
    (again,) = runs.claim(connection)
    ask(connection, again, execution)
    runs.finish(connection, again, execution)

    retry = begin(connection, again, 2, "retry_tasks", items=[2, 3])
    assert [ask(connection, again, retry)["open"] for _ in range(2)] == [1, 1]
    assert runs.suspend(connection, again, "children") == "waiting"
    (claimed,) = runs.claim(connection)
    assert (claimed["spawn_item"], str(claimed["spawn_id"])) == (2, execution)
    end(connection, claimed)
    (again,) = runs.claim(connection)
    runs.start(connection, again, retry)
    told = ask(connection, again, retry)
    assert [(item["status"], item["tries"]) for item in told["items"]] == [
        ("completed", 1), ("completed", 2), ("completed", 1), ("completed", 1), ("failed", 1), ("completed", 1),
    ]  # fmt: skip
    runs.finish(connection, again, retry)
    assert runs.settle(connection, again)

    with person(connection, ana):
        assert value(connection, "select public.retry_children(%s)", parent["id"]) == 1
        assert value(connection, "select public.retry_children(%s)", parent["id"]) == 0
    (claimed,) = runs.claim(connection)
    assert claimed["title"] == "Tony"
    end(connection, claimed)
    assert runs.claim(connection) == []
    # The old ones stay.
    assert [row["status"] for row in children(connection, parent) if row["spawn_item"] == 5] == ["failed", "completed"]


def test_somebody_else_cannot_have_items_tried_again(connection: Connection, ana: UUID) -> None:
    parent, _ = waiting_parent(connection, ana)
    eve = runs.sign_up(connection, "eve@example.org")
    with pytest.raises(psycopg.Error, match="no task"), connection.transaction(), person(connection, eve):
        connection.execute("select public.retry_children(%s)", [parent["id"]])


def test_pausing_resuming_and_cancelling_the_parent_reaches_its_children(connection: Connection, ana: UUID) -> None:
    parent, _ = waiting_parent(connection, ana)
    (runs_on,) = runs.claim(connection)

    def ask_of_parent(function: str) -> list[str]:
        with person(connection, ana):
            connection.execute(f"select public.{function}(%s)", [parent["id"]])
        return [row["status"] for row in children(connection, parent)]

    assert ask_of_parent("pause_task") == ["running"] + ["paused"] * 5
    assert runs.task_row(connection, runs_on)["pause_requested_at"] is not None
    assert runs.task_row(connection, parent)["run_after"] is None
    assert ask_of_parent("resume_task") == ["running"] + ["pending"] * 5
    # The parent looks, finds its children open, and waits again.
    (again,) = (row for row in runs.claim(connection, 9) if row["id"] == parent["id"])
    assert runs.suspend(connection, again, "children") == "waiting"
    ask_of_parent("cancel_task")
    assert {row["cancel_requested_at"] is not None for row in children(connection, parent)} == {True}
    assert runs.task_row(connection, parent)["status"] == "cancelled"


def test_a_pause_that_was_asked_for_before_they_were_made_holds_them_too(connection: Connection, ana: UUID) -> None:
    parent = runs.running(connection, ana)
    execution = begin(connection, parent, 1)
    with person(connection, ana):
        connection.execute("select public.pause_task(%s)", [parent["id"]])
    ask(connection, parent, execution)
    assert runs.suspend(connection, parent, "children") == "paused"
    assert {row["status"] for row in children(connection, parent)} == {"paused"}
    with pytest.raises(psycopg.Error, match="is paused"), connection.transaction(), person(connection, ana):
        connection.execute("select public.retry_children(%s)", [parent["id"]])


def test_an_item_whose_task_was_deleted_is_a_gap_that_can_be_tried_again(connection: Connection, ana: UUID) -> None:
    parent, execution = waiting_parent(connection, ana, items=["x", "y"])
    first, _ = children(connection, parent)
    for claimed in runs.claim(connection, 2):
        end(connection, claimed)
    connection.execute("delete from public.conversations where id = %s", [first["conversation_id"]])
    (again,) = runs.claim(connection)
    assert [item["status"] for item in ask(connection, again, execution)["items"]] == ["missing", "completed"]
    with person(connection, ana):
        assert value(connection, "select public.retry_children(%s)", parent["id"]) == 1
    assert [row["title"] for row in children(connection, parent)] == ["x", "y"]


def test_at_the_deadline_the_parent_goes_on_and_what_is_open_is_a_gap(connection: Connection, ana: UUID) -> None:
    parent, execution = waiting_parent(connection, ana, deadline_minutes=5)
    (first,) = runs.claim(connection)
    end(connection, first)
    connection.execute(
        "update public.tool_executions set output_result = output_result || %s where id = %s",
        [Jsonb({"deadline": "2020-01-01"}), execution],
    )
    connection.execute("update public.tasks set run_after = '2020-01-01' where id = %s", [parent["id"]])
    claimed = runs.claim(connection, 9)
    (again,) = (row for row in claimed if row["id"] == parent["id"])
    runs.start(connection, again, execution)
    told = ask(connection, again, execution)
    assert (told["open"], told["late"]) == (0, True)
    assert [item["status"] for item in told["items"]] == ["completed"] + ["cancelled"] * 5
    assert told["items"][1]["error"] == "not done by the deadline"
    assert all(row["cancel_requested_at"] or row["completed_at"] for row in children(connection, parent))


def test_bounds_name_themselves_and_nothing_is_made(connection: Connection, ana: UUID) -> None:
    def refused(task: Row, step: int, **arguments: Any) -> str:
        execution = begin(connection, task, step, **arguments)
        with pytest.raises(psycopg.Error) as refusal, connection.transaction():
            ask(connection, task, execution)
        assert children(connection, task) == []
        runs.finish(connection, task, execution, "failed")
        return str(refusal.value.diag.message_primary)

    parent = runs.running(connection, ana, limits='{"child_tasks": 5}')
    assert refused(parent, 1) == "limit child_tasks reached: 6 of 5"
    assert "a.csv is not on record" in refused(parent, 2, items=["x"], files=["a.csv"])
    assert "items is not a list of texts" in refused(parent, 3, items=[])
    runs.settle(connection, parent)

    parent, _ = waiting_parent(connection, ana)
    (child,) = runs.claim(connection)
    assert refused(child, 1) == "limit child_depth reached: 2 of 1"
    with acting_as(connection, "agent_worker"):
        context = value(connection, "select public.worker_context(%s, %s)", child["id"], child["lease_token"])
    assert "spawn_tasks" not in {tool["name"] for tool in context["tools"]}


def test_files_go_to_the_children_and_come_back_without_their_bytes(connection: Connection, ana: UUID) -> None:
    parent = runs.running(connection, ana)

    def file(task: Row, name: str, digest: str) -> Row:
        path = f"{task['tenant_id']}/{task['id']}/.sha256/{digest * 64}"
        return {
            "filename": name, "file_path": path, "file_size": 3, "mime_type": "text/csv", "file_hash": digest * 64,
        }  # fmt: skip

    runs.executed(connection, parent, 1, files=[file(parent, "data/a.csv", "a"), file(parent, "b.csv", "b")])
    execution = begin(connection, parent, 2, items=["x"], files=["data/"])
    ask(connection, parent, execution)
    runs.suspend(connection, parent, "children")
    (child,) = runs.claim(connection)
    with acting_as(connection, "agent_worker"):
        context = value(connection, "select public.worker_context(%s, %s)", child["id"], child["lease_token"])
    (given,) = context["files"]
    assert (given["filename"], given["file_path"]) == ("data/a.csv", file(parent, "data/a.csv", "a")["file_path"])
    runs.executed(connection, child, 1, files=[file(child, "out.csv", "c"), file(child, "scratch.csv", "d")])
    end(connection, child, result='{"answer": "done", "files": ["out.csv"]}')
    (again,) = runs.claim(connection)
    assert [ask(connection, again, execution)["brought"] for _ in range(2)] == [True, False]
    back = one(
        connection, "select * from public.files where task_id = %s and filename like 'children/%%'", parent["id"]
    )
    assert (back["filename"], back["file_path"]) == ("children/01/out.csv", file(child, "out.csv", "c")["file_path"])
    # Brought files have to be fetched: the task is claimable again at once.
    assert runs.suspend(connection, again, "children") == "pending"


def test_taint_goes_down_and_up(connection: Connection, ana: UUID) -> None:
    parent, execution = waiting_parent(connection, ana, items=["x"])
    (child,) = runs.claim(connection)
    assert not child["tainted"]
    runs.executed(connection, child, 1, "probe_pure")
    end(connection, child)
    (again,) = runs.claim(connection)
    ask(connection, again, execution)
    assert runs.task_row(connection, parent)["tainted"]
    runs.finish(connection, again, execution)
    second = begin(connection, again, 2, items=["y"])
    ask(connection, again, second)
    assert [row["tainted"] for row in children(connection, parent)] == [True, True]


def test_nobody_makes_a_child_by_a_row_of_their_own(connection: Connection, ana: UUID) -> None:
    parent, execution = waiting_parent(connection, ana)
    with pytest.raises(psycopg.Error, match="begins as pending"), connection.transaction(), person(connection, ana):
        connection.execute(
            "insert into public.tasks (conversation_id, title, parent_task_id, spawn_id, spawn_item)"
            " values (%s, 'x', %s, %s, 1)",
            [parent["conversation_id"], parent["id"], execution],
        )
