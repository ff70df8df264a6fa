"""The control tools: what they check, and the effect they ask for."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.toolbox import Ask, Complete, Notify, PlanAdvance, PlanSet, ToolContext
from agent_runtime.toolbox.executor import execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.workspace import Workspace


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    workspace = Workspace.create(tmp_path / "workspace")
    workspace.write_bytes("report.md", b"# Report")
    return ToolContext(uuid.uuid4(), uuid.uuid4(), workspace, Refused("not needed"), 5, 4_096)


@pytest.mark.parametrize(
    ("name", "arguments", "effect"),
    [
        ("plan_set", {"phases": [" Look ", "Write"]}, PlanSet(phases=["Look", "Write"])),
        ("plan_advance", {}, PlanAdvance()),
        ("message_notify", {"text": "half way"}, Notify(text="half way")),
        ("message_ask", {"question": "Which year?"}, Ask(question="Which year?")),
        ("task_complete", {"answer": "42"}, Complete(answer="42")),
        (
            "task_complete",
            {"answer": "42", "files": ["./report.md", "/workspace/report.md"]},
            Complete(answer="42", files=["report.md", "report.md"]),
        ),
    ],
)
async def test_a_control_tool_asks_for_its_effect(
    context: ToolContext, name: str, arguments: dict[str, Any], effect: object
) -> None:
    tool = Registry.load().get(name)
    assert tool is not None
    assert tool.control
    outcome = await execute(tool, arguments, context)
    assert (outcome.status, outcome.effect) == ("completed", effect)


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("plan_set", {"phases": []}, "at least 1 item"),
        ("plan_set", {"phases": ["a"] * 21}, "at most 20 items"),
        ("plan_set", {"phases": [" "]}, "at least 1 character"),
        ("plan_advance", {"to": 3}, "'to' is not one of its arguments"),
        ("message_notify", {"text": ""}, "at least 1 character"),
        ("message_ask", {}, "'question' is missing"),
        ("task_complete", {"answer": ""}, "at least 1 character"),
        (
            "task_complete",
            {"answer": "x", "files": ["report.md", "chart.png"]},
            "no such file in the workspace: chart.png",
        ),
        ("task_complete", {"answer": "x", "files": ["/etc/passwd"]}, "no such file"),
    ],
)
async def test_nonsense_is_refused_and_has_no_effect(
    context: ToolContext, name: str, arguments: dict[str, Any], problem: str
) -> None:
    tool = Registry.load().get(name)
    assert tool is not None
    outcome = await execute(tool, arguments, context)
    assert (outcome.status, outcome.effect) == ("failed", None)
    assert problem in outcome.content
