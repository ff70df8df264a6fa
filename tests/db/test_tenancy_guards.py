"""No row moves between tenants or refers to another tenant's row: each foreign key there is, read from the catalog, is
tried by whoever holds the service key and every grant, and by the owner of the tables.

A new table needs a row in sides.py, a new foreign key a guard; what is not guarded is stated in `FREE` with its reason.
"""

from __future__ import annotations

import json
import uuid
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db import runs
from tests.db.impersonation import DENIED, NOT_FOUND, acting_as, many, one, value
from tests.db.sides import Side, foreign_keys, settle

if TYPE_CHECKING:
    from tests.db.impersonation import Connection, Row

FREE = {
    "tasks.worker_id": "workers are the platform's",
    "system_config.updated_by": "the configuration is the platform's",
    "audit_logs.user_id": "history: whoever did it, and that table has guards of its own",
    "users.tenant_id": "memberships change, by functions/tenancy.sql and by the operator",
    "users.home_tenant_id": "as the one above",
    "invitations.accepted_by": "who accepts is not yet in the tenant, and may leave it again",
    "task_events.task_id": "written by triggers alone, many times a step, each with the tenant of its task",
    "tool_executions.message_id": "record_intent alone writes it, with the turn that it has just written",
    "tool_executions.decided_by": "history: who decided may be elsewhere by now; decide_execution checks who asks",
}
"""Foreign keys across which the owner may refer to anything. Whoever else tries is refused even there."""

UNIQUE: dict[str, dict[str, Any]] = {
    "tools": {"name": "another_tool"},
    "tasks": {"idempotency_key": None, "lease_token": str(uuid.uuid4())},
    "tool_executions": {"call_index": 7, "approvals_needed": 0},
    "files": {"version": 7},
    "invitations": {"email": "another@example.org"},
    "execution_decisions": {"input_digest": "another"},
    "conversations": {},
    "agents": {},
    "messages": {},
    "task_events": {},
    "credentials": {"name": "another"},
}
"""What a copy of a row must have of its own besides its id."""


@pytest.fixture
def sides(connection: Connection) -> tuple[Side, Side]:
    runs.install_probes(connection)
    runs.register(connection)
    sides = settle(connection, "ours"), settle(connection, "theirs")
    connection.execute("grant all on all tables in schema public to service_role, authenticated")
    connection.execute("grant usage on all sequences in schema public to service_role, authenticated")
    return sides


def another(row: Row) -> Row:
    """The row, as one more."""
    return {**row, "id": str(uuid.uuid4()) if isinstance(row["id"], str) else 1 << 40}


def inconsistent(connection: Connection) -> list[str]:
    """References that lead from one tenant into another."""
    tenanted = {
        row["name"]
        for row in many(
            connection,
            "select attrelid::regclass::text as name from pg_attribute where attname = 'tenant_id' and attnum > 0",
        )
    }
    found = []
    for key in foreign_keys(connection):
        name = f"{key['table']}.{key['column']}"
        if name in FREE or key["target"] == "tenants":
            continue
        if key["target"] == "users":
            same = "c.tenant_id in (p.tenant_id, p.home_tenant_id)"
        else:
            assert key["target"] in tenanted, f"{name}: what tenant is a row of {key['target']} of?"
            same = "p.tenant_id is null or c.tenant_id = p.tenant_id"
        crossing = value(
            connection,
            f"select count(*) from {key['table']} c join {key['target']} p on p.id = c.{key['column']}"
            f" where ({same}) is not true",
        )
        if crossing:
            found.append(name)
    return found


def attempt(connection: Connection, role: str, statement: str, *given: object) -> str | None:
    """Runs it; says what is wrong if it was neither refused as it should be nor made harmless."""
    problem = None
    with connection.transaction(force_rollback=True):
        try:
            with connection.transaction():
                if role == "owner":
                    connection.execute(statement, given)
                else:
                    with acting_as(connection, role):  # type: ignore[arg-type]
                        connection.execute(statement, given)
        except psycopg.Error as error:
            if error.sqlstate not in (DENIED, NOT_FOUND):
                problem = f"{error.sqlstate}: {error.diag.message_primary}"
        else:
            if crossing := inconsistent(connection):
                problem = f"{', '.join(crossing)} leads into another tenant"
    return problem


