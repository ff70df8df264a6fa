"""Where a run's time goes: its runner and its store, each with a clock beside it."""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from agent_runtime.db.store import Store

if TYPE_CHECKING:
    from agent_runtime.vault.scrub import Scrubber

CALLS_OF_A_RUN = frozenset(
    {"claim", "context", "record_turn", "start_execution", "finish_execution", "add_files", "settle"}
)


@dataclass
class Clock:
    """Seconds of some runs."""

    wall: float = 0.0
    database: float = 0.0
    """Waiting for an answer of the store."""
    cpu: float = 0.0
    """Of this process."""
    calls: Counter[str] = field(default_factory=Counter)
    """Of the store, by name."""

    @contextmanager
    def counting(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, part, getattr(self, part) + time.perf_counter() - started)


def timed_store(store: Store, clock: Clock) -> Store:
    """The store, with the calls that a run makes counted."""
    return cast("Store", _TimedStore(store, clock))


class _TimedStore:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def without(self, scrubber: Scrubber) -> Store:
        """See `Store.without`; what a run calls of it is counted too."""
        return timed_store(self._store.without(scrubber), self._clock)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in CALLS_OF_A_RUN:
            return found
        assert inspect.iscoroutinefunction(found), "every call of the store is one"

        async def call(*arguments: Any, **named: Any) -> Any:
            self._clock.calls[name] += 1
            with self._clock.counting("database"):
                return await found(*arguments, **named)

        return call
