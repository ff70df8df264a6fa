"""Ends streams when access ends: asks again and again, once per token for all its streams."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from agent_runtime.interrupt import cancel_all
from agent_runtime.structlog_alone import structlog
from agent_runtime.web.access import Supabase
from agent_runtime.web.metrics import Metrics
from agent_runtime.web.settings import WebSettings
from agent_runtime.web.stream import EndReason, Stream
from agent_runtime.web.timelines import Timelines
from agent_runtime.web.tokens import Token, TokenRefused

log = structlog.get_logger()


@dataclass
class _Pass:
    """A token with the streams that it opened."""

    token: Token
    streams: set[Stream] = field(default_factory=set)
    session_asked_at: float = field(default_factory=time.monotonic)

    def end(self, reason: EndReason) -> None:
        for stream in self.streams:
            stream.end(reason)


class PassKeeper:
    """Holds the tokens of all streams."""

    def __init__(self, settings: WebSettings, supabase: Supabase, timelines: Timelines, metrics: Metrics) -> None:
        self._settings, self._supabase, self._timelines, self._metrics = settings, supabase, timelines, metrics
        self._passes: dict[str, _Pass] = {}
        self._duties: dict[str, asyncio.Task[None]] = {}

    def keep(self, stream: Stream) -> None:
        """Ask about this stream from now on."""
        key = stream.token.text
        if key not in self._passes:
            self._passes[key] = _Pass(stream.token)
            self._duties[key] = asyncio.create_task(self._attend(self._passes[key]))
        self._passes[key].streams.add(stream)

    def drop(self, stream: Stream) -> None:
        """No longer."""
        key = stream.token.text
        held = self._passes.get(key)
        if held is None:
            return
        held.streams.discard(stream)
        if not held.streams:
            del self._passes[key]
            self._duties.pop(key).cancel()

    async def aclose(self) -> None:
        await cancel_all(self._duties.values())

    async def _attend(self, held: _Pass) -> None:
        while True:
            # Spread, so that many streams that opened at once do not ask at once for ever.
            pause = self._settings.recheck_seconds * random.uniform(0.8, 1.0)  # noqa: S311
            await asyncio.sleep(min(pause, max(0.0, held.token.expires_at - time.time())))
            if time.time() >= held.token.expires_at:
                return self._expire(held)
            try:
                await self._ask(held)
            except TokenRefused:
                return self._expire(held)
            except Exception as error:
                # Nothing is sent until it answers again: `Stream` sees how old the last answer is.
                log.debug("access cannot be asked about", error=str(error), kind=type(error).__name__)

    def _expire(self, held: _Pass) -> None:
        held.end("expired")
        del self._passes[held.token.text]
        del self._duties[held.token.text]

    async def _ask(self, held: _Pass) -> None:
        asked_at, streams = time.monotonic(), list(held.streams)
        self._metrics.checks += 1
        visible = await self._supabase.visible(held.token, {stream.watch.task_id for stream in streams})
        for stream in streams:
            task_id = stream.watch.task_id
            if task_id in visible:
                stream.confirm(asked_at)
            elif await self._timelines.last_event(task_id, held.token) is None:
                stream.end("gone")
            else:
                stream.end("denied")
        if asked_at - held.session_asked_at >= self._settings.session_seconds:
            held.session_asked_at = asked_at
            if not await self._supabase.session_lives(held.token):
                raise TokenRefused("the session is over")
