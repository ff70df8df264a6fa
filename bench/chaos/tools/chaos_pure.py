"""A tool of the class `pure`."""

from __future__ import annotations

from pydantic import BaseModel

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from bench.chaos.effects import act


class Arguments(BaseModel):
    number: int


@tool(display_name="Chaos, pure", category="chaos", retry_class="pure")
async def chaos_pure(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Look at something. It changes nothing, but that it looked is counted."""
    return await act(arguments.number, context, "pure")
