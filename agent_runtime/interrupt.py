"""Stopping an asyncio task for certain.

Python 3.11's `asyncio.wait_for`, which the connection pool is built on, can swallow a cancellation that arrives in the
moment in which the awaited thing is ready. Who relies on one `cancel()` then waits for ever; so these ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Literal

StopReason = Literal["cancelled", "lost", "shutdown"]

ASK_AGAIN_SECONDS = 1.0
"""Long enough for a tool to end its processes undisturbed."""


class Interrupt:
    """Asks one asyncio task to stop, until it says that it has heard.

    `pause_requested` asks nothing of the asyncio task: the run looks at it where it can stop with nothing half done.
    """

    def __init__(self) -> None:
        self.pause_requested = asyncio.Event()
        self._handle: asyncio.Task[Any] | None = None
        self._reason: StopReason | None = None
        self._heard = False

    def attach(self) -> None:
        """Called by the task that is to be stopped, where it can clean up; stops it at once if that was asked before.

        Whoever is cancelled before its first step never takes it, and cleans nothing up.
        """
        self._handle = asyncio.current_task()
        if self._reason is not None:
            self._cancel()

    def ask(self, reason: StopReason) -> None:
        """Stop it. The first reason counts, but for a lost lease, after which nothing may be written."""
        first = self._reason is None
        if first or reason == "lost":
            self._reason = reason
        if first:
            self._cancel()

    def heard(self) -> StopReason | None:
        """Called by the task when it was cancelled: why, or None if not by an `ask`."""
        self._heard = True
        return self._reason

    def _cancel(self) -> None:
        if self._handle is None or self._handle.done() or self._heard:
            return
        self._handle.cancel()
        asyncio.get_running_loop().call_later(ASK_AGAIN_SECONDS, self._cancel)


async def cancel_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks that have nothing to clean up, and wait until they have ended."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.2)
