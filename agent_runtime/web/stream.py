"""One live stream: what a client has been sent, what waits for it, and why it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Literal

from agent_runtime.errors import Unavailable
from agent_runtime.web.answers import Shown
from agent_runtime.web.settings import WebSettings
from agent_runtime.web.timelines import Event
from agent_runtime.web.tokens import Token

if TYPE_CHECKING:
    from agent_runtime.web.hub import Hub, Watch

EndReason = Literal["expired", "denied", "gone", "shutdown", "slow"]

QUEUED_EVENTS = 500
"""More than these are not kept for a client that reads slowly; it is given them from the table later."""
BEAT = b": beat\n\n"
CAUGHT_UP = b"event: caught_up\ndata: {}\n\n"

_PART_BYTES = 32_768
"""About so much is handed to the connection at a time, so that a client which reads at all is seen to read."""
_AGAIN_SECONDS = 0.5


class Stream:
    """Made by `Hub.open`. Nothing leaves it unless the person was seen to have access within `hold_seconds`."""

    def __init__(
        self, watch: Watch, token: Token, after: int, hub: Hub, settings: WebSettings, confirmed_at: float
    ) -> None:
        self.watch, self.token = watch, token
        self.after = after
        """The id of the last event that the client was sent."""
        self.confirmed_at = confirmed_at
        """When the last question was asked that was answered with yes (`time.monotonic`)."""
        self.ended: EndReason | None = None
        self._hub, self._settings = hub, settings
        self._behind = True
        self._caught_up = False
        self._queue: deque[Event] = deque()
        self._shown = Shown()
        self._changed = asyncio.Event()
        self._sent_at = time.monotonic()

    def offer(self, event: Event) -> None:
        """The next event of the timeline."""
        if not self._behind and event.id > self.after:
            if len(self._queue) < QUEUED_EVENTS:
                self._queue.append(event)
            else:
                self._queue.clear()
                self._behind = True
        self._changed.set()

    def confirm(self, at: float) -> None:
        """The person may still see the task."""
        self.confirmed_at = max(self.confirmed_at, at)
        self._changed.set()

    def end(self, reason: EndReason) -> None:
        """The first reason stands."""
        self.ended = self.ended or reason
        self._changed.set()

    def wake(self) -> None:
        """There may be something new to send."""
        self._changed.set()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """What the client is to be sent, until the stream ends."""
        while self.ended is None:
            self._changed.clear()
            if time.monotonic() - self._sent_at >= self._settings.beat_seconds:
                yield self._noted(BEAT)
            if not self._may_send():
                await self._wait(self._settings.beat_seconds)
                continue
            paging = self._behind
            try:
                events = await self._hub.page(self) if paging else self._queued()
            except Unavailable:
                await self._wait(_AGAIN_SECONDS)
                continue
            whole = True
            for part, count, last in _parts(events):
                if not self._may_send():
                    # What was not sent is read again.
                    whole, self._behind = False, True
                    self._queue.clear()
                    break
                self.after = last
                self._hub.metrics.events_sent += count
                yield self._noted(part)
            if paging and whole and self._joins() and not self._caught_up:
                self._caught_up = True
                yield self._noted(CAUGHT_UP)
            if self._behind and not events:
                # The reader saw more than this person is shown by now: access ends, or somebody changes it.
                await self._wait(_AGAIN_SECONDS)
            if self._behind or events:
                continue
            if delta := self._delta():
                yield self._noted(delta)
            else:
                await self._wait(self._settings.beat_seconds)
        yield f"event: end\ndata: {json.dumps({'reason': self.ended})}\n\n".encode()

    def _may_send(self) -> bool:
        fresh = time.monotonic() - self.confirmed_at <= self._settings.hold_seconds
        return fresh and self.ended is None

    def _queued(self) -> list[Event]:
        events = list(self._queue)
        self._queue.clear()
        return events

    def _joins(self) -> bool:
        """Whether the stream, of which a page was just sent, has caught up with the reader."""
        if self.after < self.watch.read_to:
            return False
        # Without a pause in between, so the next event that is read is handed to it.
        self._behind = False
        return True

    def _delta(self) -> bytes:
        frame, self._shown = self.watch.answer.frame(self._shown)
        self._hub.metrics.deltas_sent += bool(frame)
        return frame

    def _noted(self, frame: bytes) -> bytes:
        self._sent_at = time.monotonic()
        return frame

    async def _wait(self, seconds: float) -> None:
        """Until something changes, or for so long."""
        due = self._sent_at + self._settings.beat_seconds - time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(0.0, min(seconds, due)))


def _parts(events: list[Event]) -> Iterator[tuple[bytes, int, int]]:
    """The events' frames, a few at a time, with their number and the id of the last."""
    part, count = bytearray(), 0
    for event in events:
        part += event.frame
        count += 1
        if len(part) >= _PART_BYTES or event is events[-1]:
            yield bytes(part), count, event.id
            part, count = bytearray(), 0
