"""From earlier versions, with work under way: the same database as a fresh install's, and nothing forgotten.

Versions 2 to 4 are what their releases installed, kept in installed/. What version 1 was is told by version_1.sql,
which undoes what version 2 added; on version 1's own sources the upgrade was run by hand, to the same end.
"""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.conftest import cloned
from tests.db import runs
from tests.db.catalog import declared
from tests.db.control import decide, settle_doubt
from tests.db.impersonation import UNAPPROVED, many, one, person, refused, value
from tests.db.people import settle_in
from tests.db.programs import BOOTSTRAP, db_apply, dump, psql
from tests.db.runs import claim, execution_row, finish, start, task_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cluster, Database
    from tests.db.impersonation import Connection, Row
    from tests.db.programs import Finished

VERSION_1 = Path(__file__).with_name("version_1.sql")
VERSION_2 = Path(__file__).parent / "installed" / "version_2.sql.gz"
VERSION_3 = VERSION_2.with_name("version_3.sql.gz")
VERSION_4 = VERSION_2.with_name("version_4.sql.gz")

only_on_18 = pytest.mark.parametrize("cluster", [18], ids=["pg18"], indirect=True)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A database as the release with version 2 installed it."""
    for made in cloned(cluster, "template1"):
        with psycopg.connect(made.owner, autocommit=True) as connection:
            connection.execute(gzip.decompress(VERSION_2.read_bytes()))
        yield made


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    """The owner's connection to a database of version 1."""
    with psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as connection:
        connection.execute(VERSION_1.read_text(encoding="utf-8"))
        assert value(connection, "select max(version) from private.schema_version") == 1
        yield connection


def upgrade(database: Database, way: Callable[[Database], Finished] | None = None) -> None:
    finished = way(database) if way else psql(database, "-f", str(BOOTSTRAP))
    assert finished.returncode == 0, finished.stderr


def work_of_version_1(owner: Connection) -> dict[str, Row]:
    """Tasks and their calls as version 1 left them, by what they wait for: ids of `task` and `execution`."""
    for name, confirm in (("probe", False), ("probe_confirm", True)):
        owner.execute(
            "insert into public.tools (name, display_name, description, category, function_schema,"
            " requires_confirmation, retry_class) values (%s, %s, 'x', 'test', '{}', %s, 'unsafe')",
            [name, name, confirm],
        )
    agent = value(
        owner,
        "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public)"
        " values ('Prober', 'x', 'default', '{probe,probe_confirm}', true) returning id",
    )
    alice = runs.sign_up(owner, "alice@example.org")
    owner.execute("insert into public.workers (id, host, pid, version, capacity) values (%s, 'h', 1, '0', 4)",
                  [runs.WORKER])  # fmt: skip
    made = {}
    for name, status, tool, call, decided in (
        ("awaiting", "waiting", "probe_confirm", "awaiting_approval", False),
        ("approved", "pending", "probe_confirm", "pending", True),
        ("begun", "running", "probe_confirm", "running", True),
        ("denied", "waiting", "probe_confirm", "denied", True),
        ("free", "running", "probe", "pending", False),
        ("done", "completed", "probe_confirm", "completed", True),
    ):
        conversation = value(
            owner, "insert into public.conversations (user_id, agent_id) values (%s, %s) returning id", alice, agent
        )
        task = value(
            owner,
            "insert into public.tasks (conversation_id, title, description, status, wait_reason, lease_token,"
            " lease_expires_at, worker_id, started_at, completed_at, usage)"
            " values (%s, 'Zählen', 'Count the words', %s, %s, %s, %s, %s, now(), %s, '{\"steps\": 1}') returning id",
            conversation, status,
            {"awaiting": "approval", "denied": "answer"}.get(name),
            uuid.uuid4() if status == "running" else None,
            "infinity" if status == "running" else None,
            runs.WORKER if status == "running" else None,
            "now" if status == "completed" else None,
        )  # fmt: skip
        message = value(
            owner,
            "insert into public.messages (conversation_id, task_id, role, content, metadata)"
            " values (%s, %s, 'assistant', 'I will.', '{\"step\": 1}') returning id",
            conversation, task,
        )  # fmt: skip
        execution = value(
            owner,
            "insert into public.tool_executions (task_id, tool_id, message_id, input_parameters, status, started_at,"
            " completed_at, tool_call_id, step, call_index, decided_by, decided_at, decision_reason)"
            " values (%s, (select id from public.tools where name = %s), %s, %s, %s, %s, %s, 'c', 1, 0, %s, %s, %s)"
            " returning id",
            task, tool, message, json.dumps({"path": "a"}), call,
            "now" if call in ("running", "completed") else None,
            "now" if call in ("denied", "completed") else None,
            alice if decided else None, "2026-01-01" if decided else None, "Because." if decided else None,
        )  # fmt: skip
        made[name] = {"task": task, "execution": execution, "alice": alice}
    return made


