"""Installing: twice as once, by psql as by `agent-runtime db apply`, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from agent_runtime.db import schema
from tests.db.impersonation import many, value
from tests.db.programs import BOOTSTRAP, db_apply, dump, psql

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection
    from tests.db.programs import Finished


def by_psql(database: Database) -> Finished:
    return psql(database, "-f", str(BOOTSTRAP))


def by_apply(database: Database) -> None:
    """What `agent-runtime db apply` calls."""
    schema.apply(database.owner)


WAYS: dict[str, Callable[[Database], Finished | None]] = {"psql": by_psql, "db apply": by_apply}


def rows(database: Database) -> dict[str, str]:
    """Each table's rows, as a digest that tells any change."""
    with psycopg.connect(database.superuser, row_factory=dict_row) as connection:
        tables = many(
            connection,
            "select relnamespace::regnamespace::text as schema, relname as name from pg_class"
            " where relkind = 'r' and relnamespace::regnamespace::text in ('public', 'private', 'auth', 'storage')",
        )
        digests = sql.SQL(
            "select count(*) || ' ' || coalesce(md5(string_agg(t::text, ' ' order by t::text)), '') from {} t"
        )
        found = {}
        for table in tables:
            name = sql.Identifier(table["schema"], table["name"])
            cursor = connection.execute(digests.format(name))
            found[table["name"]] = str(cursor.fetchone())
        return found


def installed(finished: Finished | None) -> None:
    if finished:
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


@pytest.mark.parametrize("way", WAYS)
def test_a_second_run_changes_nothing(each_empty_database: Database, way: str) -> None:
    database = each_empty_database
    installed(WAYS[way](database))
    once = dump(database), rows(database)
    assert "CREATE POLICY" in once[0]
    assert once[1]["tools"] != "0 "
    installed(WAYS[way](database))
    assert (dump(database), rows(database)) == once


def test_psql_and_db_apply_install_the_same(empty_database: Database, database: Database) -> None:
    # `database` was installed by what `db apply` calls.
    by_psql(empty_database)
    assert dump(empty_database) == dump(database)
    # A second run by the other way changes nothing either.
    before = rows(empty_database)
    by_apply(empty_database)
    assert rows(empty_database) == before
    assert dump(empty_database) == dump(database)


def test_the_command_installs_and_says_so(empty_database: Database) -> None:
    finished = db_apply(empty_database)
    assert (finished.returncode, finished.stdout) == (0, "schema version 5 is installed\n"), finished.stderr


def test_what_an_admin_changed_stays(database: Database) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("update system_config set config_value = '7' where config_key = 'session_timeout'")
        connection.execute(
            "update tools set is_enabled = false, requires_confirmation = true, timeout_seconds = 9"
            " where name = 'shell_exec'"
        )
        connection.execute("update tools set timeout_seconds = 7, prompt_injection = 'x' where name = 'file_read'")
        connection.execute("update agents set system_prompt = 'Mine.', tools_enabled = '{}', is_active = false")
        connection.execute("delete from tools where name = 'file_find'")
        connection.execute("insert into agents (name, system_prompt, model_name) values ('Mine', 'x', 'x')")
    # The tools' rows are brought up to date, which the platform's audit tells.
    changed = {name: digest for name, digest in rows(database).items() if name != "tools" and "audit_" not in name}
    installed(by_psql(database))
    after = rows(database)
    assert {name: after[name] for name in changed} == changed
    with psycopg.connect(database.owner, row_factory=dict_row) as connection:
        governed = "is_enabled, requires_confirmation, timeout_seconds, prompt_injection"
        assert many(
            connection, f"select {governed} from tools where name in ('shell_exec', 'file_read') order by name"
        ) == [
            {"is_enabled": True, "requires_confirmation": False, "timeout_seconds": 7, "prompt_injection": "x"},
            {"is_enabled": False, "requires_confirmation": True, "timeout_seconds": 9, "prompt_injection": None},
        ]


@pytest.mark.parametrize("way", [by_psql, db_apply])
def test_a_failed_run_leaves_nothing(empty_database: Database, way: Callable[[Database], Finished]) -> None:
    with psycopg.connect(empty_database.owner) as connection:
        # In the way of the last tables, after much else is made.
        connection.execute("create view public.workers as select 1 as id")
    before = dump(empty_database)
    finished = way(empty_database)
    assert finished.returncode != 0
    assert "workers" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert dump(empty_database) == before


def test_a_role_that_may_not_install_is_told_so_in_a_line(empty_database: Database) -> None:
    finished = psql(empty_database, "-f", str(BOOTSTRAP), conninfo=empty_database.worker)
    assert finished.returncode != 0
    assert "permission denied" in finished.stderr


def test_accounts_that_were_there_before_get_a_profile(empty_database: Database) -> None:
    installed(by_psql(empty_database))
    with psycopg.connect(empty_database.owner, row_factory=dict_row) as connection:
        connection.execute("drop trigger agent_runtime_sign_up on auth.users")
        connection.execute("insert into auth.users (email) values ('early@example.org')")
        assert value(connection, "select count(*) from users") == 0
    installed(by_psql(empty_database))
    with psycopg.connect(empty_database.owner, row_factory=dict_row) as connection:
        assert value(connection, "select username from users") == "early"


def test_on_a_plain_postgres_the_service_key_sees_past_the_policies(empty_database: Database) -> None:
    with psycopg.connect(empty_database.superuser, autocommit=True, row_factory=dict_row) as superuser:
        superuser.execute("alter role service_role rename to service_role_of_the_cluster")
        try:
            installed(by_psql(empty_database))
            assert value(superuser, "select rolbypassrls from pg_roles where rolname = 'service_role'")
        finally:
            _forget_role(superuser, "service_role")
            superuser.execute("alter role service_role_of_the_cluster rename to service_role")


def _forget_role(superuser: Connection, name: str) -> None:
    if value(superuser, "select to_regrole(%s) is not null", name):
        superuser.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
        superuser.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
