"""Two tenants that have a row of every table each, to be tried against one another."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.db import runs
from tests.db.control import decide
from tests.db.impersonation import many, person, value

if TYPE_CHECKING:
    from tests.db.impersonation import Connection, Row

_FOREIGN_KEYS = """
select c.conrelid::regclass::text as "table", a.attname as "column", c.confrelid::regclass::text as target
from pg_constraint c
join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
where c.contype = 'f' and c.conparentid = 0 and c.connamespace = 'public'::regnamespace
order by 1, 2
"""


def foreign_keys(connection: Connection) -> list[Row]:
    """Every foreign key of `public`: its `table`, `column` and `target`."""
    return many(connection, _FOREIGN_KEYS)


@dataclass(frozen=True)
class Side:
    """One tenant with a row of each table, by the table's name."""

    tenant: uuid.UUID
    admin: uuid.UUID
    user: uuid.UUID
    rows: dict[str, Row]


def settle(connection: Connection, name: str) -> Side:
    """An admin, a user and everything they can have."""
    admin = runs.sign_up(connection, f"{name}-admin@example.org")
    user = runs.sign_up(connection, f"{name}-user@example.org")
    tenant = value(connection, "select tenant_id from public.users where id = %s", admin)
    connection.execute("update public.users set role = 'admin' where id = %s", [admin])
    connection.execute("update public.users set tenant_id = %s where id = %s", [tenant, user])
    with person(connection, admin):
        connection.execute("select public.invite_user(%s, 'user')", [f"{name}-new@example.org"])
    with person(connection, user):
        connection.execute(
            "insert into public.agents (name, system_prompt, model_name, tools_enabled)"
            " values (%s, 'x', 'default', '{probe,probe_confirm}')",
            [name],
        )
    connection.execute(
        "insert into public.tools (name, display_name, description, category, function_schema, tenant_id)"
        " values (%s, 'x', 'x', 'test', '{}', %s)",
        [f"tool_of_{name}", tenant],
    )
    parent = runs.submit(connection, user, agent=name)
    (parent,) = runs.claim(connection)
    path = f"{tenant}/{parent['id']}/a.txt"
    file = {"filename": "a.txt", "file_path": path, "file_size": 1, "mime_type": "x", "file_hash": "0" * 64}
    runs.executed(connection, parent, 1, files=[file])
    asked = runs.record_turn(connection, parent, 2, runs.tool_call("probe_confirm"))["executions"][0]["id"]
    decide(connection, admin, asked)
    if value(connection, "select to_regclass('public.credentials') is not null"):
        connection.execute(
            "insert into public.credentials (tenant_id, user_id, name, scope, key_id, created_by)"
            " values (%s, %s, 'key', 'user', 'x', %s)",
            [tenant, user, user],
        )
    tables = {row["table"] for row in foreign_keys(connection)} - {"system_config", "users"}
    rows = {}
    for table in tables:
        found = many(
            connection, f"select to_jsonb(t) as row from public.{table} t where tenant_id = %s limit 1", tenant
        )
        assert found, f"settle makes no row of {table}"
        rows[table] = found[0]["row"]
    rows["tool_executions"] = value(connection, "select to_jsonb(t) from public.tool_executions t where id = %s", asked)
    rows["users"] = value(connection, "select to_jsonb(t) from public.users t where id = %s", user)
    rows["tenants"] = {"id": str(tenant)}
    rows["workers"] = {"id": str(runs.WORKER)}
    return Side(tenant, admin, user, rows)
