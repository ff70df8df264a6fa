"""Try items of spawned tasks again that failed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.delegate.table import as_result


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    spawn: int | None = Field(
        default=None, ge=1, description="The number of the spawn, as its table says; the last one if left out."
    )
    items: list[int] | None = Field(
        default=None, max_length=200, description="The numbers of the items; all gaps if left out."
    )


@tool(display_name="Try tasks again", category="delegate", retry_class="idempotent", output_limit_bytes=32_768)
async def retry_tasks(_arguments: Arguments, context: ToolContext) -> ToolResult:
    """Try the gaps of an earlier spawn_tasks again, each in a new task, and get the whole table anew.

    Use it once for what failed by chance. What fails again the same way will go on failing: name it in your answer.
    """
    if context.children is None:
        raise ToolRefused("tasks cannot be given away here; do the work yourself")
    return as_result(await context.children.standing(), context)
