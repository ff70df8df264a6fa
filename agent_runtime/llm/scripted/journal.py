"""The requests that the server received, for tests and for the curious: bounded, newest last."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

REQUESTS_KEPT = 500
BODY_BYTES_KEPT = 262_144

Outcome = Literal["running", "answered", "refused", "dropped", "cancelled"]


@dataclass
class Entry:
    """A request and what became of it. `cancelled`: the client went away before the answer was complete."""

    number: int
    path: str
    body: Any
    outcome: Outcome = "running"
    turn: str | None = None
    """The turn of the script that answered."""


@dataclass
class Journal:
    """Keeps the last `REQUESTS_KEPT` requests."""

    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    _numbers: count[int] = field(default_factory=count)

    def open(self, path: str, body: Any, size_bytes: int) -> Entry:
        kept = body if size_bytes <= BODY_BYTES_KEPT else {"left_out": f"{size_bytes} bytes"}
        entry = Entry(next(self._numbers), path, kept)
        self.entries.append(entry)
        return entry
