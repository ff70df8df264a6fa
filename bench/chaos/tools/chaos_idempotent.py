"""A tool of the class `idempotent`."""

from __future__ import annotations

from pydantic import BaseModel

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from bench.chaos.effects import act


class Arguments(BaseModel):
    number: int


@tool(display_name="Chaos, idempotent", category="chaos", retry_class="idempotent")
async def chaos_idempotent(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Do what is done, however often it is done."""
    return await act(arguments.number, context, "idempotent")
