"""What screens read: lists of tasks, current files, what waits for somebody, and names; who is refused what."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.db import runs
from tests.db.control import asked, decide, install_asking_probes
from tests.db.impersonation import (
    DENIED,
    INVALID,
    acting_as,
    many,
    one,
    person,
    refused,
    value,
)
from tests.db.people import People, settle_in

if TYPE_CHECKING:
    from tests.db.impersonation import Connection, Role, Row


@pytest.fixture
def people(connection: Connection) -> People:
    install = settle_in(connection)
    install_asking_probes(connection)
    return install


def found(connection: Connection, who: uuid.UUID, **arguments: object) -> list[Row]:
    """What search_tasks answers; `arguments` without p_."""
    text = ", ".join(f"p_{name} => %({name})s" for name in arguments)
    with person(connection, who):
        return connection.execute(f"select * from public.search_tasks({text})", arguments).fetchall()


def waiting(connection: Connection, who: uuid.UUID) -> list[Row]:
    with person(connection, who):
        return many(connection, "select * from public.waiting_executions order by approval_expires_at, id")


def test_a_task_in_a_list_says_how_far_it_is(connection: Connection, people: People) -> None:
    task = people.task
    execution = runs.record_turn(connection, task, 2, runs.tool_call("probe"))["executions"][0]["id"]
    runs.start(connection, task, execution)
    runs.finish(connection, task, execution, effect={"kind": "plan_set", "phases": ["Read", "Write"]})
    asked(connection, task, step=3)
    (row,) = (r for r in found(connection, people.alice) if r["id"] == task["id"])
    assert {name: row[name] for name in (
        "title", "status", "agent_name", "owner_name", "is_mine", "current_step", "current_phase", "total_phases",
        "phase_title", "progress_percentage", "approvals_waiting", "files_count", "error_message",
    )} == {
        "title": "Do it", "status": "running", "agent_name": "Prober", "owner_name": "alice", "is_mine": True,
        "current_step": 3, "current_phase": 1, "total_phases": 2, "phase_title": "Read", "progress_percentage": 0,
        "approvals_waiting": 1, "files_count": 1, "error_message": None,
    }  # fmt: skip
    assert row["age_from"] == value(connection, "select claimed_at from public.tasks where id = %s", task["id"])


def test_everybody_is_shown_the_tasks_that_they_see(connection: Connection, people: People) -> None:
    shared = runs.submit(connection, people.alice, "What we share")
    with person(connection, people.alice):
        connection.execute(
            "update public.conversations set is_shared = true where id = %s", [shared["conversation_id"]]
        )
    runs.submit(connection, people.bob)
    for who in (people.alice, people.frank, people.vera, people.dan, people.bob):
        with person(connection, who):
            seen = {row["id"] for row in many(connection, "select id from public.tasks")}
            assert {row["id"] for row in many(connection, "select id from public.task_overview")} == seen
        assert {row["id"] for row in found(connection, who)} == seen
        mine = {row["id"] for row in found(connection, who, whose="mine")}
        assert mine | {row["id"] for row in found(connection, who, whose="shared")} == seen
        assert mine == {row["id"] for row in found(connection, who) if row["is_mine"]}
    assert found(connection, people.eve) == []
    # Of the owner the name is known where the task is, and nowhere else.
    (theirs,) = found(connection, people.vera)
    assert (theirs["id"], theirs["owner_name"]) == (shared["id"], "alice")
    with person(connection, people.bob):
        assert value(connection, "select private.owner_name(%s)", shared["conversation_id"]) is None


def test_a_list_is_filtered_and_read_page_by_page(connection: Connection, people: People) -> None:
    titles = [f"Count the bicycles {n}" for n in range(5)]
    made = [runs.submit(connection, people.bob, title) for title in titles]
    # In one transaction all are of one moment: the id tells them apart.
    pages: list[list[uuid.UUID]] = []
    before: dict[str, object] = {}
    while page := found(connection, people.bob, limit=2, **before):
        pages.append([row["id"] for row in page])
        before = {"before": page[-1]["created_at"], "before_id": page[-1]["id"]}
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one_id for page in pages for one_id in page] == sorted((task["id"] for task in made), reverse=True)

    runs.submit(connection, people.bob, "Escribir informes")
    assert len(found(connection, people.bob, query="bicycle count")) == 5
    assert [row["title"] for row in found(connection, people.bob, query="informe")] == ["Escribir informes"]
    assert found(connection, people.bob, query="bicycle -count") == []
    assert len(found(connection, people.bob, query=" ")) == 6
    assert found(connection, people.bob, status=["running"]) == []
    assert len(found(connection, people.bob, status=["running", "pending"], agent=made[0]["agent_id"])) == 6
    assert found(connection, people.bob, agent=uuid.uuid4()) == []
    with refused(INVALID, "is not mine or shared"):
        found(connection, people.bob, whose="yours")


def test_the_current_files_are_the_newest_that_are_there(connection: Connection, people: People) -> None:
    task = people.task
    path = f"{task['tenant_id']}/{task['id']}"
    kept = {"file_size": 3, "mime_type": "text/plain", "file_hash": "1" * 64}
    runs.executed(connection, task, 2, files=[
        {"filename": "report.md", "file_path": f"{path}/2", **kept},
        {"filename": "gone.md", "file_path": f"{path}/3", **kept},
        {"filename": "empty", "kind": "folder", "file_path": "", "file_size": 0, "mime_type": ""},
    ])  # fmt: skip
    runs.executed(connection, task, 3, files=[
        {"filename": "gone.md", "kind": "removed", "file_path": "", "file_size": 0, "mime_type": ""},
    ])  # fmt: skip
    for who, there in ((people.alice, [("report.md", 2)]), (people.dan, [("report.md", 2)]), (people.frank, [])):
        with person(connection, who):
            rows = many(connection, "select * from public.current_files where task_id = %s", task["id"])
        assert [(row["filename"], row["version"]) for row in rows] == there


def test_what_waits_is_shown_to_who_may_decide_with_all_that_it_takes(connection: Connection, people: People) -> None:
    execution = asked(connection, people.task, "probe_two", step=2)
    for who in (people.frank, people.vera, people.bob, people.eve):
        assert waiting(connection, who) == []
    (call,) = waiting(connection, people.alice)
    assert {name: str(call[name]) for name in (
        "id", "status", "task_title", "tool_name", "display_name", "security_level", "why", "approvals_needed",
        "approvals_given", "approved_by_me", "decisions", "is_mine", "owner_name", "agent_name",
    )} == {
        "id": execution, "status": "awaiting_approval", "task_title": "Do it", "tool_name": "probe_two",
        "display_name": "probe_two", "security_level": "safe", "why": "I will.", "approvals_needed": "2",
        "approvals_given": "0", "approved_by_me": "False", "decisions": "[]", "is_mine": "True", "owner_name": "alice",
        "agent_name": "Prober",
    }  # fmt: skip
    assert (call["arguments"], call["original_arguments"], call["function_schema"]) == ({"path": "a"}, None, {})

    connection.execute("update public.users set full_name = 'Dan the Admin' where id = %s", [people.dan])
    decide(connection, people.dan, execution, arguments={"path": "b"})
    (call,) = waiting(connection, people.alice)
    assert (call["arguments"], call["original_arguments"]) == ({"path": "b"}, {"path": "a"})
    assert (call["approvals_given"], call["approved_by_me"]) == (1, False)
    (decision,) = call["decisions"]
    assert (decision["name"], decision["is_me"], decision["verdict"], decision["counts"]) == (
        "Dan the Admin", False, "approved", True,
    )  # fmt: skip
    (theirs,) = waiting(connection, people.dan)
    assert (theirs["approved_by_me"], theirs["is_mine"], theirs["decisions"][0]["is_me"]) == (True, False, True)
    # Who changes the arguments takes the earlier approval away, and it is seen to.
    decide(connection, people.alice, execution, arguments={"path": "c"})
    (theirs,) = waiting(connection, people.dan)
    assert (theirs["approvals_given"], theirs["approved_by_me"]) == (1, False)
    assert {d["name"]: d["counts"] for d in theirs["decisions"]} == {"Dan the Admin": False, "alice": True}

    # The names that a timeline needs, by the task alone.
    for who in (people.alice, people.dan):
        with person(connection, who):
            names = many(connection, "select name, is_me from public.task_people(%s)", people.task["id"])
        assert [(row["name"], row["is_me"]) for row in names] == [
            ("alice", who == people.alice), ("Dan the Admin", who == people.dan),
        ]  # fmt: skip
    for who in (people.frank, people.bob, people.eve):
        with person(connection, who):
            assert many(connection, "select * from public.task_people(%s)", people.task["id"]) == []
            assert value(connection, "select private.decider_name(%s)", decision["id"]) is None

    decide(connection, people.dan, execution, False)
    assert waiting(connection, people.alice) == []


def test_a_viewer_decides_nothing_and_so_nothing_waits(connection: Connection, people: People) -> None:
    asked(connection, people.task, step=2)
    assert len(waiting(connection, people.alice)) == 1
    connection.execute("update public.users set role = 'viewer' where id = %s", [people.alice])
    assert waiting(connection, people.alice) == []


def test_nobody_else_reads_lists(connection: Connection, people: People) -> None:
    keys: tuple[Role, ...] = ("anon", "agent_worker", "service_role")
    for role in keys[:2]:
        for name in ("task_overview", "current_files", "waiting_executions"):
            with refused(DENIED), acting_as(connection, role):
                many(connection, f"select * from public.{name}")
    for role in keys:
        with refused(DENIED), acting_as(connection, role):
            many(connection, "select * from public.search_tasks()")
    with refused(DENIED), acting_as(connection, "service_role"):
        many(connection, "select * from public.waiting_executions")
    with acting_as(connection, "service_role"):
        assert len(many(connection, "select * from public.task_overview")) == 3


def test_one_uploads_for_a_task_at_home_while_working_elsewhere(connection: Connection, people: People) -> None:
    home, task = value(connection, "select home_tenant_id from public.users where id = %s", people.frank), uuid.uuid4()
    assert home != people.tenant
    bobs = value(connection, "select tenant_id from public.users where id = %s", people.bob)
    with person(connection, people.frank):
        for tenant, allowed in ((home, True), (people.tenant, True), (bobs, False)):
            assert value(connection, "select private.may_upload(%s)", f"{tenant}/{task}/data.csv") is allowed


def test_status_says_why_nothing_moves(connection: Connection, people: People) -> None:
    task = runs.submit(connection, people.bob)
    connection.execute("update public.tasks set created_at = now() - interval '90 s' where id = %s", [task["id"]])
    with person(connection, people.bob):
        status = value(connection, "select public.runtime_status()")
    assert (status["workers"], status["my_pending"], status["oldest_pending_seconds"]) == (1, 1, 90)
    assert status["model"] == {"reachable": None, "stand_in": False, "missing": []}
    assert status["schema_version"] == 5
    assert one(connection, "select now() = %s::timestamptz as same", status["server_time"])["same"]


def test_each_way_to_see_a_task_is_read_from_its_index_in_order(connection: Connection, people: People) -> None:
    # So small a table would be read whole, and sorted.
    connection.execute("set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off")
    for column, index in (("user_id", "idx_tasks_user_created"), ("tenant_id", "idx_tasks_tenant_created")):
        rows = many(
            connection,
            f"explain select id from public.tasks where {column} = %s and (created_at, id) < (now(), %s)"
            " order by created_at desc, id desc limit 50",
            people.alice,
            people.alice,
        )
        plan = "\n".join(row["QUERY PLAN"] for row in rows)
        assert index in plan and "Sort" not in plan, plan
