"""The answer that the model is giving, told to the servers of live streams while somebody watches the task.

Pieces are put together for a moment and go out by NOTIFY, with the place where they stand in the answer. Nothing goes
out for tasks that nobody watches. What a server missed is not lost: it says that watching begins, and the answer is
told again from its start. What cannot be told is not told; a run never waits for it, nor fails with it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID, uuid4

import psycopg

from agent_runtime.db.connection import CONNECT_TIMEOUT_SECONDS, with_keepalives
from agent_runtime.db.listen import DELTA
from agent_runtime.llm.chat import Delta
from agent_runtime.structlog_alone import structlog
from agent_runtime.vault.scrub import Scrubber

log = structlog.get_logger()

TOGETHER_SECONDS = 0.1
WATCHED_SECONDS = 25.0
"""A task is watched for so long after a server said so; servers say it every ten seconds."""
MOST_CHARACTERS = 100_000
"""Of one answer; the rest is seen when its message is recorded."""

_PAYLOAD_BYTES = 7_900
_PIECE_CHARACTERS = 6_000
_AGAIN_SECONDS = 1.0
_SEND_SECONDS = 5.0
_MOST_TASKS = 100_000


class _Text:
    """One of an answer's two texts: what the model wrote, and how much of it, without secrets, was told."""

    def __init__(self) -> None:
        self.raw, self.told = "", ""
        self._looked_to, self._holds_some = 0, False

    def take(self, piece: str) -> None:
        self.raw += piece[: MOST_CHARACTERS - len(self.raw)]

    def safe(self, scrubber: Scrubber) -> str:
        """All that can be told by now: the end may be the beginning of a secret, and waits until it is known."""
        known = self.raw[: scrubber.doubtful_from(self.raw)]
        if not self._holds_some:
            # What was looked at and held nothing is not looked at again, but for where a value could have begun.
            new = known[max(0, self._looked_to - scrubber.longest_bytes) :]
            self._holds_some = scrubber.holds(new.encode(errors="surrogatepass"))
            self._looked_to = len(known)
        return scrubber.text(known) if self._holds_some else known


class AnswerFeed:
    """The answers of one run. Made by `LiveAnswers.feed`."""

    def __init__(self, task_id: UUID, scrubber: Scrubber, wake: asyncio.Event) -> None:
        self.task_id = task_id
        self._scrubber, self._wake = scrubber, wake
        self._step, self._attempt = 0, ""
        self._content, self._thinking = _Text(), _Text()
        self.is_new = False
        """Whether there is something that was not looked at."""

    def begin(self, step: int) -> None:
        """The model is asked for this step's answer."""
        self._step, self._attempt = step, uuid4().hex[:12]
        self._content, self._thinking = _Text(), _Text()

    def end(self) -> None:
        """The answer is recorded, or given up."""
        self._content, self._thinking = _Text(), _Text()
        self.is_new = False

    async def take(self, delta: Delta) -> None:
        """The next piece; it never waits."""
        if delta.restart:
            self.begin(self._step)
        self._content.take(delta.content)
        self._thinking.take(delta.thinking)
        self.is_new = True
        self._wake.set()

    def tell_again(self) -> None:
        """From the start: somebody does not know what was told."""
        self._content.told = self._thinking.told = ""
        self.is_new = bool(self._content.raw or self._thinking.raw)
        self._wake.set()

    def pieces(self) -> list[str]:
        """What can be told now, as payloads. It counts as told: call `tell_again` when it was not."""
        if not self.is_new:
            return []
        self.is_new = False
        content, thinking = self._content.safe(self._scrubber), self._thinking.safe(self._scrubber)
        if not (_goes_on(self._content.told, content) and _goes_on(self._thinking.told, thinking)):
            # A secret was not known as one by its first letters: what was told is taken back.
            self._attempt = uuid4().hex[:12]
            self._content.told = self._thinking.told = ""
        pieces = [
            *self._payloads("thinking", self._thinking.told, thinking),
            *self._payloads("content", self._content.told, content),
        ]
        self._content.told = max(self._content.told, content, key=len)
        self._thinking.told = max(self._thinking.told, thinking, key=len)
        return pieces

    def _payloads(self, kind: str, told: str, safe: str) -> Iterator[str]:
        at = len(told)
        while at < len(safe):
            size = _PIECE_CHARACTERS
            # A character is up to twelve bytes of JSON.
            while len(payload := self._payload(kind, at, safe[at : at + size])) > _PAYLOAD_BYTES:
                size //= 2
            yield payload
            at += size

    def _payload(self, kind: str, at: int, text: str) -> str:
        nothing = {"content": (0, ""), "thinking": (0, "")}
        return json.dumps(
            {"task": str(self.task_id), "step": self._step, "attempt": self._attempt, **nothing, kind: (at, text)}
        )


