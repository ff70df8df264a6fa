"""The tightest bound wins, and names itself when it is reached."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from agent_runtime.config import Settings
from agent_runtime.errors import LimitReached
from agent_runtime.limits import check_limits, check_repeats, task_limits
from agent_runtime.records import Agent, Task


def limits(configured: Any, asked: dict[str, Any]) -> dict[str, float]:
    agent = Agent(
        id=uuid.uuid4(),
        name="A",
        system_prompt="",
        model_name="m",
        temperature=0,
        max_tokens=1,
        configuration=configured,
    )
    ids: dict[str, Any] = {name: uuid.uuid4() for name in ("id", "conversation_id", "tenant_id", "user_id", "agent_id")}
    task = Task(**ids, title="t", status="running", priority=1, limits=asked)
    return task_limits(Settings(max_steps=50), agent, task)


@pytest.mark.parametrize(
    ("configured", "asked", "expected"),
    [
        ({}, {}, {"steps": 50}),
        ({"limits": {"steps": 20}}, {"steps": 30}, {"steps": 20}),
        ({"limits": {"steps": 20}}, {"steps": 5}, {"steps": 5}),
        ({}, {"steps": 500, "tool_calls": 3}, {"steps": 50, "tool_calls": 3}),
        ({"limits": "nonsense"}, {"steps": -1, "tool_calls": "many", "output_tokens": True}, {"steps": 50}),
    ],
)
def test_the_tightest_place_wins_and_nonsense_is_no_bound(
    configured: Any, asked: dict[str, Any], expected: dict[str, float]
) -> None:
    assert limits(configured, asked) == expected


def test_a_used_up_limit_says_which_and_how_much() -> None:
    check_limits({"steps": 4}, {"steps": 5})
    with pytest.raises(LimitReached, match="limit steps reached: 5 of 5"):
        check_limits({"steps": 5}, {"steps": 5})


def test_only_identical_calls_in_a_row_are_a_loop() -> None:
    look: tuple[str, Any] = ("file_list", {})
    write: tuple[str, Any] = ("file_write", {"path": "a"})
    check_repeats([look, look, write, look, look], 3)
    with pytest.raises(LimitReached, match="3 identical calls of file_list"):
        check_repeats([write, look, look, look], 3)