@only_on_18
def test_what_version_1_was_is_not_what_version_2_is(database: Database, owner: Connection) -> None:
    found = declared(owner)
    assert not {fact for fact in found if "tool_executions.approvals_needed" in fact}
    assert value(owner, "select to_regclass('public.execution_decisions') is null")


def test_an_upgraded_database_is_a_fresh_one(database: Database, owner: Connection, empty_database: Database) -> None:
    work_of_version_1(owner)
    upgrade(database)
    upgrade(empty_database)
    assert dump(database) == dump(empty_database)
    with psycopg.connect(empty_database.owner, row_factory=dict_row) as fresh:
        # What an admin of version 1 had made is there besides.
        assert declared(fresh) <= declared(owner)
    before = dump(database)
    upgrade(database, db_apply)
    assert dump(database) == before
    assert value(owner, "select array_agg(version order by version) from private.schema_version") == [1, 2, 3, 4, 5]


def test_work_under_way_goes_on(database: Database, owner: Connection) -> None:
    made = work_of_version_1(owner)
    upgrade(database)
    alice: uuid.UUID = made["awaiting"]["alice"]

    def execution(name: str) -> Row:
        return execution_row(owner, made[name]["execution"])

    assert {name: execution(name)["approvals_needed"] for name in made} == {
        "awaiting": 1, "approved": 1, "begun": 1, "denied": 0, "free": 0, "done": 0,
    }  # fmt: skip
    in_a_day = "select %s between now() + interval '23 hours' and now() + interval '1 day'"
    for name in ("awaiting", "approved", "begun"):
        assert value(owner, in_a_day, execution(name)["approval_expires_at"])
    decisions = {
        row["execution_id"]: (row["verdict"], row["user_id"], row["reason"])
        for row in many(owner, "select * from public.execution_decisions")
    }
    assert decisions == {
        made[name]["execution"]: ("denied" if name == "denied" else "approved", alice, "Because.")
        for name in ("approved", "begun", "denied", "done")
    }

    # What waits can be decided; nothing starts before it is.
    with refused(UNAPPROVED), owner.transaction():
        owner.execute("update public.tool_executions set status = 'pending' where id = %s",
                      [made["awaiting"]["execution"]])  # fmt: skip
        owner.execute("update public.tool_executions set status = 'running' where id = %s",
                      [made["awaiting"]["execution"]])  # fmt: skip
    decide(owner, alice, made["awaiting"]["execution"])
    # What was approved starts by the approval that it was given.
    started = claim(owner, 10)
    assert {t["id"] for t in started} == {made["awaiting"]["task"], made["approved"]["task"]}
    for task in started:
        (name,) = (name for name in made if made[name]["task"] == task["id"])
        start(owner, task, made[name]["execution"])
        finish(owner, task, made[name]["execution"])
        assert runs.settle(owner, task)
    # What was running when its worker was stopped is a person's to settle, because a person had to approve it.
    owner.execute("update public.tasks set lease_expires_at = now() - interval '1 s' where status = 'running'")
    assert {row["status"] for row in runs.reap(owner)} == {"pending"}
    (begun,) = (t for t in claim(owner, 10) if t["id"] == made["begun"]["task"])
    finish(owner, begun, made["begun"]["execution"], "in_doubt")
    assert runs.suspend(owner, begun, "doubt") == "waiting"
    settle_doubt(owner, alice, made["begun"]["execution"], True)
    assert task_row(owner, begun)["status"] == "pending"


@only_on_18
def test_what_was_approved_of_other_arguments_or_by_nobody_does_not_start(
    database: Database, owner: Connection
) -> None:
    made = work_of_version_1(owner)
    owner.execute("update public.tool_executions set decided_by = null where id = %s", [made["approved"]["execution"]])
    upgrade(database)
    (task,) = claim(owner, 10)
    with refused(UNAPPROVED, "has not been approved"):
        start(owner, task, made["approved"]["execution"])
    finish(owner, task, made["approved"]["execution"], "failed", content="The call was not run.")


@only_on_18
def test_the_command_upgrades_and_says_so(database: Database, owner: Connection) -> None:
    finished = db_apply(database)
    assert (finished.returncode, finished.stdout) == (0, "schema version 5 is installed\n"), finished.stderr


