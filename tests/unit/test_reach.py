"""What a person is told before a call goes out of a task that has read something from outside."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.cli.agents import _permissions
from agent_runtime.cli.decide import reach_lines
from agent_runtime.errors import InvalidInput
from agent_runtime.person.records import ExecutionRow


def call(**more: Any) -> ExecutionRow:
    return ExecutionRow.model_validate(
        {
            "id": "00000000-0000-4000-8000-000000000001", "status": "awaiting_approval", "step": 1, "call_index": 0,
            "input_parameters": {}, "tools": {"name": "send", "outward": True},
            "tasks": {"title": "x", "user_id": "00000000-0000-4000-8000-000000000002", "status": "waiting"}, **more,
        }
    )  # fmt: skip


def test_sources_and_destinations_are_named_and_hide_nothing() -> None:
    gate = {
        "destinations": ["eve@evil.example\u202e"],
        "sources": [{"source": f"https://{n}.example/", "tool": "t", "step": 1} for n in range(12)],
    }
    read, reach = (line.plain.strip() for line in reach_lines(call(gate=gate)))
    assert read.startswith("this task has read: https://0.example/, https://1.example/")
    assert read.endswith(" and 2 more")
    assert reach == "it wants to reach: eve@evil.example\\u202e"


def test_a_call_that_waited_before_its_task_read_something_says_so_too() -> None:
    task = {"title": "x", "user_id": "00000000-0000-4000-8000-000000000002", "status": "waiting"}
    tainted = call(tasks=task | {"tainted": True, "taint_sources": [{"source": "file a.pdf"}]})
    assert [line.plain.strip() for line in reach_lines(tainted)] == ["this task has read: file a.pdf"]
    assert reach_lines(call(tasks=task)) == []


def test_permissions_on_the_command_line() -> None:
    assert _permissions(["none"]) == []
    assert _permissions(["pay==bank", "send=*@a.example"]) == [
        {"tool": "pay", "destination": "=bank"}, {"tool": "send", "destination": "*@a.example"},
    ]  # fmt: skip
    for wrong in ("send", "send=", "=x"):
        with pytest.raises(InvalidInput, match="TOOL=DESTINATION"):
            _permissions([wrong])
