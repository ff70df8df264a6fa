"""A tool of the class `unsafe`."""

from __future__ import annotations

from pydantic import BaseModel

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from bench.chaos.effects import act


class Arguments(BaseModel):
    number: int


@tool(display_name="Chaos, unsafe", category="chaos", retry_class="unsafe")
async def chaos_unsafe(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Do what must not be done twice."""
    return await act(arguments.number, context, "unsafe")