@only_on_18
def test_words_are_found_and_clocks_run(database: Database, owner: Connection) -> None:
    work_of_version_1(owner)
    events = value(owner, "select count(*) from public.task_events")
    upgrade(database)
    found = "select count(*) from public.tasks where search @@ to_tsquery('pg_catalog.english', 'count & word')"
    assert value(owner, found) == 6
    clocks = one(
        owner,
        "select count(*) filter (where claimed_at is not null) as running, count(*) filter (where active_seconds = 0)"
        " as fresh from public.tasks",
    )
    assert clocks == {"running": 2, "fresh": 6}
    # The upgrade is no event of any task.
    assert value(owner, "select count(*) from public.task_events") == events


@only_on_18
def test_the_catalogues_agent_keeps_what_it_could_do_and_others_ask(database: Database, owner: Connection) -> None:
    owner.execute("update public.tools set security_level = 'dangerous' where name = 'shell_exec'")
    work_of_version_1(owner)
    upgrade(database)
    permissions = {
        row["name"]: row["standing_permissions"]
        for row in many(owner, "select name, standing_permissions from public.agents")
    }
    assert permissions == {"Asistente General": ["shell_exec", "shell_input", "python_exec"], "Prober": []}


@only_on_18
def test_a_tool_that_was_disabled_while_a_call_of_it_ran_does_not_stop_the_upgrade(
    database: Database, owner: Connection
) -> None:
    made = work_of_version_1(owner)
    owner.execute("update public.tools set is_enabled = false")
    upgrade(database)
    assert execution_row(owner, made["begun"]["execution"])["approval_used_at"] is not None


@only_on_18
def test_home_is_where_somebody_signed_up_who_was_moved_since(database: Database) -> None:
    with psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as connection:
        for name in ("ana", "ben"):
            runs.sign_up(connection, f"{name}@example.org")
        connection.execute(
            "update public.users set tenant_id = (select tenant_id from public.users where username = 'ana')"
        )
        upgrade(database)
        homes = many(
            connection,
            "select u.username, t.slug as tenant, h.slug as home from public.users u"
            " join public.tenants t on t.id = u.tenant_id join public.tenants h on h.id = u.home_tenant_id order by 1",
        )
    assert homes == [
        {"username": "ana", "tenant": "ana", "home": "ana"},
        {"username": "ben", "tenant": "ana", "home": "ben"},
    ]


def test_version_3_becomes_what_a_fresh_install_is(cluster: Cluster, empty_database: Database) -> None:
    for database in cloned(cluster, "template1"):
        with psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as connection:
            connection.execute(gzip.decompress(VERSION_3.read_bytes()))
            assert value(connection, "select max(version) from private.schema_version") == 3
            people = settle_in(connection)
            waits = runs.record_turn(connection, people.task, 2, runs.tool_call("probe_confirm"))["executions"][0]["id"]
            assert runs.suspend(connection, people.task, "approval") == "waiting"
            upgrade(database)
            upgrade(empty_database)
            assert dump(database) == dump(empty_database)
            # Nobody becomes an operator by it, and what waits still does.
            assert value(connection, "select count(*) from public.users where is_operator") == 0
            with person(connection, people.alice):
                waiting = many(connection, "select id, why, approvals_needed from public.waiting_executions")
                found = many(connection, "select title, status, files_count from public.search_tasks('do')")
            assert [(str(row["id"]), row["why"], row["approvals_needed"]) for row in waiting] == [(waits, "I will.", 1)]
            assert {"title": "Do it", "status": "waiting", "files_count": 1} in found
            decide(connection, people.alice, waits)
            assert task_row(connection, people.task)["status"] == "pending"
            before = dump(database)
            upgrade(database, db_apply)
            assert dump(database) == before


@only_on_18
def test_version_4_becomes_what_a_fresh_install_is_and_its_gate_closes(
    cluster: Cluster, empty_database: Database
) -> None:
    for database in cloned(cluster, "template1"):
        with psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as connection:
            connection.execute(gzip.decompress(VERSION_4.read_bytes()))
            people = settle_in(connection)
            connection.execute("update public.tools set outward = true where name = 'probe'")
            runs.executed(connection, people.task, 2, "probe_pure")
            assert task_row(connection, people.task)["tainted"]
            upgrade(database)
            upgrade(empty_database)
            assert dump(database) == dump(empty_database)
            # What a task of the version before has read, nobody wrote down; that it has, is known.
            (held,) = runs.record_turn(connection, people.task, 3, runs.tool_call("probe"))["executions"]
            assert (held["status"], held["gate"]) == (
                "awaiting_approval",
                {"destinations": [], "sources": [{"source": "something from outside"}]},
            )
            tools = many(connection, "select name, destination from public.tools where destination is not null")
            assert {"name": "browser_navigate", "destination": "url"} in tools
            assert not value(connection, "select taints from public.tools where name = 'file_read'")
            before = dump(database)
            upgrade(database, db_apply)
            assert dump(database) == before
