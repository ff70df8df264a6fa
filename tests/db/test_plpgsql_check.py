"""plpgsql_check, with all its warnings, finds nothing in our functions but what the docs explain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from agent_runtime.db import schema
from tests.conftest import cloned
from tests.db.impersonation import many, value
from tests.db.programs import as_hosted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cluster
    from tests.db.impersonation import Connection

CHECKS = Path(__file__).resolve().parents[2] / "docs" / "checks.md"

# A trigger's function is checked with each table that it is on, since the fields of its rows are that table's.
FINDINGS = """
select p.oid::regprocedure::text as function, c.relid::regclass::text as "table", f.lineno, f.level, f.message, f.detail
from pg_proc p
join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
left join lateral (
  select distinct t.tgrelid as relid, t.tgoldtable, t.tgnewtable from pg_trigger t where t.tgfoid = p.oid
) c on true
cross join lateral checks.plpgsql_check_function_tb(
  p.oid, coalesce(c.relid, 0), fatal_errors := false, other_warnings := true, performance_warnings := true,
  extra_warnings := true, security_warnings := true, compatibility_warnings := true,
  oldtable := c.tgoldtable, newtable := c.tgnewtable, use_incomment_options := false
) f
where p.pronamespace::regnamespace::text in ('public', 'private')
  and (c.relid is not null or p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype))
order by 1, 2, 3
"""
ON_NO_TABLE = """
select p.oid::regprocedure::text as function from pg_proc p
where p.pronamespace::regnamespace::text in ('public', 'private') and p.prorettype = 'trigger'::regtype
  and not exists (select from pg_trigger t where t.tgfoid = p.oid)
"""


@pytest.fixture
def checked(postgres15: Cluster) -> Iterator[Connection]:
    """A superuser's connection to a database with our SQL, beside what Supabase owns, and the extension."""
    for database in cloned(postgres15, "template1"):
        as_hosted(database)
        schema.apply(database.owner)
        with psycopg.connect(database.superuser, autocommit=True, row_factory=dict_row) as connection:
            if not value(
                connection, "select exists (select from pg_available_extensions where name = 'plpgsql_check')"
            ):
                pytest.skip("this Postgres 15 has no plpgsql_check: apt-get install postgresql-15-plpgsql-check")
            connection.execute("create schema checks")
            connection.execute("create extension plpgsql_check schema checks")
            yield connection


def test_nothing_is_found_but_what_is_explained(checked: Connection) -> None:
    assert many(checked, ON_NO_TABLE) == []
    explained, used = explanations(), set()
    found = []
    for finding in many(checked, FINDINGS):
        reasons = {e for e in explained if e[0] == finding["function"] and re.fullmatch(e[1], finding["message"])}
        used |= reasons
        if not reasons:
            found.append(finding)
    assert [(one["function"], one["message"]) for one in found] == [], (
        "mend them, or say in docs/checks.md why they stand"
    )
    assert explained - used == set(), "these no longer arise: take their lines out of docs/checks.md"


def test_it_looks(checked: Connection) -> None:
    checked.execute(
        """
        create function public.probe(p_name text) returns integer language plpgsql as $$
        declare
          v_found integer;
          v_unused text;
        begin
          execute 'select count(*) from public.users where username = ''' || p_name || '''' into v_found;
          perform no_such_column from public.users;
          return v_found;
        end
        $$
        """
    )
    found = {(f["level"], f["message"]) for f in many(checked, FINDINGS) if f["function"] == "probe(text)"}
    assert {level for level, _ in found} == {"error", "performance", "security", "warning"}, found
    assert ("error", 'column "no_such_column" does not exist') in found


def explanations() -> set[tuple[str, str]]:
    """Functions with the pattern of a message that stands; an ellipsis is any text without quotes."""
    section = CHECKS.read_text(encoding="utf-8").split("\n## plpgsql_check\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\S+)` \| `([^`]+)` \|", section, re.MULTILINE)
    return {(function, re.escape(message).replace("…", '[^"]*')) for function, message in rows}
