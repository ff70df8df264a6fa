"""Keeping the leases of a worker: one renewal for all of them, on a connection of its own, whatever else is busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

import structlog

from agent_runtime.db.store import Store
from agent_runtime.errors import DatabaseUnavailable
from agent_runtime.records import Lease, Renewal

log = structlog.get_logger()


class LeaseKeeper:
    """Renews every third of a lease, and tells what it learns of each task: lost, or asked to stop."""

    def __init__(
        self,
        store: Store,
        lease_seconds: float,
        leases: Callable[[], Iterable[Lease]],
        on_lost: Callable[[UUID], None],
        on_cancel: Callable[[UUID], None],
    ) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._leases = leases
        self._on_lost = on_lost
        self._on_cancel = on_cancel
        self._look_now = asyncio.Event()

    def look_now(self) -> None:
        """Renew at once: somebody asked something of a task."""
        self._look_now.set()

    async def keep(self) -> None:
        """Renew until cancelled."""
        while True:
            try:
                for renewal in await self._store.renew(list(self._leases()), self._lease_seconds):
                    self._tell(renewal)
            except DatabaseUnavailable as error:
                # Leases may run out meanwhile; the database says so when it is back.
                log.warning("leases are not renewed", error=str(error))
            try:
                await asyncio.wait_for(self._look_now.wait(), self._lease_seconds / 3)
            except TimeoutError:
                continue
            self._look_now.clear()

    def _tell(self, renewal: Renewal) -> None:
        if not renewal.held:
            self._on_lost(renewal.task_id)
        elif renewal.cancel_requested:
            self._on_cancel(renewal.task_id)
