"""The bounds of one task. Each has a name, a default and a place to change it; the tightest of the places wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_runtime.config import Settings
from agent_runtime.errors import LimitReached
from agent_runtime.records import Agent, Execution, Task

CONTROL_CATEGORY = "control"


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


def check_repeats(executions: list[Execution], control: frozenset[str], max_repeats: int) -> None:
    """Raises `LimitReached` when the model made the same call, with the same arguments, too often in a row."""
    last = [call for call in executions if call.tool_name not in control][-max_repeats:]
    first = last[0] if last else None
    if len(last) == max_repeats and all(
        (call.tool_name, call.input_parameters) == (first.tool_name, first.input_parameters) for call in last if first
    ):
        raise LimitReached(
            "max_repeats", used=max_repeats, limit=max_repeats, unit=f"identical calls of {last[0].tool_name}"
        )


def _numbers(place: Any) -> dict[str, float]:
    if not isinstance(place, Mapping):
        return {}
    return {
        str(name): float(value)
        for name, value in place.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    }
