"""Whether the server serves, and whether what it needs answers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from agent_runtime.web.access import Supabase
from agent_runtime.web.timelines import Timelines

_KEPT_SECONDS = 1.0


class Readiness:
    """Asked at most once a second, however often somebody wants to know."""

    def __init__(self, supabase: Supabase, timelines: Timelines) -> None:
        self._supabase, self._timelines = supabase, timelines
        self._known: dict[str, Any] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def report(self) -> dict[str, Any]:
        """`{"ok": bool, "database": "up" | "away" | "not used", "api": "up" | "away"}`."""
        async with self._asking:
            if time.monotonic() - self._asked_at > _KEPT_SECONDS:
                self._known = await self._ask()
                self._asked_at = time.monotonic()
        return self._known

    async def _ask(self) -> dict[str, Any]:
        database, api = await asyncio.gather(self._timelines.is_up(), self._supabase.is_up())
        used = self._timelines.hears_deltas
        return {
            "ok": database and api,
            "database": ("up" if database else "away") if used else "not used",
            "api": "up" if api else "away",
        }
