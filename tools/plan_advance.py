"""Go on to the next phase of the plan."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from agent_runtime.toolbox import PlanAdvance, ToolContext, ToolResult, tool


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


@tool(display_name="Next phase", category="control", retry_class="idempotent", control=True)
async def plan_advance(_arguments: Arguments, _context: ToolContext) -> ToolResult:
    """Mark the current phase of the plan as done and go on to the next one.

    Use it as soon as a phase is finished, so that the person sees how far the work is.
    """
    return ToolResult(content="phase done", effect=PlanAdvance())
