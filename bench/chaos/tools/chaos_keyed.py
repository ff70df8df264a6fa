"""A tool of the class `keyed`."""

from __future__ import annotations

from pydantic import BaseModel

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from bench.chaos.effects import act


class Arguments(BaseModel):
    number: int


@tool(display_name="Chaos, keyed", category="chaos", retry_class="keyed")
async def chaos_keyed(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Ask a service that applies each key once."""
    return await act(arguments.number, context, "keyed")