class LiveAnswers:
    """Of all runs of one process. Without a database connection there are none: nothing notifies over REST."""

    def __init__(self, conninfo: str | None) -> None:
        self._conninfo = conninfo
        self._feeds: dict[UUID, AnswerFeed] = {}
        self._watched: dict[UUID, float] = {}
        self._wake = asyncio.Event()

    def feed(self, task_id: UUID, scrubber: Scrubber) -> AnswerFeed:
        """For a run that begins; `scrubber` knows the secrets that it was given, and is asked about each piece."""
        feed = self._feeds[task_id] = AnswerFeed(task_id, scrubber, self._wake)
        return feed

    def drop(self, feed: AnswerFeed) -> None:
        """The run is over."""
        if self._feeds.get(feed.task_id) is feed:
            del self._feeds[feed.task_id]

    def hear(self, payload: str) -> None:
        """A server says what is watched. Whoever can connect can notify: what cannot be read is nothing."""
        try:
            said = json.loads(payload)
            begins, tasks = said["begin"] is True, [UUID(task) for task in said["tasks"]]
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        now = time.monotonic()
        if len(self._watched) > _MOST_TASKS:
            self._watched = {task: until for task, until in self._watched.items() if until > now}
        for task in tasks:
            self._watched[task] = now + WATCHED_SECONDS
            if begins and (feed := self._feeds.get(task)):
                feed.tell_again()
        self._wake.set()

    async def publish(self) -> None:
        """Tell what is watched, until cancelled."""
        if self._conninfo is None:
            return
        while True:
            await self._next_watched()
            try:
                async with await self._connect(self._conninfo) as connection:
                    await self._publish_on(connection)
            except Exception as error:
                # Whatever it is: no run is to end for it.
                log.warning(
                    "answers are not told live for now", error=(str(error) or type(error).__name__).splitlines()[0]
                )
                # Unknown is what of it arrived.
                for feed in self._feeds.values():
                    feed.tell_again()
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _publish_on(self, connection: psycopg.AsyncConnection) -> None:
        """Until nobody has watched for a while."""
        while True:
            payloads = [payload for feed in self._watched_feeds() for payload in feed.pieces()]
            if payloads:
                async with asyncio.timeout(_SEND_SECONDS):
                    await connection.execute(
                        "select pg_catalog.pg_notify(%s, said) from pg_catalog.unnest(%s::text[]) said",
                        [DELTA, payloads],
                    )
            await asyncio.sleep(TOGETHER_SECONDS)
            self._wake.clear()
            if not any(feed.is_new for feed in self._watched_feeds()):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), WATCHED_SECONDS)
                if not self._watched_feeds():
                    return

    async def _next_watched(self) -> None:
        while not self._watched_feeds():
            self._wake.clear()
            await self._wake.wait()

    def _watched_feeds(self) -> list[AnswerFeed]:
        now = time.monotonic()
        return [feed for feed in self._feeds.values() if self._is_watched(feed.task_id, now)]

    def _is_watched(self, task_id: UUID, now: float) -> bool:
        return self._watched.get(task_id, 0.0) > now

    @staticmethod
    async def _connect(conninfo: str) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(
            with_keepalives(conninfo), autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None
        )


def _goes_on(told: str, safe: str) -> bool:
    return safe.startswith(told) or told.startswith(safe)
