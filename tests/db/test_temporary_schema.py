"""What somebody puts into their temporary schema, where everybody may make things, never runs with our rights."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.impersonation import DENIED, Role, Row, acting_as, many

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection

INTRUDED = "P0666"
OURS = "in ('public'::regnamespace, 'private'::regnamespace)"

# Relations and types are looked up in the temporary schema first unless the search path names it, and an empty one does
# not. Run by whom SQL is open to; whatever of ours resolves `uuid`, `text` or `jsonb` there would run it.
PLANTED = """
create function pg_temp.spy(p_value pg_catalog.text) returns pg_catalog.bool language plpgsql as $$
begin
  raise exception using errcode = 'P0666', message = 'the intruder runs as ' || current_user;
end
$$;
do $$
declare
  v_type pg_catalog.text;
begin
  foreach v_type in array array['uuid', 'text', 'jsonb', 'timestamptz', 'inet', 'name', 'regclass', 'xid8'] loop
    execute pg_catalog.format(
      'create domain pg_temp.%1$I as pg_catalog.%1$I check (pg_temp.spy(value::pg_catalog.text))', v_type
    );
  end loop;
end
$$;
create view pg_temp.pg_class as select * from pg_catalog.pg_class where pg_temp.spy(relname::pg_catalog.text);
grant select on pg_temp.pg_class to public;
"""

# Beside each function with nulls, what gets further: through triggers, policies and the functions that these call.
WHOLE = (
    "select * from public.users",
    "select * from public.tasks",
    "select * from public.tool_statistics",
    "update public.users set full_name = 'x'",
    "select public.submit_task('Do it')",
    "select public.runtime_status()",
    "select public.worker_register('00000000-0000-4000-8000-000000000001', 'host', 1, '0', 1, 2)",
    "select public.worker_claim('00000000-0000-4000-8000-000000000001', 1, 60)",
    "select public.worker_reap(10)",
)


@pytest.fixture(scope="module")
def alice(shared_connection: Connection) -> uuid.UUID:
    runs.install_probes(shared_connection)
    found = runs.sign_up(shared_connection, "alice@example.org")
    runs.submit(shared_connection, found)
    return found


@pytest.mark.parametrize("role", ["agent_worker", "authenticated", "service_role"])
def test_what_somebody_puts_into_their_temporary_schema_never_runs_with_our_rights(
    connection: Connection, shared_database: Database, alice: uuid.UUID, role: Role
) -> None:
    functions = many(
        connection,
        f"""
        select p.pronamespace::regnamespace::text as schema, p.proname as name,
          (select array_agg(format('%%I.%%I', t.typnamespace::regnamespace, t.typname) order by a.n)
           from unnest(p.proargtypes) with ordinality a (type, n) join pg_type t on t.oid = a.type) as arguments
        from pg_proc p where p.pronamespace {OURS} and p.prorettype <> 'trigger'::regtype
        """,
    )
    calls = [sql.SQL("select {}({})").format(sql.Identifier(f["schema"], f["name"]), nulls(f)) for f in functions]
    calls += [sql.SQL(statement).format() for statement in WHOLE]
    caught, reached = [], 0
    # A connection of its own: in an old one, functions know their types already.
    with (
        psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as fresh,
        fresh.transaction(force_rollback=True),
        acting_as(fresh, role, alice),
    ):
        fresh.execute(PLANTED)
        for call in calls:
            state = state_of(fresh, call)
            reached += state != DENIED
            if state == INTRUDED:
                caught.append(call.as_string(connection))
    assert caught == []
    assert reached > 15


def nulls(function: Row) -> sql.Composed:
    """A null for each argument, by a type that no temporary schema catches."""
    return sql.SQL(", ").join(sql.SQL("null::{}").format(sql.SQL(argument)) for argument in function["arguments"] or [])


def state_of(connection: Connection, statement: sql.Composed) -> str | None:
    """The SQLSTATE of its error, or None; the statement's effects are taken back."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate
    return None
