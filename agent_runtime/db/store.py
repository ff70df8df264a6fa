"""The worker's functions over Postgres: `await store.claim(4)` calls `worker_claim`. No other SQL is written in Python.

A call that a lost connection cut short is made again: each function answers the same the second time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from agent_runtime.db.connection import CONNECT_TIMEOUT_SECONDS, connection_error, describe, translate, with_keepalives
from agent_runtime.db.schema import SCHEMA_VERSION
from agent_runtime.db.text import storable
from agent_runtime.errors import DatabaseUnavailable
from agent_runtime.records import Lease, Renewal, ResultRecord, RunContext, StartRecord, Task, TaskStatus, TurnRecord

log = structlog.get_logger()

Row = dict[str, Any]


class Store:
    """The functions of one worker. Open with `open_store`."""

    def __init__(self, pool: AsyncConnectionPool[Any], conninfo: str, worker_id: UUID, patience_seconds: float) -> None:
        self.worker_id = worker_id
        self._pool = pool
        self._conninfo = conninfo
        self._patience_seconds = patience_seconds

    async def register(self, host: str, pid: int, version: str, capacity: int) -> dict[str, Any]:
        """Announce this worker. Returns `{"schema_version", "config"}`.

        Raises `ConfigError` when the database needs a newer release than this.
        """
        return await self._value(  # type: ignore[no-any-return]
            "worker_register", self.worker_id, host, pid, version, capacity, SCHEMA_VERSION, "postgres"
        )

    async def stopped(self) -> None:
        await self._rows("worker_stopped", self.worker_id)

    async def claim(self, limit: int, lease_seconds: float) -> list[Task]:
        """Lease up to `limit` pending tasks."""
        return [
            Task.model_validate(row) for row in await self._rows("worker_claim", self.worker_id, limit, lease_seconds)
        ]

    async def renew(self, leases: Sequence[Lease], lease_seconds: float) -> list[Renewal]:
        """Prolong all of a worker's leases in one call; also its heartbeat."""
        tasks, tokens = [lease.task_id for lease in leases], [lease.token for lease in leases]
        rows = await self._rows("worker_renew", self.worker_id, tasks, tokens, lease_seconds)
        return [Renewal.model_validate(row) for row in rows]

    async def reap(self) -> list[Row]:
        """Give tasks of dead workers back. Rows of `{"task_id", "status"}`."""
        return await self._rows("worker_reap")

    async def context(self, lease: Lease) -> RunContext:
        return RunContext.model_validate(await self._value("worker_context", lease.task_id, lease.token))

    async def record_turn(
        self,
        lease: Lease,
        step: int,
        content: str,
        calls: Sequence[dict[str, Any]],
        metadata: dict[str, Any],
        usage: dict[str, Any],
        *,
        seen_seq: int | None = None,
        start: bool = False,
    ) -> TurnRecord:
        """Write the model's answer with the intents of its calls, each `{"id", "name", "arguments"}`.

        `seen_seq` is the last message that the model saw. `start` starts the first call too, if it may be repeated.
        """
        recorded = await self._value(
            "worker_record_turn",
            lease.task_id,
            lease.token,
            step,
            content,
            Jsonb(list(calls)),
            Jsonb(metadata),
            Jsonb(usage),
            seen_seq,
            start,
        )
        return TurnRecord.model_validate(recorded)

    async def start_execution(self, lease: Lease, execution_id: UUID) -> StartRecord:
        started = await self._value("worker_start_execution", lease.task_id, lease.token, execution_id)
        return StartRecord.model_validate(started)

    async def finish_execution(
        self,
        lease: Lease,
        execution_id: UUID,
        status: str,
        content: str,
        output: dict[str, Any],
        *,
        error: str | None = None,
        execution_time_ms: int | None = None,
        effect: dict[str, Any] | None = None,
        files: Sequence[dict[str, Any]] = (),
        seen_seq: int | None = None,
        next_id: UUID | None = None,
    ) -> ResultRecord:
        """Write a call's result, the model's message of it, the files it wrote and its effect, in one go, and start
        the call `next_id` with it if that may be repeated."""
        recorded = await self._value(
            "worker_finish_execution",
            lease.task_id,
            lease.token,
            execution_id,
            status,
            content,
            Jsonb(output),
            error,
            execution_time_ms,
            Jsonb(effect) if effect is not None else None,
            Jsonb(list(files)),
            seen_seq,
            next_id,
        )
        return ResultRecord.model_validate(recorded)

    async def add_files(self, lease: Lease, files: Sequence[dict[str, Any]]) -> None:
        await self._rows("worker_add_files", lease.task_id, lease.token, Jsonb(list(files)))

    async def suspend(self, lease: Lease, reason: str) -> TaskStatus:
        """Give the slot back while the task waits for `reason`. Returns what the task is now: `waiting`, `paused`,
        `pending` when what it waits for came meanwhile, `cancelled`."""
        status: TaskStatus = await self._value("worker_suspend", lease.task_id, lease.token, reason)
        return status

    async def settle(self, lease: Lease, status: str, result: dict[str, Any] | None, error: str | None) -> bool:
        """End the task. False when it cannot be `completed`: a person wrote what the model has not seen."""
        payload = Jsonb(result) if result is not None else None
        return bool(await self._value("worker_settle", lease.task_id, lease.token, status, payload, error))

    async def release(self, lease: Lease, delay_seconds: float = 0, reason: str | None = None) -> None:
        await self._rows("worker_release", lease.task_id, lease.token, delay_seconds, reason)

    async def expired_files(self, limit: int = 100) -> list[Row]:
        """Rows of `{"id" or None, "file_path"}` whose bytes can go."""
        return await self._rows("worker_expired_files", limit)

    async def forget_files(self, ids: Sequence[UUID]) -> None:
        await self._rows("worker_forget_files", list(ids))

    async def _value(self, function: str, *arguments: Any) -> Any:
        rows = await self._rows(function, *arguments)
        return rows[0][function] if rows else None

    async def _rows(self, function: str, *arguments: Any) -> list[Row]:
        placeholders = ", ".join(["%s"] * len(arguments))
        query = f"select * from public.{function}({placeholders})"  # noqa: S608  # the name is one of ours, above
        values = [_storable(argument) for argument in arguments]
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(DatabaseUnavailable),
            stop=stop_after_delay(self._patience_seconds),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(query, values)
        raise AssertionError("unreachable: the retries end by returning or raising")

    async def _once(self, query: str, values: list[Any]) -> list[Row]:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query, values)
                rows: list[Row] = await cursor.fetchall()
                return rows
        except (psycopg.OperationalError, PoolTimeout) as error:
            translated = translate(error) if isinstance(error, psycopg.Error) else None
            if translated is not None:
                raise translated from error
            # Others in the pool broke with it: replace them now, not one failed call at a time.
            await self._pool.check()
            log.warning("database unavailable", database=describe(self._conninfo), error=str(error).splitlines()[0])
            raise DatabaseUnavailable(f"Postgres at {describe(self._conninfo)} broke off: {error}") from error
        except psycopg.Error as error:
            translated = translate(error)
            if translated is None:
                raise
            raise translated from error


@asynccontextmanager
async def open_store(
    conninfo: str, worker_id: UUID, *, connections: int, patience_seconds: float
) -> AsyncIterator[Store]:
    """A store with a pool of up to `connections`.

    Raises `ConfigError` or `DatabaseUnavailable` when the first connection cannot be made.
    """
    try:
        probe = await psycopg.AsyncConnection.connect(conninfo, connect_timeout=CONNECT_TIMEOUT_SECONDS)
    except psycopg.OperationalError as error:
        raise connection_error(conninfo, error) from error
    await probe.close()

    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        with_keepalives(conninfo),
        min_size=1,
        max_size=connections,
        open=False,
        timeout=CONNECT_TIMEOUT_SECONDS,
        # A transaction pooler gives each statement another session, which knows nothing of prepared ones.
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "prepare_threshold": None,
        },
        name="agent-runtime",
    )
    await pool.open()
    try:
        yield Store(pool, conninfo, worker_id, patience_seconds)
    finally:
        await pool.close(timeout=1)


def _storable(argument: Any) -> Any:
    if isinstance(argument, Jsonb):
        return Jsonb(storable(argument.obj))
    return storable(argument) if isinstance(argument, str) else argument
