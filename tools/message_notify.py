"""Tell the person something."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import Notify, ToolContext, ToolResult, tool


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=4_000, description="What the person should know.")


@tool(display_name="Notify", category="control", retry_class="idempotent", control=True)
async def message_notify(arguments: Arguments, _context: ToolContext) -> ToolResult:
    """Tell the person something and go on working without waiting for an answer.

    Use it for progress worth knowing and for surprises. The final answer goes into task_complete.
    """
    return ToolResult(content="the person was told", effect=Notify(text=arguments.text))
