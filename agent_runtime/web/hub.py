"""The live streams of this process: who watches which task, one reader for all of them, and who may still see.

One loop reads on in all watched timelines at once; each stream is handed what is new. A stream that is behind (it has
just begun, or its client reads slowly) is handed nothing: it reads pages of its own until it has caught up. So no
memory grows with a backlog or with a client that does not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

from agent_runtime.errors import Unavailable
from agent_runtime.interrupt import cancel_all
from agent_runtime.structlog_alone import structlog
from agent_runtime.web.access import Supabase
from agent_runtime.web.answers import Answer, Piece
from agent_runtime.web.keeper import PassKeeper
from agent_runtime.web.metrics import Metrics
from agent_runtime.web.settings import WebSettings
from agent_runtime.web.stream import Stream
from agent_runtime.web.timelines import PAGE_EVENTS, Event, Timelines, Wanted
from agent_runtime.web.tokens import Token, TokenRefused

if TYPE_CHECKING:
    from agent_runtime.web.deltas import DeltaEar

log = structlog.get_logger()

_AGAIN_SECONDS = 0.5


class NoSuchTask(Exception):
    """There is none, or none that the person may see."""


class TooMany(Exception):
    """A limit is reached; the message names it."""


class Watch:
    """A task that somebody watches. All its events up to `read_to` were handed out."""

    def __init__(self, task_id: UUID, read_to: int) -> None:
        self.task_id, self.read_to = task_id, read_to
        self.streams: set[Stream] = set()
        self.answer = Answer()

    def take(self, event: Event) -> None:
        if event.id > self.read_to:
            self.read_to = event.id
            self.answer.heed(event)
            for stream in self.streams:
                stream.offer(event)


class Hub:
    """Opens streams, and feeds them while `running`."""

    def __init__(self, settings: WebSettings, supabase: Supabase, timelines: Timelines, metrics: Metrics) -> None:
        self._settings, self._supabase, self._timelines, self.metrics = settings, supabase, timelines, metrics
        self._watches: dict[UUID, Watch] = {}
        self._persons: Counter[str] = Counter()
        self._opening = 0
        self._watched = asyncio.Event()
        self._closing = False
        self._keeper = PassKeeper(settings, supabase, timelines, metrics)
        self._ear: DeltaEar | None = None

    @contextlib.asynccontextmanager
    async def running(self, ear: DeltaEar | None = None) -> AsyncIterator[None]:
        """Read for the streams until the block ends."""
        self._ear = ear
        duties = {asyncio.create_task(self._read_for_ever())}
        if ear:
            duties.add(asyncio.create_task(ear.listen(self._hear, lambda: set(self._watches))))
        try:
            yield
        finally:
            self.close()
            await cancel_all(duties)
            await self._keeper.aclose()

    def close(self) -> None:
        """End every stream, and open none any more."""
        self._closing = True
        for watch in self._watches.values():
            for stream in watch.streams:
                stream.end("shutdown")

    @property
    def is_closing(self) -> bool:
        return self._closing

    async def open(self, task_id: UUID, token: Token, after: int) -> Stream:
        """A stream of what comes after the event `after`; give it back with `leave`.

        Raises `TokenRefused`, `NoSuchTask`, `TooMany`, `Unavailable`.
        """
        if self.metrics.streams_open + self._opening >= self._settings.streams:
            raise TooMany(f"limit streams reached: {self._settings.streams} on this server, try again later")
        self._opening += 1
        try:
            return await self._open(task_id, token, after)
        finally:
            self._opening -= 1

    async def _open(self, task_id: UUID, token: Token, after: int) -> Stream:
        confirmed_at = time.monotonic()
        # Only the answer makes the token's claims true.
        visible, lives = await asyncio.gather(
            self._supabase.visible(token, [task_id]), self._supabase.session_lives(token)
        )
        if not lives or token.expires_at <= time.time():
            raise TokenRefused("sign in again: the session is over")
        if task_id not in visible:
            raise NoSuchTask
        last = await self._timelines.last_event(task_id, token)
        if last is None:
            raise NoSuchTask
        if self._closing:
            raise Unavailable("the server is shutting down")
        if self._persons[token.person] >= self._settings.streams_per_person:
            raise TooMany(f"limit streams_per_person reached: {self._settings.streams_per_person}, close some")
        watch = self._watches.get(task_id)
        begins = watch is None
        if watch is None:
            watch = self._watches[task_id] = Watch(task_id, last)
        # What was not written yet cannot have been seen: such a number counts as the last there is.
        stream = Stream(watch, token, min(after, last), self, self._settings, confirmed_at)
        watch.streams.add(stream)
        self._persons[token.person] += 1
        self.metrics.streams_open += 1
        self.metrics.streams_opened += 1
        self._keeper.keep(stream)
        if not self._watched.is_set():
            self.metrics.behind_since = time.monotonic()
            self._watched.set()
        if begins and self._ear:
            self._ear.watch_begins(task_id)
        return stream

    def leave(self, stream: Stream) -> None:
        """Free what a stream holds."""
        watch = stream.watch
        if stream not in watch.streams:
            return
        watch.streams.discard(stream)
        self._keeper.drop(stream)
        self.metrics.streams_open -= 1
        self.metrics.ended[stream.ended or "left"] += 1
        self._persons[stream.token.person] -= 1
        if not self._persons[stream.token.person]:
            del self._persons[stream.token.person]
        if not watch.streams:
            del self._watches[watch.task_id]
        if not self._watches:
            self._watched.clear()
            self.metrics.behind_since = None

    async def page(self, stream: Stream) -> list[Event]:
        """The next events of a stream that is behind. Raises `Unavailable`."""
        return await self._timelines.read([Wanted(stream.watch.task_id, stream.after, stream.token)])

    def _hear(self, piece: Piece) -> bool:
        """False when the beginning of the answer is missing here."""
        watch = self._watches.get(piece.task_id)
        if watch is None:
            return True
        complete = watch.answer.take(piece)
        for stream in watch.streams:
            stream.wake()
        return complete

    async def _read_for_ever(self) -> None:
        hears = self._timelines.hears_deltas
        interval = self._settings.read_seconds if hears else self._settings.rest_read_seconds
        away = False
        while True:
            await self._watched.wait()
            started = time.monotonic()
            try:
                while await self._read():
                    pass
            except Exception as error:
                # Whatever it is: all streams would stand still without this loop.
                self.metrics.reads_failed += 1
                if not away:
                    log.warning(
                        "the timelines cannot be read, trying again", error=str(error), kind=type(error).__name__
                    )
                away = True
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if away:
                log.info("the timelines are read again")
            away = False
            if self._watched.is_set():
                self.metrics.behind_since = started
            await asyncio.sleep(max(0.0, started + interval - time.monotonic()))

    async def _read(self) -> bool:
        """Read on in all watched timelines. Whether there is more of one already."""
        wanted = [
            Wanted(watch.task_id, watch.read_to, next(iter(watch.streams)).token) for watch in self._watches.values()
        ]
        if not wanted:
            return False
        self.metrics.reads += 1
        events = await self._timelines.read(wanted)
        counts: Counter[UUID] = Counter()
        for event in events:
            counts[event.task_id] += 1
            # It may have been left, or left and watched anew, meanwhile; events that were handed out are not again.
            if watch := self._watches.get(event.task_id):
                watch.take(event)
        return any(count >= PAGE_EVENTS for count in counts.values())
