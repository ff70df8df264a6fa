"""Limits as commands take them, NAME=NUMBER, and as they name them: in the words of the web UI."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from agent_runtime.cli.output import one_line
from agent_runtime.errors import InvalidInput

WORDS = {
    "steps": ("Steps", "turns of the model"),
    "tool_calls": ("Tool calls", "calls that were started"),
    "wall_seconds": ("Time", "seconds of work; waiting does not count"),
    "model_tokens": ("Tokens in all", "read and written by the model"),
    "output_tokens": ("Tokens written", "written by the model"),
    "output_bytes": ("Output", "bytes: words, results and files"),
    "child_tasks": ("Spawned tasks", "tasks that a task may give away, with those tried again"),
    "child_tasks_at_once": ("Spawned at once", "of these, how many may run at a time"),
    "child_depth": ("Depth", "levels of tasks below one that a person submitted"),
}
"""Each limit's name on the screens, and what it counts."""
NONE_SET = "None set"


def parse_limits(given: Sequence[str]) -> dict[str, float]:
    """What `--limit` was given as, by name. Raises `InvalidInput`. Which names there are, the database says."""
    limits: dict[str, float] = {}
    for one in given:
        name, _, number = one.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not name.strip() or not math.isfinite(value):
            raise InvalidInput(f"--limit {one_line(one, 60)}: give a name and a number, as in --limit steps=20")
        limits[name.strip()] = int(value) if value.is_integer() else value
    return limits


def limits_text(limits: Mapping[str, Any]) -> str:
    """`Steps: 1,000, Time: 60`, or that none is set."""
    return ", ".join(f"{WORDS.get(name, (name,))[0]}: {_number(value)}" for name, value in limits.items()) or NONE_SET


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
