"""Durable databases to measure on: Postgres 18 with fsync and synchronous commit, our SQL installed, thrown away after.

Each comparison has two databases of the same tables, indexes and constraints: `ours` as it is, and `plain`, whose
triggers are off, for the bare loops.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from agent_runtime.db import schema
from agent_runtime.local import cluster, ports, secrets
from agent_runtime.local.postgres import LocalPostgres
from agent_runtime.local.service_user import choose_service_user

Connection = psycopg.AsyncConnection[dict[str, Any]]

TEMPLATE = "installed"


@dataclass(frozen=True)
class Database:
    """One database, as connection strings."""

    owner: str
    worker: str


@dataclass(frozen=True)
class Pair:
    """Where a comparison takes place. `folder` is for whatever else it writes."""

    ours: Database
    plain: Database
    postgres: LocalPostgres
    folder: Path


@asynccontextmanager
async def open_pair(*, people: int = 1, durable: bool = True) -> AsyncIterator[Pair]:
    """Both databases, each with so many people signed up and nothing else. What is not durable measures nothing."""
    async with open_folder() as folder:
        made = secrets.generate()
        postgres = LocalPostgres(
            folder / "postgres",
            port=ports.choose(None, taken=set()),
            password=made.supabase_admin,
            records=folder,
            logs=folder,
            user=choose_service_user(folder / "postgres"),
            durable=durable,
        )
        await postgres.initialise()
        await postgres.start()
        try:
            yield await _databases(postgres, made, folder, people)
        finally:
            await postgres.stop()


@asynccontextmanager
async def open_folder() -> AsyncIterator[Path]:
    """A folder that the unprivileged user of Postgres can enter, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="agent-runtime-bench-"))
    try:
        os.chmod(folder, 0o711)  # noqa: PTH101  one system call
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def peer_database(postgres: LocalPostgres, name: str) -> str:
    """A new and empty database on the same server, as its superuser, for a peer to install itself in."""
    async with await connect(postgres.superuser_conninfo) as connection:
        await connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    return make_conninfo(postgres.superuser_conninfo, dbname=name)


def url_of(conninfo: str) -> str:
    """The same as a URL, for clients that know no other form."""
    part = {name: quote(str(value), safe="") for name, value in conninfo_to_dict(conninfo).items()}
    return f"postgresql://{part['user']}:{part['password']}@{part['host']}:{part['port']}/{part['dbname']}"


async def connect(conninfo: str) -> Connection:
    """In autocommit: each statement is a commit."""
    return await psycopg.AsyncConnection.connect(conninfo, autocommit=True, row_factory=dict_row)


async def _databases(postgres: LocalPostgres, made: secrets.Secrets, folder: Path, people: int) -> Pair:
    def named(name: str) -> Database:
        return Database(
            owner=postgres.conninfo(cluster.OWNER, made.postgres, name),
            worker=postgres.conninfo(cluster.WORKER, made.agent_worker, name),
        )

    await cluster.set_up(postgres, made, database=TEMPLATE)
    await asyncio.to_thread(schema.apply, named(TEMPLATE).owner)
    async with await connect(named(TEMPLATE).owner) as connection:
        await connection.execute(
            "insert into auth.users (email) select 'person' || i || '@example.org' from generate_series(1, %s) i",
            [people],
        )
    async with await connect(postgres.superuser_conninfo) as connection:
        for name in ("ours", "plain"):
            for statement in cluster.database_statements(name, template=TEMPLATE):
                await connection.execute(statement)
    async with await connect(named("plain").owner) as connection:
        await _switch_triggers_off(connection)
    return Pair(named("ours"), named("plain"), postgres, folder)


async def _switch_triggers_off(connection: Connection) -> None:
    found = await connection.execute("select tablename from pg_catalog.pg_tables where schemaname = 'public'")
    for row in await found.fetchall():
        statement = sql.SQL("alter table public.{} disable trigger user").format(sql.Identifier(row["tablename"]))
        await connection.execute(statement)
    # A bare loop writes the audit's rows without chaining them, with as many bytes.
    await connection.execute(
        "alter table public.audit_logs alter chain_seq set default 1,"
        " alter prev_hash set default sha256(''), alter hash set default sha256('')"
    )
