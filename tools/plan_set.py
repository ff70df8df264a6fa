"""Set the plan of the task."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent_runtime.toolbox import PlanSet, ToolContext, ToolResult, tool

Phase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    phases: list[Phase] = Field(min_length=1, max_length=20, description="The phases in order, one short line each.")


@tool(display_name="Set the plan", category="control", retry_class="idempotent", control=True)
async def plan_set(arguments: Arguments, _context: ToolContext) -> ToolResult:
    """Set or replace the plan of the task: 1 to 20 phases. The first becomes the current one.

    Use it at the start of any task of more than one step, and again when the plan turns out wrong.
    """
    lines = [f"{number}. {phase}" for number, phase in enumerate(arguments.phases, start=1)]
    return ToolResult(content="plan set:\n" + "\n".join(lines), effect=PlanSet(phases=arguments.phases))
