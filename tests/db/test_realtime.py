"""Events on hosted Supabase's Realtime: heard by who may see the task, sent by nobody, never at the cost of a write."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.conftest import cloned
from tests.db import runs
from tests.db.impersonation import acting_as, many, one, person, refused, value
from tests.db.people import People, settle_in
from tests.db.programs import BOOTSTRAP, as_hosted, dump, psql

if TYPE_CHECKING:
    from tests.conftest import Cluster, Database
    from tests.db.impersonation import Connection

STAND_IN = Path(__file__).with_name("realtime.sql")


@pytest.fixture(scope="module")
def realtime(postgres18: Cluster) -> Iterator[Database]:
    """A hosted database with Realtime, and our SQL installed."""
    for database in cloned(postgres18, "template1"):
        as_hosted(database)
        with psycopg.connect(database.superuser, autocommit=True) as superuser:
            superuser.execute(STAND_IN.read_text(encoding="utf-8"))
            # For `runs`, which lets the database choose.
            superuser.execute("alter table auth.users alter column id set default gen_random_uuid()")
        installed = psql(database, "-f", str(BOOTSTRAP))
        assert installed.returncode == 0, installed.stderr
        yield database
    with psycopg.connect(postgres18.postgres.superuser_conninfo, autocommit=True) as superuser:
        superuser.execute("drop role supabase_realtime_admin")


@pytest.fixture
def connection(realtime: Database) -> Iterator[Connection]:
    """Its superuser, in a transaction that is rolled back."""
    with psycopg.connect(realtime.superuser, row_factory=dict_row) as superuser:
        yield superuser
        superuser.rollback()


@pytest.fixture
def people(connection: Connection) -> People:
    return settle_in(connection)


def test_installing_again_changes_nothing(realtime: Database) -> None:
    before = dump(realtime)
    assert psql(realtime, "-f", str(BOOTSTRAP)).returncode == 0
    assert dump(realtime) == before


def test_each_event_is_sent_as_the_table_has_it(connection: Connection, people: People) -> None:
    sent = many(
        connection,
        "select payload, event, private, extension from realtime.messages where topic = %s order by payload -> 'id'",
        f"task:{people.task['id']}",
    )
    recorded = many(
        connection,
        "select to_jsonb(e) - '{tenant_id,owner_id}'::text[] as event from public.task_events e where task_id = %s"
        " order by id",
        people.task["id"],
    )
    assert [row["payload"] for row in sent] == [row["event"] for row in recorded]
    assert len(sent) > 5
    assert {(row["event"], row["private"], row["extension"]) for row in sent} == {("task_event", True, "broadcast")}


def listens(connection: Connection, user: uuid.UUID, topic: str) -> bool:
    """Whether Realtime lets somebody join, as it asks: a row of the topic, as the person, undone afterwards."""
    with person(connection, user):
        connection.execute("select set_config('realtime.topic', %s, true)", [topic])
        seen = many(connection, "select from realtime.messages where topic = %s and extension = 'broadcast'", topic)
        connection.execute("select set_config('realtime.topic', '', true)")
        return bool(seen)


def listeners(connection: Connection, people: People) -> set[str]:
    everybody = ("alice", "frank", "vera", "dan", "eve", "bob")
    topic = f"task:{people.task['id']}"
    return {name for name in everybody if listens(connection, getattr(people, name), topic)}


def test_who_may_see_the_task_may_listen_and_nobody_may_send(connection: Connection, people: People) -> None:
    topic = f"task:{people.task['id']}"
    assert listeners(connection, people) == {"alice", "dan"}
    connection.execute("update public.conversations set is_shared = true where id = %s", [people.conversation])
    assert listeners(connection, people) == {"alice", "dan", "frank", "vera"}

    # Not by a topic that is spelled otherwise, nor by no topic, nor by another one.
    connection.execute(
        "insert into realtime.messages (topic, extension) select t, 'broadcast' from unnest(%s::text[]) t",
        [[topic.upper(), f"{topic} ", "task:", "task:x"]],
    )
    for other in (topic.upper(), f"{topic} ", "task:", "task:x", ""):
        assert not listens(connection, people.alice, other), other

    # Whatever else a project allows.
    connection.execute(
        "create policy theirs on realtime.messages for all to anon, authenticated using (true) with check (true)"
    )
    assert listens(connection, people.alice, topic)
    assert not listens(connection, people.bob, topic)
    with person(connection, people.bob):
        assert many(connection, "select from realtime.messages where topic = %s", topic) == []
        connection.execute("insert into realtime.messages (topic, extension) values ('room:1', 'broadcast')")
    with acting_as(connection, "anon"):
        assert many(connection, "select from realtime.messages where starts_with(topic, 'task:')") == []
    for user in (people.alice, people.bob):
        with connection.transaction(force_rollback=True), refused("42501"), person(connection, user):
            connection.execute("select set_config('realtime.topic', %s, true)", [topic])
            connection.execute("insert into realtime.messages (topic, extension) values (%s, 'broadcast')", [topic])


@pytest.mark.parametrize(
    "breaks", ["drop table realtime.messages cascade", "drop function realtime.send",
               "alter table realtime.messages add check (topic = 'x') not valid"],
)  # fmt: skip
def test_no_write_fails_with_it(connection: Connection, people: People, breaks: str) -> None:
    connection.execute(breaks)
    before = len(runs.events(connection, people.task))
    runs.executed(connection, people.task, 2)
    assert len(runs.events(connection, people.task)) > before


def test_who_may_make_no_policy_there_installs_all_the_same(postgres18: Cluster, realtime: Database) -> None:
    with psycopg.connect(realtime.superuser, autocommit=True, row_factory=dict_row) as superuser:
        superuser.execute("revoke supabase_realtime_admin from postgres")
        try:
            installed = psql(realtime, "-f", str(BOOTSTRAP))
            assert installed.returncode == 0, installed.stderr
            assert "nobody can listen" in installed.stderr
        finally:
            superuser.execute("grant supabase_realtime_admin to postgres")
        assert one(superuser, "select count(*) as n from pg_policies where schemaname = 'realtime'")["n"] == 4


def test_where_there_is_no_realtime_nothing_of_it_is_made(database18: Database) -> None:
    with psycopg.connect(database18.superuser, row_factory=dict_row) as connection:
        for name in ("broadcast_event", "task_of_channel"):
            assert value(connection, "select count(*) from pg_proc where proname = %s", name) == 0
        assert value(connection, "select count(*) from pg_trigger where tgname = 'broadcast_event'") == 0