@pytest.mark.parametrize("role", ["service_role", "owner"])
def test_no_row_refers_to_another_tenants(connection: Connection, sides: tuple[Side, Side], role: str) -> None:
    ours, theirs = sides
    assert inconsistent(connection) == []
    problems = {}
    keys = foreign_keys(connection)
    assert len(keys) > 30
    for key in keys:
        table, column = key["table"], key["column"]
        if f"{table}.{column}" in FREE and (role == "owner" or table in ("system_config", "audit_logs")):
            continue
        row = ours.rows[table]
        other = theirs.rows[key["target"]]["id"]
        updated = attempt(connection, role, f"update public.{table} set {column} = %s where id = %s", other, row["id"])
        if table == "users":
            inserted = None  # comes with a sign-up alone; the owner's own work is FREE
        else:
            copy = {**another(row), **UNIQUE[table], column: other}
            inserted = attempt(
                connection, role,
                f"insert into public.{table} overriding user value"
                f" select * from jsonb_populate_record(null::public.{table}, %s)",
                json.dumps(copy),
            )  # fmt: skip
        if updated or inserted:
            problems[f"{table}.{column}"] = (updated, inserted)
    assert problems == {}


@pytest.mark.parametrize("role", ["service_role", "owner"])
def test_no_row_moves_into_another_tenant(connection: Connection, sides: tuple[Side, Side], role: str) -> None:
    ours, theirs = sides
    owned = many(
        connection,
        "select relname as name from pg_class c where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
        " and exists (select from pg_attribute where attrelid = c.oid and attname = 'tenant_id' and attnum > 0)",
    )
    assert {"messages", "tasks", "files", "invitations", "task_events"} < {row["name"] for row in owned}
    for table in (row["name"] for row in owned):
        if table == "users" and role == "owner":
            continue
        statement = f"update public.{table} set tenant_id = %s where tenant_id = %s"
        acting = nullcontext() if role == "owner" else acting_as(connection, "service_role")
        with pytest.raises(psycopg.Error) as caught, connection.transaction(), acting:
            connection.execute(statement, [theirs.tenant, ours.tenant])
        assert caught.value.sqlstate == DENIED, (table, caught.value)


def test_a_tenant_that_a_client_gives_is_not_believed(connection: Connection, sides: tuple[Side, Side]) -> None:
    """With every grant there is, a person and the service key insert a copy of each row into the other tenant."""
    ours, theirs = sides
    said = {}
    for role, who in (("service_role", None), ("authenticated", ours.user)):
        for table, row in ours.rows.items():
            if table in ("users", "tenants", "workers", "audit_logs", "tools"):
                continue
            copy = {**another(row), **UNIQUE[table], "tenant_id": str(theirs.tenant)}
            with connection.transaction(force_rollback=True):
                try:
                    with connection.transaction(), acting_as(connection, role, who):  # type: ignore[arg-type]
                        connection.execute(
                            f"insert into public.{table} overriding user value"
                            f" select * from jsonb_populate_record(null::public.{table}, %s)",
                            [json.dumps(copy)],
                        )
                except psycopg.Error as error:
                    said[f"{role} {table}"] = error.sqlstate
                else:
                    made = one(connection, f"select tenant_id from public.{table} where id = %s", copy["id"])
                    said[f"{role} {table}"] = "ours" if made["tenant_id"] == ours.tenant else "THEIRS"
    assert set(said.values()) <= {"ours", DENIED}, said


def test_the_timeline_is_nobodys_to_write(connection: Connection, sides: tuple[Side, Side]) -> None:
    ours, _ = sides
    task = ours.rows["tasks"]["id"]
    for role, who in (("service_role", None), ("authenticated", ours.user)):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), acting_as(connection, role, who):  # type: ignore[arg-type]
            connection.execute(
                "insert into public.task_events (task_id, tenant_id, kind) values (%s, %s, 'task.notice')",
                [task, ours.tenant],
            )
