"""What somebody holds who has the worker's password, or the role as which agents' SQL runs: by the catalog itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db.impersonation import many, one, value
from tests.db.test_privileges import SERVERS, WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection

# Relations of Postgres's own that everybody may read are in these.
CATALOG = "('pg_catalog', 'information_schema', 'pg_toast')"

TABLE_RIGHTS = "select, insert, update, delete, truncate, references, trigger"


@pytest.fixture
def owner(each_database: Database) -> Iterator[Connection]:
    with psycopg.connect(each_database.owner, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def test_the_workers_role_can_call_the_workers_functions_and_nothing_else(
    owner: Connection, each_database: Database
) -> None:
    assert one(
        owner,
        "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication, rolcanlogin, rolconfig"
        " from pg_roles where rolname = 'agent_worker'",
    ) == {
        "rolsuper": False, "rolbypassrls": False, "rolcreatedb": False, "rolcreaterole": False,
        "rolreplication": False, "rolcanlogin": True, "rolconfig": None,
    }  # fmt: skip
    assert many(owner, "select roleid::regrole::text from pg_auth_members where member = 'agent_worker'::regrole") == []
    assert many(owner, "select * from pg_shdepend where refobjid = 'agent_worker'::regrole and deptype = 'o'") == []

    columns = "select, insert, update, references"
    for kinds, right in (
        ("rpvmf", f"has_table_privilege('agent_worker', c.oid, '{TABLE_RIGHTS}')"),
        ("rpvmf", f"has_any_column_privilege('agent_worker', c.oid, '{columns}')"),
        ("S", "has_sequence_privilege('agent_worker', c.oid, 'usage, select, update')"),
    ):
        found = many(
            owner,
            f"select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            f" where n.nspname not in {CATALOG} and case when strpos('{kinds}', c.relkind::text) > 0 then {right} end",
        )
        assert found == [], right
    callable_functions = many(
        owner,
        "select n.nspname || '.' || p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        f" where n.nspname not in {CATALOG} and has_function_privilege('agent_worker', p.oid, 'execute')"
        # What is in a schema that one cannot enter cannot be called.
        " and has_schema_privilege('agent_worker', n.oid, 'usage')",
    )
    assert {row["name"] for row in callable_functions} == {
        f"public.{name}" for name in (*WORKERS, *SERVERS, "worker_execute")
    }
    schemas = many(
        owner,
        "select n.nspname as name, has_schema_privilege('agent_worker', n.oid, 'create') as makes from pg_namespace n"
        f" where n.nspname not in {CATALOG} and has_schema_privilege('agent_worker', n.oid, 'usage')",
    )
    assert schemas == [{"name": "public", "makes": False}]
    # What is everybody's in any database: to connect, and temporary tables, which are nobody else's to see.
    rights = ("connect", "temporary", "create")
    assert [
        right for right in rights
        if value(owner, "select has_database_privilege('agent_worker', current_database(), %s)", right)
    ] == ["connect", "temporary"]  # fmt: skip
    assert value(owner, "select has_language_privilege('agent_worker', 'plpgsql', 'usage')")

    with psycopg.connect(each_database.worker, autocommit=True) as worker:
        for statement in (
            "select from public.tasks", "select from auth.users", "select private.me()", "set role authenticated",
            "set role service_role", "set role agent_query", "set session authorization postgres",
            "create table public.mine ()", "create schema mine",
            "select public.decide_execution(gen_random_uuid(), true)",
            "create function public.mine() returns void language sql as ''", "alter role agent_worker superuser",
            "select private.run_query('select 1', 1, 1, null)", "insert into private.acting values ('1', null, null)",
            "select pg_read_file('PG_VERSION')", "copy (select 1) to program 'true'",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(statement.encode())


def test_the_role_of_agents_sql_has_what_authenticated_has_and_owns_two_functions(owner: Connection) -> None:
    assert one(
        owner,
        "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication, rolcanlogin"
        " from pg_roles where rolname = 'agent_query'",
    ) == dict.fromkeys(
        ("rolsuper", "rolbypassrls", "rolcreatedb", "rolcreaterole", "rolreplication", "rolcanlogin"), False
    )
    memberships = "select roleid::regrole::text as role from pg_auth_members where member = 'agent_query'::regrole"
    assert many(owner, memberships) == [{"role": "authenticated"}]
    members = "select member::regrole::text as role from pg_auth_members where roleid = 'agent_query'::regrole"
    assert {row["role"] for row in many(owner, members)} == {"postgres"}
    owned = "select oid::regproc::text as name from pg_proc where proowner = 'agent_query'::regrole"
    assert {row["name"] for row in many(owner, owned)} == {"private.run_query", "private.run_change"}
    assert many(owner, "select from pg_class where relowner = 'agent_query'::regrole") == []
    for name, kinds, right in (("table", "rpvmf", TABLE_RIGHTS), ("sequence", "S", "usage, select, update")):
        has = f"has_{name}_privilege('{{}}', c.oid, '{right}')"
        more = many(
            owner,
            "select c.oid::regclass::text as name from pg_class c"
            f" where case when strpos('{kinds}', c.relkind::text) > 0"
            f" then {has.format('agent_query')} and not {has.format('authenticated')} end",
        )
        assert more == []
    makes = "select nspname as name from pg_namespace where has_schema_privilege('agent_query', oid, 'create')"
    assert many(owner, makes) == [{"name": "agent_statements"}]
