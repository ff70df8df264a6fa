"""The bounds of one task. Each has a name, a default and a place to change it; the tightest of the places wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent_runtime.config import Settings
from agent_runtime.errors import LimitReached
from agent_runtime.records import Agent, Task


def task_limits(settings: Settings, agent: Agent, task: Task) -> dict[str, float]:
    """`steps`, `tool_calls`, `output_tokens`: from the settings, `agents.configuration.limits` and `tasks.limits`."""
    limits: dict[str, float] = {"steps": settings.max_steps}
    for place in (agent.configuration.get("limits"), task.limits):
        for name, value in _numbers(place).items():
            limits[name] = min(limits.get(name, value), value)
    return limits


def check_limits(usage: Mapping[str, Any], limits: Mapping[str, float]) -> None:
    """Raises `LimitReached` when one is used up."""
    for name, limit in sorted(limits.items()):
        used = float(usage.get(name) or 0)
        if used >= limit:
            raise LimitReached(name, used=used, limit=limit)


def check_repeats(calls: Sequence[tuple[str, Any]], max_repeats: int) -> None:
    """Raises `LimitReached` when the last calls, as (tool name, arguments), are the same one again and again."""
    last = list(calls[-max_repeats:])
    if len(last) == max_repeats and all(call == last[0] for call in last):
        raise LimitReached("max_repeats", used=max_repeats, limit=max_repeats, unit=f"identical calls of {last[0][0]}")


def _numbers(place: Any) -> dict[str, float]:
    if not isinstance(place, Mapping):
        return {}
    return {
        str(name): float(value)
        for name, value in place.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    }
