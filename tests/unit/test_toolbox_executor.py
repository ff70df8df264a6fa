"""The executor: every way in which a call can end becomes an outcome that the model can act on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import structlog
from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import Notify, Tool, ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.executor import execute
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.workspace import Workspace

Open = Callable[..., ToolContext]


@pytest.fixture
def open_context(tmp_path: Path) -> Open:
    def make(timeout_seconds: float = 5, output_limit_bytes: int = 4_096) -> ToolContext:
        return ToolContext(
            task_id=uuid.uuid4(),
            execution_id=uuid.uuid4(),
            workspace=Workspace.create(tmp_path / "workspace"),
            sandbox=Refused("not needed"),
            timeout_seconds=timeout_seconds,
            output_limit_bytes=output_limit_bytes,
        )

    return make


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    how: Literal["well", "refused", "crash", "sleep", "fail", "inner_timeout"] = Field(description="How it ends.")
    text: str = "done"
    times: int = 1


@tool(display_name="End", category="test")
async def end(arguments: Arguments, context: ToolContext) -> ToolResult:
    """End as asked."""
    match arguments.how:
        case "refused":
            raise ToolRefused("there is no such thing; try another")
        case "crash":
            raise RuntimeError("postgresql://user:secret@host")
        case "inner_timeout":
            raise TimeoutError("of a library")
        case "sleep":
            await asyncio.Event().wait()
        case "fail":
            return ToolResult(content="first line\nsecond", failed=True, effect=Notify(text="no"))
    return ToolResult(
        content=arguments.text * arguments.times, data={"text": arguments.text}, effect=Notify(text="yes")
    )


async def test_a_call_that_goes_well_is_completed_with_its_effect(open_context: Open) -> None:
    outcome = await execute(end, {"how": "well"}, open_context())
    assert (outcome.status, outcome.content, outcome.error) == ("completed", "done", None)
    assert outcome.effect == Notify(text="yes")


async def test_a_refusal_reaches_the_model_word_for_word(open_context: Open) -> None:
    outcome = await execute(end, {"how": "refused"}, open_context())
    assert outcome.status == "failed"
    assert outcome.content == outcome.error == "there is no such thing; try another"


async def test_a_failed_result_has_no_effect_and_its_first_line_is_the_error(open_context: Open) -> None:
    outcome = await execute(end, {"how": "fail"}, open_context())
    assert (outcome.status, outcome.error, outcome.effect) == ("failed", "first line", None)


@pytest.mark.parametrize("how", ["crash", "inner_timeout"])
async def test_a_crash_shows_the_model_no_traceback_and_the_log_does(open_context: Open, how: str) -> None:
    with structlog.testing.capture_logs() as logs:
        outcome = await execute(end, {"how": how}, open_context())
    assert outcome.status == "failed"
    assert "end broke on this call" in outcome.content
    assert "secret" not in outcome.content
    assert "Traceback" not in outcome.content
    assert [entry["event"] for entry in logs] == ["tool_crashed"]


async def test_the_time_limit_is_named(open_context: Open) -> None:
    outcome = await execute(end, {"how": "sleep"}, open_context(timeout_seconds=0.05))
    assert outcome.status == "failed"
    assert "limit timeout_seconds reached: end was stopped after 0.05 seconds" in outcome.content
    assert outcome.execution_time_ms >= 50


async def test_being_cancelled_goes_on_upwards(open_context: Open) -> None:
    running = asyncio.create_task(execute(end, {"how": "sleep"}, open_context()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "'how' is missing"),
        ({"how": "badly"}, "'how': input should be 'well'"),
        ({"how": "well", "colour": "red"}, "'colour' is not one of its arguments"),
        ({"how": "well", "times": "often"}, "'times': input should be a valid integer"),
        ({"how": "well", "text": {"a": "b" * 500}}, "'text': input should be a valid string"),
    ],
)
async def test_wrong_arguments_are_named_with_what_was_expected(
    open_context: Open, arguments: dict[str, object], problem: str
) -> None:
    outcome = await execute(end, arguments, open_context())
    assert outcome.status == "failed"
    assert problem in outcome.content
    assert "Its arguments: how (string), text (string, optional), times (integer, optional)" in outcome.content
    assert len(outcome.content) < 500


async def test_control_characters_and_terminal_escapes_reach_nobody(open_context: Open) -> None:
    hostile = "a\0b\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b\r\nnext\rlast\ttab\ud800\x08"
    outcome = await execute(end, {"how": "well", "text": hostile}, open_context())
    assert outcome.content == "abred\nnext\nlast\ttab"
    assert outcome.data == {"text": "abred\nnext\nlast\ttab"}


async def test_a_long_output_keeps_head_and_tail_and_the_whole_is_in_a_file(open_context: Open) -> None:
    context = open_context(output_limit_bytes=1_000)
    outcome = await execute(end, {"how": "well", "text": "<0123456789é>", "times": 1_000}, context)
    path = f".outputs/{context.execution_id}.txt"
    assert path in outcome.content
    assert "limit output_limit_bytes reached: 14000 of 1000 bytes" in outcome.content
    assert outcome.content.startswith("<0123456789é>")
    assert outcome.content.endswith("<0123456789é>")
    assert len(outcome.content.encode()) <= 1_000
    assert context.workspace.read_bytes(path).decode() == "<0123456789é>" * 1_000


async def test_every_kind_of_tool_keeps_its_name(open_context: Open) -> None:
    assert isinstance(end, Tool)
    assert end.name == "end"
