"""What a worker knows of its leases, and what a renewal tells of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from agent_runtime.records import Lease, Renewal

News = Literal["lost", "cancel", "pause", "resume"]
"""What a renewal can tell of one task. `resume`: a pause was taken back before the run came to it."""


@dataclass
class _Held:
    """A lease, until when it is surely held, and what was told of it."""

    lease: Lease
    until: float
    lost: bool = False
    cancelled: bool = False
    paused: bool = False


class LeaseBook:
    """The leases of this process. Written by two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Lease, _Held] = {}

    def add(self, lease: Lease, until: float) -> list[Lease]:
        """A claim was granted. Returns older leases of the same task: whoever was given it anew has lost those."""
        with self._lock:
            older = [held for held in self._held.values() if held.lease.task_id == lease.task_id and not held.lost]
            for held in older:
                held.lost = True
            self._held[lease] = _Held(lease, until)
            return [held.lease for held in older]

    def remove(self, lease: Lease) -> None:
        """Its run has ended."""
        with self._lock:
            self._held.pop(lease, None)

    def held(self) -> list[Lease]:
        """Those worth renewing."""
        with self._lock:
            return [held.lease for held in self._held.values() if not held.lost]

    def until(self, lease: Lease) -> float | None:
        """Until when, by `clock`, it is surely held; None for one that is lost or was never here."""
        with self._lock:
            held = self._held.get(lease)
            return None if held is None or held.lost else held.until

    def learn(self, leases: Iterable[Lease], renewals: Iterable[Renewal], until: float) -> list[tuple[Lease, News]]:
        """Take in what the database says of these leases; returns what is new. One that it says nothing of stays as it
        was."""
        asked = {lease.task_id: lease for lease in leases}
        news: list[tuple[Lease, News]] = []
        with self._lock:
            for renewal in renewals:
                held = self._held.get(asked[renewal.task_id])
                if held is not None:
                    news += [(held.lease, kind) for kind in _learn(held, renewal, until)]
        return news


def _learn(held: _Held, renewal: Renewal, until: float) -> list[News]:
    if not renewal.held:
        held.lost = True
        return ["lost"]
    held.until = max(held.until, until)
    news: list[News] = []
    if renewal.cancel_requested and not held.cancelled:
        held.cancelled = True
        news.append("cancel")
    if renewal.pause_requested != held.paused:
        held.paused = renewal.pause_requested
        news.append("pause" if held.paused else "resume")
    return news
