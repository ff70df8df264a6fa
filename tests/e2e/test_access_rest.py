"""The access matrix by the REST API and Storage, with real accounts; and again after the API was started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from agent_runtime import resources
from agent_runtime.access import trying
from agent_runtime.access.accounts import Api
from agent_runtime.access.matrix import load
from agent_runtime.db import schema
from agent_runtime.local import ports
from agent_runtime.local.api import SupabaseApi
from agent_runtime.local.service_user import choose_service_user
from tests.conftest import cloned

if TYPE_CHECKING:
    from pathlib import Path

    from agent_runtime.access.report import Report, Way
    from agent_runtime.local.stack import Stack
    from tests.conftest import Cluster

# The loop that the stack's processes belong to: the API is stopped and started.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

LEFT = "select count(*) as left from auth.users where email like 'access-probe%'"
LEFT_FILES = "select count(*) as left from storage.objects where name like '%probe%'"
A_FEW_CALLERS = frozenset({"anon", "user", "admin", "outsider_admin"})
"""By SQL everybody is tried on each version; by REST these are enough to see that the API hands on who asks."""
TABLES = "select tablename from pg_tables where schemaname = 'public' order by 1"


async def test_every_cell_is_as_declared_after_the_api_granted_everything_and_nothing_but_the_audit_stays(
    stack: Stack,
) -> None:
    # At the first request after each start it grants everything to everybody.
    await stack.api.stop()
    await stack.api.start()
    before = row_counts(stack)
    report = await tried(stack)
    assert report.differences == []
    assert report.left == ()
    assert row_counts(stack) == before
    assert {finding.way for finding in report.findings} == {"sql", "rest"}
    with psycopg.connect(stack.database_url, row_factory=dict_row) as connection:
        for statement in (LEFT, LEFT_FILES):
            assert connection.execute(statement).fetchone() == {"left": 0}


async def test_the_cells_of_some_are_as_declared_on_the_oldest_version_of_postgres(
    oldest_cluster: Cluster, open_folder: Path
) -> None:
    cluster = oldest_cluster
    for database in cloned(cluster, "template1"):
        folder = open_folder / f"api-on-{database.major}"
        folder.mkdir(mode=0o711)
        api = SupabaseApi(
            folder / "api",
            port=ports.choose(None, taken=set()),
            database_port=cluster.postgres.port,
            secrets=cluster.secrets,
            records=folder,
            logs=folder,
            user=choose_service_user(folder / "api"),
            database=database.name,
            quick_passwords=True,
        )
        # It makes its schemas, ours go on top, and it reads all of it when it starts again.
        await api.start()
        await api.stop()
        with psycopg.connect(database.owner, autocommit=True) as connection:
            connection.execute((resources.sql() / "local" / "api_schemas.sql").read_bytes())
        schema.apply(database.owner)
        await api.start()
        try:
            keys = cluster.secrets.publishable_key, cluster.secrets.secret_key.get_secret_value()
            report = await asyncio.to_thread(everywhere, database.owner, Api(api.url, *keys), ("rest",), A_FEW_CALLERS)
            assert report.differences == []
            assert len(report.findings) > 500
        finally:
            await api.stop()


def row_counts(stack: Stack) -> dict[str, int]:
    """How many rows each table has, but for what is only ever added to."""
    with psycopg.connect(stack.database_url) as connection:
        names = [name for (name,) in connection.execute(TABLES) if not name.startswith("audit_")]
        counts = {}
        for name in names:
            found = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(name))).fetchone()
            counts[name] = found[0] if found else 0
        return counts


async def tried(stack: Stack) -> Report:
    api = Api(stack.supabase_url, stack.publishable_key, stack.secret_key)
    return await asyncio.to_thread(everywhere, stack.database_url, api)


def everywhere(
    database_url: str, api: Api, ways: tuple[Way, ...] = ("sql", "rest"), only: frozenset[str] | None = None
) -> Report:
    """The matrix, tried as the owner of this database and through this API; as everybody, or as these alone."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        return trying.everywhere(connection, load(), api, ways=ways, only=only)
