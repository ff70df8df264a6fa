"""Queues on Postgres: procrastinate, pgqueuer and pgmq, each through its own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row

from bench.postgres import connect
from bench.zombies.trial import OnePool, Peer, Seen, Session, Write

LEASE_SECONDS = 0.05


async def _seen(conninfo: str, session: Session | None, statement: str, *parameters: object) -> Seen:
    """`statement` gives `rows` and `says`, or no row when the job is gone."""
    if session is not None:
        cursor = await session.execute(statement, parameters)
        row = await cursor.fetchone() if isinstance(cursor, psycopg.AsyncCursor) else cursor.fetchone()
    else:
        async with await connect(conninfo) as connection:
            row = await (await connection.execute(statement, parameters)).fetchone()
    return Seen(row["rows"], row["says"]) if row else Seen("", "deleted")


class Procrastinate(Peer):
    """Its `JobManager`, which its worker is made of."""

    name = "procrastinate"
    package = "procrastinate"
    rescue_is = "get_stalled_jobs by heartbeat, then retry_job, as its guide says"
    lease_seconds = LEASE_SECONDS

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self.writes: Sequence[Write] = (
            Write("complete", "JobManager.finish_job", self._finish),
            Write("give back", "JobManager.retry_job", self._retry),
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        from procrastinate import PsycopgConnector
        from procrastinate.manager import JobManager

        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            connection.row_factory = dict_row  # type: ignore[assignment]
            connector = PsycopgConnector()
            await connector.open_async(OnePool(connection))
            manager = JobManager(connector)
            yield Session(connection, (manager, await manager.register_worker()))

    async def install(self) -> None:
        """Its schema."""
        from procrastinate import App, PsycopgConnector

        async with App(connector=PsycopgConnector(conninfo=self._conninfo)).open_async() as app:
            await app.schema_manager.apply_schema_async()

    async def take(self) -> Any:
        from procrastinate import App, PsycopgConnector

        async with App(connector=PsycopgConnector(conninfo=self._conninfo, min_size=1, max_size=1)).open_async() as app:
            await app.configure_task("measured", queue="default", allow_unknown=True).defer_async()
            worker = await app.job_manager.register_worker()
            job = await app.job_manager.fetch_job(None, worker)
        assert job is not None, "one was deferred"
        return job

    async def rescue(self, job: Any, session: Session) -> bool:
        manager, worker = session.tools
        # B is alive, whatever the trial waited for.
        await manager.update_heartbeat(worker)
        for stalled in await manager.get_stalled_jobs(seconds_since_heartbeat=self.lease_seconds):
            # In the past, because the clock of a transaction stands still.
            await manager.retry_job(stalled, retry_at=datetime.now(UTC) - timedelta(minutes=1))
        taken = await manager.fetch_job(None, worker)
        return taken is not None and taken.id == job.id

    async def look(self, job: Any, session: Session | None = None) -> Seen:
        statement = "select to_jsonb(j)::text as rows, j.status::text as says from procrastinate_jobs j where id = %s"
        return await _seen(self._conninfo, session, statement, job.id)

    async def forget(self, job: Any) -> None:
        async with await connect(self._conninfo) as connection:
            await connection.execute("delete from procrastinate_jobs")

    async def _finish(self, job: Any, session: Session) -> object:
        from procrastinate.jobs import Status

        return await session.tools[0].finish_job(job, Status.SUCCEEDED, delete_job=False)

    async def _retry(self, job: Any, session: Session) -> object:
        return await session.tools[0].retry_job(job)


class PgQueuer(Peer):
    """Its `Queries`, which its queue manager calls."""

    name = "pgqueuer"
    package = "pgqueuer"
    rescue_is = "dequeue with a heartbeat_timeout: a stale job is picked again"
    lease_seconds = LEASE_SECONDS

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self.writes: Sequence[Write] = (
            Write("complete", "Queries.log_jobs", self._complete),
            Write("heartbeat", "Queries.update_heartbeat", self._heartbeat),
            Write("give back", "Queries.retry_job", self._retry),
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        from pgqueuer.queries import Queries

        async with await connect(self._conninfo) as connection:
            yield Session(connection, (Queries.from_psycopg_connection(connection), uuid4()))

    async def install(self) -> None:
        """Its schema."""
        async with self.session() as session:
            await session.tools[0].install()

    async def take(self) -> Any:
        async with self.session() as session:
            await session.tools[0].enqueue("measured", b"")
            (job,) = await self._dequeue(session)
            return job

    async def rescue(self, job: Any, session: Session) -> bool:
        return any(taken.id == job.id for taken in await self._dequeue(session))

    async def look(self, job: Any, session: Session | None = None) -> Seen:
        statement = (
            "select to_jsonb(q)::text as rows, q.status::text || case when queue_manager_id is null then ', nobody''s'"
            " else ', B''s' end as says from pgqueuer q where id = %s"
        )
        return await _seen(self._conninfo, session, statement, job.id)

    async def forget(self, job: Any) -> None:
        async with await connect(self._conninfo) as connection:
            await connection.execute("truncate pgqueuer")

    async def _dequeue(self, session: Session) -> list[Any]:
        from pgqueuer.ports.repository import EntrypointExecutionParameter

        queries, worker = session.tools
        entrypoints = {"measured": EntrypointExecutionParameter(concurrency_limit=0)}
        found: list[Any] = await queries.dequeue(1, entrypoints, worker, None, timedelta(seconds=self.lease_seconds))
        return found

    async def _complete(self, job: Any, session: Session) -> object:
        return await session.tools[0].log_jobs([(job, "successful", None)])

    async def _heartbeat(self, job: Any, session: Session) -> object:
        return await session.tools[0].update_heartbeat([job.id])

    async def _retry(self, job: Any, session: Session) -> object:
        return await session.tools[0].retry_job(job, timedelta(0), None)


class Pgmq(Peer):
    """Its Python client, and the extension's SQL that the client carries."""

    name = "pgmq"
    package = "pgmq"
    rescue_is = "read: a message whose visibility timeout is over is read again"
    lease_seconds = 1.0

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self.writes: Sequence[Write] = (
            Write("complete", "PGMQueue.delete", self._writer("delete")),
            Write("complete (archive)", "PGMQueue.archive", self._writer("archive")),
            Write("prolong", "PGMQueue.set_vt", self._writer("set_vt", 300)),
        )

    def _writer(self, method: str, *more: object) -> Any:
        async def write(job: int, session: Session) -> object:
            call = getattr(self._client(), method)
            answer = await asyncio.to_thread(call, "measured", job, *more, conn=session.connection)
            return type(answer).__name__ if method == "set_vt" else answer

        return write

    def _client(self) -> Any:
        from pgmq import PGMQueue

        # Each call is given its connection, so the pool is never asked.
        return PGMQueue(pool=OnePool, init_extension=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        connection = await asyncio.to_thread(lambda: psycopg.connect(self._conninfo, autocommit=True))
        try:
            yield Session(connection)
        finally:
            connection.close()

    async def install(self) -> None:
        """The extension's SQL, and a queue."""
        from pgmq.install import get_embedded_install_sql, install_pgmq_sql

        await asyncio.to_thread(install_pgmq_sql, get_embedded_install_sql(), dsn=self._conninfo)
        async with self.session() as session:
            await asyncio.to_thread(self._client().create_queue, "measured", conn=session.connection)

    async def take(self) -> int:
        async with self.session() as session:
            client, connection = self._client(), session.connection
            sent: int = await asyncio.to_thread(client.send, "measured", {}, conn=connection)
            (taken,) = await self._read(session, int(self.lease_seconds))
            assert taken == sent, "it is the only one"
            return sent

    async def rescue(self, job: int, session: Session) -> bool:
        return job in await self._read(session, 60)

    async def look(self, job: int, session: Session | None = None) -> Seen:
        statement = (
            "select to_jsonb(q)::text as rows, 'there, read ' || read_ct || ' times' as says from pgmq.q_measured q"
        )
        return await _seen(self._conninfo, None if session is None else _Rows(session.connection), statement)

    async def forget(self, job: int) -> None:
        async with await connect(self._conninfo) as connection:
            await connection.execute("truncate pgmq.q_measured")

    async def _read(self, session: Session, seconds: int) -> list[int]:
        client, connection = self._client(), session.connection
        read = await asyncio.to_thread(client.read_batch, "measured", vt=seconds, batch_size=1, conn=connection)
        return [message.msg_id for message in read or []]


class _Rows(Session):
    """The same connection, whose rows are read by name."""

    async def execute(self, statement: str, parameters: Any = None) -> Any:
        cursor = self.connection.cursor(row_factory=dict_row)
        return await asyncio.to_thread(cursor.execute, statement, parameters or None)
