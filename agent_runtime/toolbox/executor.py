"""Runs one tool call and turns whatever happens into an outcome that can be recorded and shown to the model."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent_runtime.errors import ChildrenOpen, DatabaseUnavailable, LeaseLost, ToolRefused
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.connect.schema import check_values
from agent_runtime.toolbox.definition import Effect, Tool, ToolContext, ToolResult
from agent_runtime.toolbox.output import clean, clean_data, fit, legible
from agent_runtime.toolbox.pictures import prepare_pictures
from agent_runtime.vault.scrub import Scrubber

log = structlog.get_logger(__name__)

# As the database keeps them with the task.
_SOURCES = 50
_SOURCE_CHARACTERS = 300


@dataclass(frozen=True)
class Outcome:
    """How a call ended. `content` is the tool message for the model; `error` is one line, set when it failed."""

    status: Literal["completed", "failed"]
    content: str
    data: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    execution_time_ms: int = 0
    effect: Effect | None = None
    sources: list[str] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    """The pictures that go with `content`, as `prepare_pictures` gives them."""


async def execute(
    tool: Tool, arguments: dict[str, Any], context: ToolContext, scrubber: Scrubber | None = None
) -> Outcome:
    """Check the arguments, run the tool within `context.timeout_seconds`, keep what `scrubber` knows out of its output,
    and the output within `context.output_limit_bytes`.

    Never raises for what a tool does; a failure is an outcome. Being cancelled stops the tool and goes on upwards, and
    so do `LeaseLost`, `DatabaseUnavailable` and `ChildrenOpen`, which end the run.
    """
    started = time.monotonic()
    try:
        result = await _run(tool, arguments, context)
    except ToolRefused as refusal:
        result = ToolResult(content=str(refusal), failed=True)
    except (LeaseLost, DatabaseUnavailable, ChildrenOpen):
        # Of the run, not of the call.
        raise
    except Exception as error:
        log.exception("tool_crashed", tool=tool.name, execution_id=str(context.execution_id))
        text = f"{tool.name} broke on this call ({type(error).__name__}); repeating it will not help, try another way"
        result = ToolResult(content=text, failed=True)
    images, lines = await prepare_pictures(result.images, context)
    if lines:
        result = result.model_copy(update={"content": "\n".join([result.content, *lines])})
    scrubber = Scrubber() if scrubber is None else scrubber
    # Before it is cut: a half of a secret is not found, and the whole text may go to a file.
    content = scrubber.text(clean(legible(result.content)))
    return Outcome(
        status="failed" if result.failed else "completed",
        content=fit(content, context),
        data=scrubber.data(clean_data(result.data)),
        error=_first_line(content) if result.failed else None,
        execution_time_ms=round((time.monotonic() - started) * 1000),
        effect=None if result.failed else result.effect,
        sources=[scrubber.text(clean(source))[:_SOURCE_CHARACTERS] for source in result.sources[:_SOURCES]],
        images=images,
    )


async def _run(tool: Tool, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
    checked = check_arguments(tool, arguments)
    limit = asyncio.timeout(context.timeout_seconds)
    try:
        async with limit:
            return await tool.run(checked, context)
    except TimeoutError:
        if not limit.expired():
            raise
        raise ToolRefused(
            f"limit timeout_seconds reached: {tool.name} was stopped after {context.timeout_seconds:g} seconds; "
            "ask for less at once"
        ) from None


def check_arguments(tool: Tool, arguments: dict[str, Any]) -> BaseModel | dict[str, Any]:
    """The arguments as the tool's model, or as they are where a row gives their schema.

    Raises `ToolRefused` naming each field that is wrong and what was expected.
    """
    if tool.parameters is not None:
        return check_values(tool.name, tool.parameters, arguments)
    unknown = sorted(set(arguments) - _accepted(tool))
    problems = [f"{name!r} is not one of its arguments" for name in unknown]
    try:
        checked = tool.arguments.model_validate({key: arguments[key] for key in arguments if key not in unknown})
    except ValidationError as error:
        problems += [_explain(problem) for problem in error.errors(include_url=False)]
    if problems:
        expected = ", ".join(_signature(tool)) or "none"
        raise ToolRefused(f"wrong arguments for {tool.name}: {'; '.join(problems)}. Its arguments: {expected}")
    return checked


def _accepted(tool: Tool) -> set[str]:
    return {field.alias or name for name, field in tool.arguments.model_fields.items()}


def _explain(problem: ErrorDetails) -> str:
    field = ".".join(map(str, problem["loc"])) or "the arguments"
    if problem["type"] == "missing":
        return f"{field!r} is missing"
    given = repr(problem["input"])
    given = given if len(given) <= 80 else f"{given[:77]}..."
    message = problem["msg"].removeprefix("Value error, ")
    return f"{field!r}: {message[:1].lower()}{message[1:]}, not {given}"


def _signature(tool: Tool) -> list[str]:
    schema = tool.function_schema["function"]["parameters"]
    required = schema.get("required", [])
    return [
        f"{name} ({_type(details)}{'' if name in required else ', optional'})"
        for name, details in schema["properties"].items()
    ]


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"] if option.get("type") != "null")
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "value"))


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "the tool reported a failure")[:500]
