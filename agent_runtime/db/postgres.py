"""The worker's functions over Postgres itself: a pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from psycopg.errors import TransactionTimeout
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from agent_runtime.db.connection import CONNECT_TIMEOUT_SECONDS, connection_error, describe, translate, with_keepalives
from agent_runtime.db.functions import Json, Store
from agent_runtime.errors import DatabaseUnavailable
from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()

RECONNECT_SECONDS = 5.0
PREPARE_AFTER_CALLS = 2
"""The worker's statements are few and always the same."""


class PostgresStore(Store):
    """Open with `open_postgres`."""

    transport: ClassVar[str] = "postgres"

    def __init__(self, pool: AsyncConnectionPool[Any], conninfo: str, worker_id: UUID, patience_seconds: float) -> None:
        super().__init__(worker_id, patience_seconds)
        self._pool = pool
        self._conninfo = conninfo

    async def _once(self, function: str, arguments: Mapping[str, Any]) -> Any:
        try:
            async with self._pool.connection() as connection:
                return await _called(connection, function, arguments)
        except (psycopg.OperationalError, PoolTimeout) as error:
            translated = translate(error) if isinstance(error, psycopg.Error) else None
            if translated is not None:
                raise translated from error
            # Others in the pool broke with it: replace them now, not one failed call at a time.
            await self._pool.check()
            raise self._unavailable(error) from error
        except psycopg.Error as error:
            translated = translate(error)
            if translated is None:
                raise
            raise translated from error

    async def _apart(self, function: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        try:
            async with await psycopg.AsyncConnection.connect(
                with_keepalives(self._conninfo),
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                prepare_threshold=None,
                row_factory=dict_row,
            ) as connection:
                limit = f"{round(seconds * 1000)}ms"
                await connection.execute("select pg_catalog.set_config('statement_timeout', %s, true)", [limit])
                return await _called(connection, function, arguments)
        except psycopg.Error as error:
            translated = translate(error)
            if translated is None and not isinstance(error, psycopg.OperationalError | TransactionTimeout):
                raise
            raise translated or self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> DatabaseUnavailable:
        log.warning("database unavailable", database=describe(self._conninfo), error=str(error).splitlines()[0])
        return DatabaseUnavailable(f"Postgres at {describe(self._conninfo)} broke off: {error}")


async def _called(connection: psycopg.AsyncConnection[Any], function: str, arguments: Mapping[str, Any]) -> Any:
    values = {name: Jsonb(value.value) if isinstance(value, Json) else value for name, value in arguments.items()}
    cursor = await connection.execute(_query(function, tuple(arguments)), values)
    rows = await cursor.fetchall()
    # A function that returns one value has one column, of its own name.
    result = cursor.pgresult
    if result is not None and result.nfields == 1 and result.fname(0) == function.encode():
        return rows[0][function]
    return rows


@asynccontextmanager
async def open_postgres(
    conninfo: str, worker_id: UUID, *, connections: int, patience_seconds: float
) -> AsyncIterator[PostgresStore]:
    """A store with a pool of up to `connections`.

    Raises `ConfigError` or `DatabaseUnavailable` when the first connection cannot be made.
    """
    pooled = await _is_pooled(conninfo)
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        with_keepalives(conninfo),
        min_size=1,
        max_size=connections,
        open=False,
        timeout=CONNECT_TIMEOUT_SECONDS,
        # Its pauses between tries double; after so long it begins anew with the next call.
        reconnect_timeout=RECONNECT_SECONDS,
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            # A transaction pooler gives each statement another session, which knows nothing of prepared ones.
            "prepare_threshold": None if pooled else PREPARE_AFTER_CALLS,
        },
        name="agent-runtime",
    )
    await pool.open()
    try:
        yield PostgresStore(pool, conninfo, worker_id, patience_seconds)
    finally:
        await pool.close(timeout=1)


async def _is_pooled(conninfo: str) -> bool:
    """Whether something between here and Postgres shares its sessions out: it makes up the process id that a client is
    told, and the one that answers a query has its own."""
    try:
        async with await psycopg.AsyncConnection.connect(
            conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None
        ) as probe:
            row = await (await probe.execute("select pg_backend_pid()")).fetchone()
            return row is None or row[0] != probe.info.backend_pid
    except psycopg.OperationalError as error:
        raise connection_error(conninfo, error) from error


@cache
def _query(function: str, names: tuple[str, ...]) -> str:
    named = ", ".join(f"{name} => %({name})s" for name in names)
    return f"select * from public.{function}({named})"  # noqa: S608  # the names are those in `functions`
