"""Supabase's own advisors find no error and nothing to warn of; each remark that stands is explained in the docs."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from agent_runtime.db import schema
from agent_runtime.errors import ConfigError
from tests.advisors import advisors
from tests.conftest import cloned
from tests.db.impersonation import many
from tests.db.programs import as_hosted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cluster, Database
    from tests.db.impersonation import Connection

HERE = Path(__file__).parent
EXPLAINED = HERE.parents[1] / "docs" / "checks.md"
UNUSED = "unused_index_"


@pytest.fixture(scope="module")
def installed() -> Path:
    try:
        return advisors.install()
    except ConfigError as error:
        pytest.skip(f"{error}: check the network and npm's configuration")


@pytest.fixture
def advised(postgres18: Cluster) -> Iterator[Database]:
    """As on hosted Supabase, with our SQL."""
    for database in cloned(postgres18, "template1"):
        as_hosted(database)
        schema.apply(database.owner)
        yield database


def test_no_error_no_warning_and_each_remark_is_explained(advised: Database, installed: Path, tmp_path: Path) -> None:
    status, remarks = advisors.remarks(installed, advised.owner, tmp_path)
    assert [remark for remark in remarks if remark.level != "INFO"] == []
    assert status == 0
    assert len(remarks) > 20
    with psycopg.connect(advised.owner, row_factory=dict_row) as connection:
        for_foreign_keys = indexes_of_foreign_keys(connection)
    promised = set(re.findall(r"(?i)create index (\w+)", (HERE / "schema_document.sql").read_text()))
    known = explained()
    unexplained = [
        remark.detail
        for remark in remarks
        if not any(fnmatchcase(remark.key, pattern) for pattern in known)
        and not (remark.name == "unused_index" and index(remark) in for_foreign_keys | promised)
    ]
    assert unexplained == [], "mend them, or say in docs/checks.md why they stand"


def test_what_they_are_for_is_found(database18: Database, installed: Path, tmp_path: Path) -> None:
    with psycopg.connect(database18.owner, autocommit=True) as owner:
        owner.execute("create table public.open (id bigint primary key, password text)")
        owner.execute("create view public.everything as select * from public.users")
        # What hosted Supabase's default privileges do to each new table.
        owner.execute("grant all on public.open, public.everything to anon, authenticated")
        owner.execute("create function public.loose() returns int language sql as 'select 1'")
        owner.execute("create policy everybody on public.agents for insert to authenticated with check (true)")
    status, remarks = advisors.remarks(installed, database18.owner, tmp_path)
    found = {(remark.level, remark.name) for remark in remarks if remark.level != "INFO"}
    assert status != 0
    assert found >= {
        ("ERROR", "rls_disabled_in_public"), ("ERROR", "security_definer_view"),
        ("WARN", "function_search_path_mutable"), ("WARN", "multiple_permissive_policies"),
        ("WARN", "rls_policy_always_true"),
    }  # fmt: skip


def explained() -> list[str]:
    """The patterns of the docs' table; that of all unused indexes is no explanation by itself."""
    section = EXPLAINED.read_text(encoding="utf-8").split("\n## Advisors\n")[1].split("\n## ")[0]
    patterns = re.findall(r"^\| `(\S+)` \|", section, re.MULTILINE)
    assert UNUSED + "*" in patterns
    return [pattern for pattern in patterns if pattern != UNUSED + "*"]


def index(remark: advisors.Remark) -> str:
    (name,) = re.findall(r"^Index `(\w+)`", remark.detail)
    return str(name)


def indexes_of_foreign_keys(connection: Connection) -> set[str]:
    """Indexes whose first columns are those of a foreign key."""
    rows = many(
        connection,
        """
        select c.relname from pg_index i
        join pg_class c on c.oid = i.indexrelid
        join pg_constraint k on k.conrelid = i.indrelid and k.contype = 'f'
          and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
        """,
    )
    return {row["relname"] for row in rows}
