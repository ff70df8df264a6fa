"""Hears the answers that models are giving, from the workers, over NOTIFY; and tells the workers what is watched.

A worker speaks only of tasks that some server said are watched. What was missed is asked for again: by saying that
watching begins, upon which the worker says the answer from its start.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from uuid import UUID

import psycopg

from agent_runtime.db.connection import CONNECT_TIMEOUT_SECONDS, with_keepalives
from agent_runtime.db.listen import DELTA, HELLO, WATCH
from agent_runtime.errors import DatabaseUnavailable
from agent_runtime.interrupt import cancel_all
from agent_runtime.structlog_alone import structlog
from agent_runtime.web.answers import Piece
from agent_runtime.web.timelines import PostgresTimelines

log = structlog.get_logger()

_TASKS_AT_ONCE = 150
"""A notification holds less than 8,000 bytes."""
_RECONNECT_SECONDS = 1.0
_ASK_AGAIN_SECONDS = 1.0
_TOGETHER_SECONDS = 0.01


class DeltaEar:
    """One listening connection, held while somebody watches."""

    def __init__(self, timelines: PostgresTimelines, watch_seconds: float) -> None:
        self._timelines, self._watch_seconds = timelines, watch_seconds
        self._begun: set[UUID] = set()
        self._asked: dict[UUID, float] = {}
        self._wake = asyncio.Event()
        self._some = asyncio.Event()
        self._listens = False

    def watch_begins(self, task_id: UUID) -> None:
        """Somebody watches this task from now on."""
        self._begun.add(task_id)
        self._some.set()
        self._wake.set()

    async def listen(self, hear: Callable[[Piece], bool], watched: Callable[[], set[UUID]]) -> None:
        """Until cancelled. `hear` is false where the beginning is missing; `watched` are the tasks."""
        telling = asyncio.create_task(self._tell_for_ever(watched))
        try:
            while True:
                await self._some.wait()
                try:
                    await self._hear_while_watched(hear, watched)
                except Exception as error:
                    log.warning("answers are not heard for now", error=str(error), kind=type(error).__name__)
                    await asyncio.sleep(_RECONNECT_SECONDS)
                finally:
                    self._listens = False
        finally:
            await cancel_all({telling})

    async def _hear_while_watched(self, hear: Callable[[Piece], bool], watched: Callable[[], set[UUID]]) -> None:
        async with await psycopg.AsyncConnection.connect(
            with_keepalives(self._timelines.conninfo),
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            prepare_threshold=None,
        ) as connection:
            await connection.execute(f"listen {DELTA}")
            self._listens = True
            self._begun |= watched()
            self._wake.set()
            while watched():
                async for notification in connection.notifies(timeout=self._watch_seconds):
                    if notification.payload == HELLO:
                        self._wake.set()
                        continue
                    piece = Piece.parse(notification.payload)
                    if piece and not hear(piece):
                        self._ask_again(piece.task_id)
            self._some.clear()

    def _ask_again(self, task_id: UUID) -> None:
        now = time.monotonic()
        self._asked = {task: at for task, at in self._asked.items() if now - at < _ASK_AGAIN_SECONDS}
        if task_id not in self._asked:
            self._asked[task_id] = now
            self.watch_begins(task_id)

    async def _tell_for_ever(self, watched: Callable[[], set[UUID]]) -> None:
        while True:
            await self._some.wait()
            try:
                await asyncio.wait_for(self._wake.wait(), self._watch_seconds)
                await asyncio.sleep(_TOGETHER_SECONDS)
            except TimeoutError:
                pass
            self._wake.clear()
            # Nobody would hear what workers say; it is said again when somebody does.
            if not self._listens:
                continue
            begun, self._begun = self._begun & watched(), set()
            try:
                await self._tell(begun, begin=True)
                await self._tell(watched() - begun, begin=False)
            except DatabaseUnavailable:
                # The listening connection is made anew too, and begins with all of them.
                self._begun |= begun

    async def _tell(self, tasks: Iterable[UUID], *, begin: bool) -> None:
        ids = sorted(str(task) for task in tasks)
        for at in range(0, len(ids), _TASKS_AT_ONCE):
            said = json.dumps({"begin": begin, "tasks": ids[at : at + _TASKS_AT_ONCE]})
            await self._timelines.execute("select pg_catalog.pg_notify(%s, %s)", [WATCH, said])
