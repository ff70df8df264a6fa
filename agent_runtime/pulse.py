"""Time as leases count it, and whether an event loop moves."""

from __future__ import annotations

import time
from collections.abc import Callable

from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()

# One that goes on while the machine sleeps, where there is one: on Linux CLOCK_MONOTONIC stands still meanwhile.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds, for what a lease is worth: they go on while the process is stopped and while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class Pulse:
    """Whether the worker's loop moves: it is asked for a beat, and the next is asked for when that has come.

    Only time in which the asking thread was awake counts, so that a process that was stopped as a whole is not taken
    for one that is wedged.
    """

    def __init__(self, stall_seconds: float) -> None:
        self._stall_seconds = stall_seconds
        self._answered = True
        self._still_seconds = 0.0
        self._stalled = False
        self._planned_seconds = 0.0
        self._felt_at = clock()

    def beat(self) -> None:
        """The loop moves."""
        self._answered = True

    def planned(self, seconds: float) -> None:
        """The asking thread will look again after this time."""
        self._planned_seconds = seconds

    def is_felt(self, ask: Callable[[], None]) -> bool:
        """Whether the loop has moved lately; `ask` is to have `beat` called in it."""
        now = clock()
        passed, self._felt_at = now - self._felt_at, now
        if self._answered:
            self._answered, self._still_seconds = False, 0.0
            if self._stalled:
                log.info("the worker moves again, renewing its leases")
            self._stalled = False
            ask()
            return True
        self._still_seconds += min(passed, self._planned_seconds)
        if self._still_seconds > self._stall_seconds and not self._stalled:
            self._stalled = True
            log.error(
                "the worker has not moved for too long, so its leases are no longer renewed and others take its tasks",
                limit="stall_seconds",
                seconds=self._stall_seconds,
            )
        return not self._stalled
