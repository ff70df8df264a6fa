"""Who sees what and who may change what, proven by what is denied."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.impersonation import (
    DENIED,
    NOT_FOUND,
    WRONG_STATE,
    acting_as,
    affected,
    many,
    one,
    person,
    refused,
    value,
)
from tests.db.people import People, settle_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection, Role

TABLES = (
    "tenants", "users", "agents", "conversations", "messages", "tasks", "task_events", "tools", "tool_executions",
    "files", "system_config", "audit_logs", "workers",
)  # fmt: skip
VIEWS = ("conversation_details", "tool_statistics")
OF_A_TENANT = (
    "agents", "conversations", "messages", "tasks", "task_events", "tool_executions", "files", "audit_logs", "users",
)  # fmt: skip
PARTS = ("messages", "tasks", "task_events", "tool_executions", "files")


@pytest.fixture(scope="module")
def people(shared_database: Database) -> Iterator[People]:
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        yield settle_in(connection)


def seen(connection: Connection, table: str, tenant: uuid.UUID) -> int:
    column = "id" if table == "tenants" else "tenant_id"
    found: int = value(connection, f"select count(*) from public.{table} where {column} = %s", tenant)
    return found


# Reading


@pytest.mark.parametrize("table", ["tenants", *OF_A_TENANT])
def test_an_outsider_sees_nothing_of_a_tenant(connection: Connection, people: People, table: str) -> None:
    assert seen(connection, table, people.tenant) > 0
    with person(connection, people.bob):
        assert seen(connection, table, people.tenant) == 0


def test_an_outsider_sees_nothing_through_the_views(connection: Connection, people: People) -> None:
    with person(connection, people.alice):
        assert one(connection, "select username, agent_name, message_count, task_count from conversation_details") == {
            "username": "alice", "agent_name": "Prober", "message_count": 3, "task_count": 1,
        }  # fmt: skip
        assert value(connection, "select execution_count from tool_statistics where name = 'probe'") == 1
    with person(connection, people.bob):
        assert many(connection, "select * from conversation_details") == []
        assert value(connection, "select sum(execution_count) from tool_statistics") == 0


@pytest.mark.parametrize("table", ["conversations", *PARTS])
def test_a_colleague_sees_only_what_is_shared(connection: Connection, people: People, table: str) -> None:
    column = "id" if table == "conversations" else "conversation_id"
    if table in ("task_events", "tool_executions"):
        column, wanted = "task_id", people.task["id"]
    else:
        wanted = people.conversation
    count = f"select count(*) from public.{table} where {column} = %s"
    for user in (people.frank, people.vera):
        with person(connection, user):
            assert value(connection, count, wanted) == 0
    with person(connection, people.alice):
        assert affected(connection, "update conversations set is_shared = true where id = %s", people.conversation) == 1
    for user in (people.frank, people.vera):
        with person(connection, user):
            assert value(connection, count, wanted) > 0
    with person(connection, people.bob):
        assert value(connection, count, wanted) == 0


@pytest.mark.parametrize("table", ["tenants", "users", "conversations", *PARTS, "audit_logs"])
def test_an_admin_sees_its_tenant_and_no_other(connection: Connection, people: People, table: str) -> None:
    with person(connection, people.dan):
        column = "id" if table == "tenants" else "tenant_id"
        tenants = {row[column] for row in many(connection, f"select distinct {column} from public.{table}")}
        assert tenants == {people.tenant}


@pytest.mark.parametrize("table", ["users", "audit_logs", "workers"])
def test_nobody_but_an_admin_sees_the_others_and_the_audit(connection: Connection, people: People, table: str) -> None:
    for user in (people.alice, people.vera, people.bob):
        with person(connection, user):
            assert value(connection, f"select count(*) from public.{table}") == (1 if table == "users" else 0)


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
def test_a_deactivated_user_sees_nothing_be_it_an_admin(connection: Connection, people: People, table: str) -> None:
    with person(connection, people.eve):
        assert value(connection, f"select count(*) from public.{table}") == 0


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
def test_a_token_of_nobody_sees_nothing(connection: Connection, people: People, table: str) -> None:
    with person(connection, uuid.uuid4()):
        assert value(connection, f"select count(*) from public.{table}") == 0


def test_agents_are_seen_by_whom_they_are_for(connection: Connection, people: People) -> None:
    def names(user: uuid.UUID) -> set[str]:
        with person(connection, user):
            return {row["name"] for row in many(connection, "select name from agents where name in ('Mine', 'Ours')")}

    assert names(people.alice) == {"Mine", "Ours"}
    assert names(people.frank) == names(people.vera) == {"Ours"}
    assert names(people.bob) == set()


@pytest.mark.parametrize("who", ["alice", "dan"])
def test_sensitive_configuration_is_hidden(connection: Connection, people: People, who: str) -> None:
    with person(connection, getattr(people, who)):
        keys = {row["config_key"] for row in many(connection, "select config_key from system_config")}
    assert "default_model" in keys
    assert "probe_secret" not in keys


# The keys that are no person


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
@pytest.mark.parametrize("role", ["anon", "agent_worker"])
def test_anon_and_the_worker_have_no_table(connection: Connection, people: People, role: Role, table: str) -> None:
    with refused(DENIED, "permission denied"), acting_as(connection, role):
        connection.execute(f"select from public.{table}")
    verbs = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"
    assert not value(connection, "select has_table_privilege(%s, %s, %s)", role, f"public.{table}", verbs)
    assert not value(connection, "select has_any_column_privilege(%s, %s, %s)", role, f"public.{table}", verbs[:22])


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role", "agent_worker"])
@pytest.mark.parametrize("table", TABLES)
def test_truncate_is_refused_to_every_key(connection: Connection, people: People, role: Role, table: str) -> None:
    with refused(DENIED), acting_as(connection, role, people.alice):
        connection.execute(f"truncate public.{table} cascade")


@pytest.mark.parametrize(
    "call",
    [
        "worker_config()",
        "worker_claim(gen_random_uuid(), 1, 60)",
        "worker_reap()",
        "worker_settle(gen_random_uuid(), gen_random_uuid(), 'completed', null, null)",
        "worker_context(gen_random_uuid(), gen_random_uuid())",
        "worker_forget_files('{}')",
        "worker_register(gen_random_uuid(), 'h', 1, 'v', 1, 2)",
        "sync_tools('[]')",
    ],
)
def test_people_cannot_call_what_is_the_workers(connection: Connection, people: People, call: str) -> None:
    with refused(DENIED, "permission denied for function"), acting_as(connection, "anon"):
        connection.execute(f"select public.{call}")
    with refused(DENIED, "permission denied for function"), person(connection, people.dan):
        connection.execute(f"select public.{call}")


@pytest.mark.parametrize("call", ["submit_task('x')", "cancel_task(gen_random_uuid())", "runtime_status()"])
@pytest.mark.parametrize("role", ["anon", "agent_worker"])
def test_anon_and_the_worker_cannot_act_for_people(
    connection: Connection, people: People, role: Role, call: str
) -> None:
    with refused(DENIED, "permission denied for function"), acting_as(connection, role):
        connection.execute(f"select public.{call}")


@pytest.mark.parametrize("role", ["anon", "authenticated", "agent_worker"])
def test_the_inside_of_the_runtime_cannot_be_called(connection: Connection, people: People, role: Role) -> None:
    for call in (
        "private.end_task(null::public.tasks, 'completed', null, null)",
        f"private.append_event('{people.task['id']}', '{people.conversation}', null, 'task.notice', '{{}}')",
        "private.config('probe_secret')",
        f"private.create_profile('{uuid.uuid4()}', 'x@example.org', '{{}}')",
    ):
        with refused(DENIED, "permission denied"), acting_as(connection, role, people.alice):
            connection.execute(f"select {call}")


# Writing: each statement names one way in. `outsider` is somebody of another tenant, `colleague` of the same.

ALL_BUT_THE_OWNER = ("bob", "frank", "vera", "dan", "eve")

WRITES_INTO_ALICES = {
    "a message": "insert into messages (conversation_id, role, content) values (%(conversation)s, 'user', 'x')",
    "a message to the task": "insert into messages (conversation_id, task_id, role, content)"
    " values (%(conversation)s, %(task)s, 'user', 'x')",
    "a task": "insert into tasks (conversation_id, title) values (%(conversation)s, 'x')",
    "a conversation in her name": "insert into conversations (user_id, agent_id) values (%(alice)s, %(ours)s)",
    "a file row": "insert into files"
    " (task_id, filename, original_filename, file_path, file_size, mime_type, uploaded_by)"
    " values (%(task)s, 'x', 'x', %(tenant)s || '/' || %(task)s || '/x', 1, 'x', %(me)s)",
}


@pytest.mark.parametrize("who", ALL_BUT_THE_OWNER)
@pytest.mark.parametrize("write", WRITES_INTO_ALICES)
def test_nobody_adds_to_what_is_another_persons(connection: Connection, people: People, who: str, write: str) -> None:
    connection.execute("update conversations set is_shared = true where id = %s", [people.conversation])
    me = getattr(people, who)
    with refused(DENIED, "row-level security"), person(connection, me):
        connection.execute(WRITES_INTO_ALICES[write], names(people, me))


CHANGES_OF_ALICES = {
    "her profile": "update users set full_name = 'x' where id = %(alice)s",
    "her conversation": "update conversations set title = 'x' where id = %(conversation)s",
    "its sharing": "update conversations set is_shared = true where id = %(conversation)s",
    "her task": "update tasks set cancel_requested_at = now() where id = %(task)s",
    "her agent": "update agents set system_prompt = 'x' where id in (%(mine)s, %(ours)s)",
    "her agent's being": "delete from agents where id = %(mine)s",
}


@pytest.mark.parametrize("who", ["bob", "frank", "vera", "eve"])
@pytest.mark.parametrize("change", CHANGES_OF_ALICES)
def test_nobody_changes_what_is_another_persons(connection: Connection, people: People, who: str, change: str) -> None:
    connection.execute("update conversations set is_shared = true where id = %s", [people.conversation])
    me = getattr(people, who)
    with person(connection, me):
        assert connection.execute(CHANGES_OF_ALICES[change], names(people, me)).rowcount == 0


@pytest.mark.parametrize("change", ["her profile", "her conversation", "its sharing", "her task"])
def test_not_even_an_admin_changes_a_persons_work(connection: Connection, people: People, change: str) -> None:
    with person(connection, people.dan):
        assert connection.execute(CHANGES_OF_ALICES[change], names(people, people.dan)).rowcount == 0


@pytest.mark.parametrize(
    ("who", "sqlstate"), [("bob", NOT_FOUND), ("frank", DENIED), ("vera", DENIED), ("dan", DENIED), ("eve", NOT_FOUND)]
)
def test_only_its_owner_cancels_a_task(connection: Connection, people: People, who: str, sqlstate: str) -> None:
    connection.execute("update conversations set is_shared = true where id = %s", [people.conversation])
    with refused(sqlstate), person(connection, getattr(people, who)):
        connection.execute("select cancel_task(%s)", [people.task["id"]])


@pytest.mark.parametrize("who", ALL_BUT_THE_OWNER)
@pytest.mark.parametrize("call", ["answer_task(%(task)s, 'x')", "decide_execution(%(execution)s, true)"])
def test_only_its_owner_answers_and_decides(connection: Connection, people: People, who: str, call: str) -> None:
    connection.execute("update conversations set is_shared = true where id = %s", [people.conversation])
    me = getattr(people, who)
    if who == "dan" and call.startswith("decide"):
        # The tenant's admin decides, too; this one has been decided.
        with refused(WRONG_STATE, "nothing to decide"), person(connection, me):
            connection.execute(f"select {call}", names(people, me))
        return
    with refused(NOT_FOUND, "of yours"), person(connection, me):
        connection.execute(f"select {call}", names(people, me))


@pytest.mark.parametrize("who", ALL_BUT_THE_OWNER)
def test_nobody_submits_into_another_persons_conversation(connection: Connection, people: People, who: str) -> None:
    connection.execute("update conversations set is_shared = true where id = %s", [people.conversation])
    with refused(DENIED if who == "eve" else NOT_FOUND), person(connection, getattr(people, who)):
        connection.execute("select submit_task('x', p_conversation => %s)", [people.conversation])


def test_a_viewer_submits_and_makes_nothing(connection: Connection, people: People) -> None:
    for statement in (
        "select submit_task('x')",
        "insert into conversations (user_id, agent_id) values (%(me)s, %(ours)s)",
        "insert into agents (name, system_prompt, model_name) values ('x', 'x', 'x')",
    ):
        with refused(DENIED), person(connection, people.vera):
            connection.execute(statement, names(people, people.vera))


@pytest.mark.parametrize("who", ["bob", "frank", "dan"])
def test_nobody_uses_another_persons_private_agent(connection: Connection, people: People, who: str) -> None:
    me = getattr(people, who)
    for statement in (
        "select submit_task('x', p_agent => 'Mine')",
        "select submit_task('x', p_agent => %(mine)s::text)",
        "insert into conversations (user_id, agent_id) values (%(me)s, %(mine)s)",
    ):
        with refused(NOT_FOUND, "no agent"), person(connection, me):
            connection.execute(statement, names(people, me))
    task = runs.submit(connection, me)
    with refused(NOT_FOUND, "no agent"), person(connection, me):
        connection.execute(
            "update conversations set agent_id = %s where id = %s", [people.private_agent, task["conversation_id"]]
        )
    with refused(NOT_FOUND, "no agent"), person(connection, me):
        connection.execute(
            "insert into tasks (conversation_id, agent_id, title) values (%s, %s, 'x')",
            [task["conversation_id"], people.private_agent],
        )


def test_an_outsider_cannot_use_a_tenants_agent(connection: Connection, people: People) -> None:
    with refused(NOT_FOUND), person(connection, people.bob):
        connection.execute("select submit_task('x', p_agent => 'Ours')")
    assert runs.submit(connection, people.frank, agent="Ours")["agent_id"] == people.tenant_agent


def names(people: People, me: uuid.UUID) -> dict[str, object]:
    return {
        "me": me, "alice": people.alice, "conversation": people.conversation, "task": people.task["id"],
        "tenant": str(people.tenant), "mine": people.private_agent, "ours": people.tenant_agent,
        "execution": people.execution,
    }  # fmt: skip
