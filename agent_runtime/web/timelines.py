"""Reading timelines: over Postgres, all that are watched in one query, or over REST with the persons' own tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from agent_runtime.db.connection import CONNECT_TIMEOUT_SECONDS, connection_error, describe, with_keepalives
from agent_runtime.errors import ConfigError, DatabaseUnavailable
from agent_runtime.web.access import Supabase
from agent_runtime.web.tokens import Token, TokenRefused

PAGE_EVENTS = 500
"""Of one task, in one read."""

_CONNECTIONS = 4
_READS_AT_ONCE = 8
_WAIT_SECONDS = 5.0
_RECONNECT_SECONDS = 2.0
_CHECK_SECONDS = 1.0
_EVENTS = "select id, task_id, kind, payload, created_at from public.web_read_events(%s::uuid[], %s::bigint[], %s)"


@dataclass(frozen=True)
class Event:
    """A row of `task_events`."""

    id: int
    task_id: UUID
    kind: str
    payload: dict[str, Any]
    created_at: str
    """ISO 8601 with an offset."""

    @property
    def frame(self) -> bytes:
        """As the stream says it."""
        data = {
            "id": self.id,
            "task_id": str(self.task_id),
            "kind": self.kind,
            "payload": self.payload,
            "created_at": self.created_at,
        }
        # JSON holds no line break, so one line of data is enough.
        return f"id: {self.id}\nevent: task_event\ndata: {json.dumps(data)}\n\n".encode()


@dataclass(frozen=True)
class Wanted:
    """The events of a task after one of its events, for a person."""

    task_id: UUID
    after: int
    token: Token


class Timelines(Protocol):
    """Where events are read. What cannot be read now raises `Unavailable`."""

    hears_deltas: bool

    async def last_event(self, task_id: UUID, token: Token, /) -> int | None:
        """The id of the task's last event, 0 where it has none; None when there is no such task (any longer)."""

    async def read(self, wanted: Sequence[Wanted]) -> list[Event]:
        """At most `PAGE_EVENTS` of each, in the order of their ids."""

    async def is_up(self) -> bool:
        """Whether they can be read."""


class PostgresTimelines:
    """As `agent_worker`, which may read every timeline: who may see it was asked before. `async with`."""

    hears_deltas = True

    def __init__(self, conninfo: str) -> None:
        self._where = describe(conninfo)
        self.conninfo = conninfo
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            with_keepalives(conninfo),
            min_size=1,
            max_size=_CONNECTIONS,
            open=False,
            timeout=_WAIT_SECONDS,
            reconnect_timeout=_RECONNECT_SECONDS,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                # A transaction pooler gives each statement another session, which knows nothing of prepared ones.
                "prepare_threshold": None,
            },
            name="agent-runtime-web",
        )

    async def __aenter__(self) -> Self:
        """Raises `ConfigError` for a wrong address, and for a database without our functions."""
        try:
            async with await psycopg.AsyncConnection.connect(
                self.conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None
            ) as probe:
                await probe.execute(_EVENTS, [[], [], 1])
        except psycopg.OperationalError as error:
            raise connection_error(self.conninfo, error) from error
        except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
            raise ConfigError(
                "the database has an older schema than this release's web UI needs: run `agent-runtime db apply`"
            ) from None
        except psycopg.errors.InsufficientPrivilege:
            raise ConfigError(
                f"DATABASE_URL ({self._where}): this role may not read timelines: the web UI connects as agent_worker"
            ) from None
        await self._pool.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close(timeout=1)

    async def last_event(self, task_id: UUID, _token: Token, /) -> int | None:
        rows = await self.execute("select public.web_last_event(%s)", [task_id])
        found: int | None = rows[0][0]
        return found

    async def read(self, wanted: Sequence[Wanted]) -> list[Event]:
        rows = await self.execute(
            _EVENTS, [[one.task_id for one in wanted], [one.after for one in wanted], PAGE_EVENTS]
        )
        return [Event(row[0], row[1], row[2], row[3], row[4].isoformat()) for row in rows]

    async def is_up(self) -> bool:
        try:
            await self.execute("select 1", [])
        except DatabaseUnavailable:
            return False
        return True

    async def execute(self, statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        """Raises `DatabaseUnavailable`."""
        try:
            async with asyncio.timeout(2 * _WAIT_SECONDS), self._pool.connection() as connection:
                rows: list[tuple[Any, ...]] = await (await connection.execute(statement, parameters)).fetchall()
                return rows
        except (psycopg.Error, PoolTimeout, TimeoutError) as error:
            # Others in the pool broke with it: replace them now, not one failed read at a time.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._pool.check(), _CHECK_SECONDS)
            raise DatabaseUnavailable(f"Postgres at {self._where} does not answer: {type(error).__name__}") from error


class RestTimelines:
    """Over REST, as each person: without a database connection."""

    hears_deltas = False

    def __init__(self, supabase: Supabase) -> None:
        self._supabase = supabase
        self._turns = asyncio.Semaphore(_READS_AT_ONCE)

    async def last_event(self, task_id: UUID, token: Token, /) -> int | None:
        query = {"select": "id", "task_id": f"eq.{task_id}", "order": "id.desc", "limit": "1"}
        rows = await self._supabase.rows(token, "task_events", query)
        return int(rows[0]["id"]) if rows else 0

    async def read(self, wanted: Sequence[Wanted]) -> list[Event]:
        found = await asyncio.gather(*(self._read(one) for one in wanted))
        return sorted((event for events in found for event in events), key=lambda event: event.id)

    async def _read(self, one: Wanted) -> list[Event]:
        query = {
            "select": "id,task_id,kind,payload,created_at",
            "task_id": f"eq.{one.task_id}",
            "id": f"gt.{one.after}",
            "order": "id",
            "limit": str(PAGE_EVENTS),
        }
        try:
            async with self._turns:
                rows = await self._supabase.rows(one.token, "task_events", query)
        except TokenRefused:
            # The next look at who may see what ends its streams.
            return []
        return [
            Event(
                int(row["id"]),
                UUID(row["task_id"]),
                row["kind"],
                row["payload"],
                datetime.fromisoformat(row["created_at"]).isoformat(),
            )
            for row in rows
        ]

    async def is_up(self) -> bool:
        return True
