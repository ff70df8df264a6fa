"""The bounds of one task. Each has a name, a default and a place to change it; the tightest of the places wins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_runtime.config import Settings
from agent_runtime.errors import LimitReached
from agent_runtime.records import RunContext

UNBOUNDED = float("inf")
RESULT_TRIES = 3
"""So many ends that give no fitting result end a task with a result schema as failed."""


@dataclass(frozen=True)
class Limits:
    """What holds for one task, by name: `steps`, `tool_calls`, `wall_seconds`, `model_tokens` (read and written),
    `output_tokens`, `output_bytes`. What is not named is not bound.

    `wall_seconds` is the time in workers' hands; waiting for a person does not count.
    """

    values: Mapping[str, float]
    active_seconds: float = 0.0
    """Of earlier claims."""
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, context: RunContext, settings: Settings) -> Limits:
        """The database's, which are the tightest of tenant, agent and task, and the worker's own `max_steps`."""
        values = dict(context.limits)
        values["steps"] = min(values.get("steps", UNBOUNDED), settings.max_steps)
        return cls(values, context.task.active_seconds)

    def check(self, usage: Mapping[str, Any]) -> None:
        """Raises `LimitReached` when one is used up."""
        for name, limit in sorted(self.values.items()):
            used = self._used(name, usage)
            if used >= limit:
                raise LimitReached(name, used=used, limit=limit)

    def seconds_left(self) -> float | None:
        """Until `wall_seconds` is reached; None when it is not bound."""
        limit = self.values.get("wall_seconds")
        return None if limit is None else limit - self._wall_seconds()

    def wall_reached(self) -> LimitReached:
        """The error for it."""
        return LimitReached("wall_seconds", used=round(self._wall_seconds()), limit=self.values["wall_seconds"])

    def _used(self, name: str, usage: Mapping[str, Any]) -> float:
        if name == "wall_seconds":
            return self._wall_seconds()
        if name == "model_tokens":
            return float(usage.get("prompt_tokens") or 0) + float(usage.get("output_tokens") or 0)
        return float(usage.get(name) or 0)

    def _wall_seconds(self) -> float:
        return self.active_seconds + time.monotonic() - self.started


def check_repeats(calls: Sequence[tuple[str, Any]], max_repeats: int) -> None:
    """Raises `LimitReached` when the last calls, as (tool name, arguments), are the same one again and again."""
    last = list(calls[-max_repeats:])
    if len(last) == max_repeats and all(call == last[0] for call in last):
        raise LimitReached("max_repeats", used=max_repeats, limit=max_repeats, unit=f"identical calls of {last[0][0]}")


def check_results(misfits: Sequence[str]) -> None:
    """Raises `LimitReached` when the model gave too many ends without a result that fits, with the last reason."""
    if len(misfits) >= RESULT_TRIES:
        unit = f"ends without a fitting result; the last: {misfits[-1]}"
        raise LimitReached("result_tries", used=len(misfits), limit=RESULT_TRIES, unit=unit)
