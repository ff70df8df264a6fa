"""What a grant and a policy would let through: columns that are nobody's to write, history that is nobody's to undo."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.impersonation import (
    DENIED,
    INVALID,
    LIMIT,
    NOT_FOUND,
    WRONG_STATE,
    acting_as,
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


@pytest.fixture(scope="module")
def people(shared_database: Database) -> Iterator[People]:
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        yield settle_in(connection)


# The own profile


@pytest.mark.parametrize(
    "change",
    ["role = 'admin'", "tenant_id = %(other)s", "is_active = true", "email = 'x@y.z'", "id = gen_random_uuid()",
     "created_at = now()"],
)  # fmt: skip
def test_nobody_makes_itself_more_than_it_is(connection: Connection, people: People, change: str) -> None:
    other = value(connection, "select tenant_id from users where id = %s", people.bob)
    connection.execute("update users set created_at = created_at - interval '1 day'")
    for user in (people.alice, people.vera):
        if change.startswith("is_active"):
            change = "is_active = false"
        with refused(DENIED, r"users\.\w+ cannot be changed"), person(connection, user):
            connection.execute(f"update users set {change} where id = auth.uid()", {"other": other})


def test_a_user_changes_its_profile(connection: Connection, people: People) -> None:
    with person(connection, people.alice):
        assert one(
            connection, "update users set full_name = 'Alice', preferences = '{\"a\": 1}' returning full_name"
        ) == {"full_name": "Alice"}


def test_not_even_the_service_key_gives_out_roles(connection: Connection, people: People) -> None:
    with refused(DENIED, "users.role cannot be changed"), acting_as(connection, "service_role"):
        connection.execute("update users set role = 'admin' where id = %s", [people.bob])


@pytest.mark.parametrize("table", ["users", "tenants", "workers", "audit_logs", "system_config", "tools"])
def test_people_write_nothing_of_the_platforms(connection: Connection, people: People, table: str) -> None:
    for statement in (f"insert into {table} default values", f"delete from {table}"):
        with refused(DENIED, "permission denied"), person(connection, people.dan):
            connection.execute(statement)
    if table != "users":
        column = "created_at" if table != "workers" else "started_at"
        with refused(DENIED, "permission denied"), person(connection, people.dan):
            connection.execute(f"update {table} set {column} = now()")


# History


@pytest.mark.parametrize("table", ["messages", "task_events", "audit_logs", "tool_executions", "files"])
@pytest.mark.parametrize("statement", ["update {} set tenant_id = tenant_id", "delete from {}"])
@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_history_is_not_changed_by_its_owner_nor_by_the_service_key(
    connection: Connection, people: People, table: str, statement: str, role: Role
) -> None:
    with refused(DENIED), acting_as(connection, role, people.alice):
        connection.execute(statement.format(table))


@pytest.mark.parametrize("table", ["conversations", "tasks"])
def test_people_delete_neither_conversations_nor_tasks(connection: Connection, people: People, table: str) -> None:
    for role in ("authenticated", "service_role"):
        with refused(DENIED, "permission denied"), acting_as(connection, role, people.alice):
            connection.execute(f"delete from {table}")


@pytest.mark.parametrize("who", ["alice", "dan", "service_role"])
def test_an_agent_that_was_talked_to_is_not_deleted_with_the_talk(
    connection: Connection, people: People, who: str
) -> None:
    task = runs.submit(connection, people.frank, agent="Ours")
    role: Role = "service_role" if who == "service_role" else "authenticated"
    user = None if who == "service_role" else getattr(people, who)
    with refused(WRONG_STATE, "is_active"), acting_as(connection, role, user):
        connection.execute("delete from agents where id = %s", [people.tenant_agent])
    assert runs.task_row(connection, task)["status"] == "pending"
    with person(connection, people.alice):
        assert connection.execute("delete from agents where id = %s", [people.private_agent]).rowcount == 1


def test_a_tool_that_was_used_is_not_deleted_with_its_ledger(connection: Connection, people: People) -> None:
    with refused(WRONG_STATE, "is_enabled"), acting_as(connection, "service_role"):
        connection.execute("delete from tools where name = 'probe'")
    with acting_as(connection, "service_role"):
        assert connection.execute("delete from tools where name = 'probe_ungranted'").rowcount == 1


@pytest.mark.parametrize("role", ["assistant", "system", "tool"])
def test_a_person_speaks_for_nobody_else(connection: Connection, people: People, role: str) -> None:
    with refused(DENIED, "row-level security"), person(connection, people.alice):
        connection.execute(
            "insert into messages (conversation_id, role, content) values (%s, %s, 'x')", [people.conversation, role]
        )


def test_a_person_makes_no_calls(connection: Connection, people: People) -> None:
    for column, given in (("tool_calls", "[]"), ("tool_call_id", "c")):
        with refused(DENIED, "row-level security"), person(connection, people.alice):
            connection.execute(
                f"insert into messages (conversation_id, role, content, {column}) values (%s, 'user', 'x', %s)",
                [people.conversation, given],
            )


def test_tenant_and_owner_are_the_databases_to_set(connection: Connection, people: People) -> None:
    theirs = value(connection, "select tenant_id from users where id = %s", people.bob)
    with person(connection, people.alice):
        conversation = one(
            connection,
            "insert into conversations (user_id, agent_id, tenant_id) values (%s, %s, %s) returning id, tenant_id",
            people.alice, people.private_agent, theirs,
        )  # fmt: skip
        task = one(
            connection,
            "insert into tasks (conversation_id, title, tenant_id, user_id) values (%s, 'x', %s, %s)"
            " returning tenant_id, user_id, agent_id",
            conversation["id"], theirs, people.bob,
        )  # fmt: skip
        message = one(
            connection,
            "insert into messages (conversation_id, role, content, tenant_id, seq) values (%s, 'user', 'x', %s, -1)"
            " returning tenant_id, seq",
            conversation["id"], theirs,
        )  # fmt: skip
        agent = one(
            connection,
            "insert into agents (name, system_prompt, model_name, tenant_id, created_by)"
            " values ('x', 'x', 'x', %s, %s) returning tenant_id, created_by",
            theirs, people.bob,
        )  # fmt: skip
    assert conversation["tenant_id"] == people.tenant
    assert task == {"tenant_id": people.tenant, "user_id": people.alice, "agent_id": people.private_agent}
    assert message["tenant_id"] == people.tenant
    assert message["seq"] > 0
    assert agent == {"tenant_id": people.tenant, "created_by": people.alice}


@pytest.mark.parametrize(
    ("table", "column"),
    [("conversations", "user_id"), ("conversations", "tenant_id"), ("agents", "created_by"), ("agents", "tenant_id")],
)
def test_what_is_owned_is_not_given_away(connection: Connection, people: People, table: str, column: str) -> None:
    given = value(
        connection, f"select {'tenant_id' if column == 'tenant_id' else 'id'} from users where id = %s", people.bob
    )
    for role in ("authenticated", "service_role"):
        with refused(DENIED, "cannot be changed"), acting_as(connection, role, people.alice):
            connection.execute(f"update {table} set {column} = %s", [given])


# The state of a task


@pytest.mark.parametrize(
    "change",
    ["status = 'completed'", "status = 'cancelled'", "lease_token = gen_random_uuid()", "lease_expires_at = now()",
     "result = '{}'", "attempts = 99", "plan = '[{}]'", "priority = 5", "usage = '{\"steps\": 9}'", "tainted = true",
     "limits = '{\"steps\": 9}'", "description = 'x'", "agent_id = %(agent)s", "user_id = %(bob)s",
     "worker_id = null", "error_message = 'x'", "progress_percentage = 50", "active_seconds = 0.5",
     "last_release = 'x'", "idempotency_key = 'x'"],
)  # fmt: skip
def test_the_state_of_a_task_is_nobodys_to_write(connection: Connection, people: People, change: str) -> None:
    for role in ("authenticated", "service_role"):
        with refused(DENIED, "by the runtime's functions alone"), acting_as(connection, role, people.alice):
            connection.execute(
                f"update tasks set {change} where id = %(task)s",
                {"task": people.task["id"], "agent": people.private_agent, "bob": people.bob},
            )


@pytest.mark.parametrize(
    ("column", "given"),
    [("status", "running"), ("status", "completed"), ("attempts", 3), ("result", "{}"), ("usage", '{"steps": 1}'),
     ("plan", '[{"title": "x"}]'), ("tainted", True), ("started_at", "2020-01-01"), ("error_message", "x"),
     ("progress_percentage", 50), ("pause_requested_at", "2020-01-01"),
     ("lease_token", "00000000-0000-4000-8000-00000000beef")],
)  # fmt: skip
def test_a_task_begins_at_the_beginning(connection: Connection, people: People, column: str, given: object) -> None:
    with refused(DENIED, "begins as pending"), person(connection, people.alice):
        connection.execute(
            f"insert into tasks (conversation_id, title, {column}) values (%s, 'x', %s)", [people.conversation, given]
        )


def test_a_client_does_not_let_its_task_kill_more_workers(connection: Connection, people: People) -> None:
    with person(connection, people.alice):
        task = one(
            connection,
            "insert into tasks (conversation_id, title, max_attempts) values (%s, 'x', 1000000) returning max_attempts",
            people.conversation,
        )
    assert task["max_attempts"] == 5


def test_the_ledger_is_nobodys_to_write(connection: Connection, people: People) -> None:
    for role in ("authenticated", "service_role"):
        for statement in (
            "update tool_executions set status = 'pending'",
            "insert into tool_executions default values",
        ):
            with refused(DENIED, "permission denied"), acting_as(connection, role, people.alice):
                connection.execute(statement)


def test_a_task_is_no_child_of_another_persons(connection: Connection, people: People) -> None:
    task = runs.submit(connection, people.frank)
    with refused(NOT_FOUND), person(connection, people.frank):
        connection.execute(
            "insert into tasks (conversation_id, title, parent_task_id) values (%s, 'x', %s)",
            [task["conversation_id"], people.task["id"]],
        )


# Files


def upload(connection: Connection, people: People, user: uuid.UUID, path: str, task: uuid.UUID | None = None) -> None:
    with person(connection, user):
        connection.execute(
            "insert into files (task_id, filename, original_filename, file_path, file_size, mime_type, uploaded_by)"
            " values (%s, 'x', 'x', %s, 1, 'text/plain', %s)",
            [task or people.task["id"], path, user],
        )


def test_a_file_row_is_only_for_bytes_of_its_own_task(connection: Connection, people: People) -> None:
    mine = runs.submit(connection, people.bob)
    tenant = mine["tenant_id"]
    for path in (
        f"{people.tenant}/{people.task['id']}/report.md",
        f"{tenant}/{mine['id']}/../../{people.tenant}/{people.task['id']}/report.md",
        f"{tenant}/{mine['id']}/./x",
        f"{tenant}/{uuid.uuid4()}/x",
        "x",
        "",
    ):
        with refused(DENIED, "file_path must begin with"):
            upload(connection, people, people.bob, path, mine["id"])
    upload(connection, people, people.bob, f"{tenant}/{mine['id']}/x", mine["id"])


def test_a_file_row_names_its_uploader(connection: Connection, people: People) -> None:
    with refused(DENIED, "row-level security"), person(connection, people.alice):
        connection.execute(
            "insert into files (task_id, filename, original_filename, file_path, file_size, mime_type, uploaded_by)"
            " values (%s, 'x', 'x', %s, 1, 'x', %s)",
            [people.task["id"], f"{people.tenant}/{people.task['id']}/x", people.frank],
        )


def test_bytes_go_only_where_ones_own_task_is(connection: Connection, people: People) -> None:
    def may(user: uuid.UUID, name: str) -> bool:
        with person(connection, user):
            return bool(value(connection, "select private.may_upload(%s)", name))

    tenant, task = people.tenant, people.task["id"]
    assert may(people.alice, f"{tenant}/{task}/a.csv")
    assert may(people.alice, f"{tenant}/{uuid.uuid4()}/a.csv")
    assert not may(people.alice, f"{tenant}/nonsense/a.csv")
    assert not may(people.alice, f"{tenant}/{task}")
    # What a run made: whoever could put bytes there could have the run go on with others than it made.
    assert not may(people.alice, f"{tenant}/{task}/.sha256/{'0' * 64}")
    for stranger in (people.frank, people.vera, people.dan, people.eve, people.bob):
        assert not may(stranger, f"{tenant}/{task}/a.csv")
    assert not may(people.vera, f"{tenant}/{uuid.uuid4()}/a.csv")


# Submitting


@pytest.mark.parametrize("prompt", [None, "", "  ", "\n\n\t \r\n"])
def test_an_empty_prompt_is_refused(connection: Connection, people: People, prompt: str) -> None:
    with refused(INVALID, "the prompt is empty: say what the agent should do"):
        runs.submit(connection, people.alice, prompt)


def test_a_prompt_of_a_megabyte_is_refused_by_the_limits_name(connection: Connection, people: People) -> None:
    with refused(LIMIT, "limit prompt_bytes reached: the prompt has 1048576 bytes, at most 262144"):
        runs.submit(connection, people.alice, "x" * 1048576)
    runs.submit(connection, people.alice, "é" * 131072)


@pytest.mark.parametrize("priority", [0, 6, -1, None])
def test_a_priority_out_of_range_is_refused(connection: Connection, people: People, priority: int | None) -> None:
    with refused(INVALID, "priority .* is not between 1 and 5"):
        runs.submit(connection, people.alice, priority=priority)


@pytest.mark.parametrize("agent", ["Nobody", "", "x'; drop table tasks; --", "Ours" * 100])
def test_an_unknown_agent_is_refused_with_the_names_there_are(
    connection: Connection, people: People, agent: str
) -> None:
    with pytest.raises(psycopg.Error, match="there is no agent named") as error, person(connection, people.bob):
        connection.execute("select submit_task('x', p_agent => %s)", [agent])
    assert error.value.sqlstate == NOT_FOUND
    assert str(error.value.diag.message_primary).endswith("; there are: Asistente General, Prober")


def test_an_agent_that_is_off_is_not_to_be_had(connection: Connection, people: People) -> None:
    connection.execute("update agents set is_active = false where id = %s", [people.tenant_agent])
    with refused(NOT_FOUND):
        runs.submit(connection, people.alice, agent="Ours")


def test_without_a_name_the_catalogues_agent_takes_it(connection: Connection, people: People) -> None:
    task = runs.submit(connection, people.alice, agent=None)
    assert value(connection, "select name from agents where id = %s", task["agent_id"]) == "Asistente General"


def test_nothing_is_half_submitted(connection: Connection, people: People) -> None:
    counts = (
        "select (select count(*) from tasks), (select count(*) from conversations), (select count(*) from messages)"
    )
    before = many(connection, counts)
    taken = '[{"filename": "a", "file_path": "elsewhere/a", "file_size": 1, "mime_type": "x"}]'
    with refused(DENIED, "file_path must begin with"):
        runs.submit(connection, people.alice, files=taken)
    with refused(INVALID, "is taken"):
        runs.submit(connection, people.bob, task=people.task["id"])
    assert many(connection, counts) == before


def test_the_same_key_is_the_same_task_and_anothers_key_is_not(connection: Connection, people: People) -> None:
    first = runs.submit(connection, people.alice, idempotency_key="k")
    assert runs.submit(connection, people.alice, "Other", idempotency_key="k")["id"] == first["id"]
    assert runs.submit(connection, people.bob, idempotency_key="k")["id"] != first["id"]


def test_a_task_is_titled_by_its_first_line(connection: Connection, people: People) -> None:
    task = runs.submit(connection, people.alice, "\n\n  Count the words\nof this text")
    assert task["title"] == "Count the words"
    assert task["description"] == "\n\n  Count the words\nof this text"
    assert len(runs.submit(connection, people.alice, "w" * 1000)["title"]) == 255
