"""Wake-ups: one listening connection per process, which proves again and again that it delivers.

A pooler in transaction mode drops `LISTEN` without a word, and a connection whose other end is gone stays silent too.
So the listener notifies itself: on a channel of its own, from a second connection, since Postgres tells a session of
its own notifications at once, through any pooler. While no echo comes it is not healthy, and the worker polls fast.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg

from agent_runtime.db.connection import CONNECT_TIMEOUT_SECONDS, with_keepalives
from agent_runtime.interrupt import cancel_all
from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0

PENDING, CONTROL = "agent_runtime_pending", "agent_runtime_control"
WATCH, DELTA = "agent_runtime_watch", "agent_runtime_delta"
"""Servers say which tasks somebody watches; workers say how the answers to these go on."""
HELLO = "hello"
"""A worker that begins to listen asks the servers by this, on `DELTA`, to say at once what is watched."""


class Listener:
    """Calls back on each wake-up, and when it begins or ceases to be healthy."""

    def __init__(
        self,
        conninfo: str,
        *,
        on_pending: Callable[[], None],
        on_control: Callable[[UUID | None], None],
        on_health: Callable[[bool], None],
        on_watch: Callable[[str], None] | None = None,
        echo_seconds: float,
        poll_seconds: float,
    ) -> None:
        """`on_control` is given the task, or None when something may have been missed; `on_watch` what a server of live
        streams says. `poll_seconds` is how often the
        worker looks by itself while this is not healthy, for the log alone."""
        self._conninfo = with_keepalives(conninfo)
        self._on_pending, self._on_control, self._on_health = on_pending, on_control, on_health
        self._on_watch = on_watch
        self._echo_seconds, self._poll_seconds = echo_seconds, poll_seconds
        self._answer_seconds = min(ANSWER_SECONDS, echo_seconds)
        self._echo_channel = f"agent_runtime_echo_{uuid4().hex}"
        self._echoed = asyncio.Event()
        self._healthy = False
        self._told_mute = False

    async def listen(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with await self._connect() as connection:
                    channels = (PENDING, CONTROL, self._echo_channel, *([WATCH] if self._on_watch else []))
                    for channel in channels:
                        await connection.execute(f"listen {channel}")
                    if self._on_watch:
                        await connection.execute("select pg_catalog.pg_notify(%s, %s)", [DELTA, HELLO])
                    # For what was missed before.
                    self._on_pending()
                    self._on_control(None)
                    await self._attend(connection)
            except psycopg.Error as error:
                self._say(False)
                log.warning("wake-ups are interrupted, polling goes on", error=str(error).splitlines()[0])
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _attend(self, connection: psycopg.AsyncConnection) -> None:
        """Hear until the connection breaks, or goes silent though it had worked."""
        hear = asyncio.create_task(self._hear(connection))
        echo = asyncio.create_task(self._echo())
        try:
            done, _ = await asyncio.wait({hear, echo}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await cancel_all({hear, echo})
            self._say(False)

    async def _hear(self, connection: psycopg.AsyncConnection) -> None:
        async for notification in connection.notifies():
            if notification.channel == PENDING:
                self._on_pending()
            elif notification.channel == CONTROL:
                # Whoever can connect can notify: what cannot be read is no reason to end.
                if task_id := _uuid(notification.payload):
                    self._on_control(task_id)
            elif notification.channel == WATCH:
                if self._on_watch:
                    self._on_watch(notification.payload)
            else:
                self._echoed.set()

    async def _echo(self) -> None:
        """Return when a connection that had delivered does not any more."""
        delivers = False
        while True:
            self._echoed.clear()
            sent = await self._notify_oneself()
            delivered = await self._wait_for_echo(self._answer_seconds)
            if sent and not delivered:
                if delivers:
                    log.warning("the listening connection went silent, connecting anew")
                    return
                self._say_mute()
            self._say(delivered)
            delivers = delivers or delivered
            if delivers:
                await asyncio.sleep(self._echo_seconds)
            elif await self._wait_for_echo(self._echo_seconds):
                # It was merely slow.
                delivers = True
                self._say(True)

    async def _wait_for_echo(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._echoed.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _notify_oneself(self) -> bool:
        """Whether it was sent."""
        try:
            async with asyncio.timeout(2 * CONNECT_TIMEOUT_SECONDS), await self._connect() as connection:
                await connection.execute("select pg_notify(%s, '')", [self._echo_channel])
        except (psycopg.Error, TimeoutError):
            return False
        return True

    async def _connect(self) -> psycopg.AsyncConnection:
        # A transaction pooler gives each statement another session, which knows nothing of prepared ones.
        return await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None
        )

    def _say_mute(self) -> None:
        if not self._told_mute:
            log.warning(
                "this connection does not deliver notifications, as behind a transaction pooler: "
                f"polling every {self._poll_seconds:g} s instead; "
                "use a direct connection or a session pooler for instant wake-ups"
            )
        self._told_mute = True

    def _say(self, healthy: bool) -> None:
        if healthy and self._told_mute:
            log.info("notifications arrive again")
            self._told_mute = False
        if healthy != self._healthy:
            self._healthy = healthy
            self._on_health(healthy)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
