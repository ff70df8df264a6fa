"""Give a task for each of many items away, and get a table of what came of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.delegate.result_schema import schema_problem
from agent_runtime.toolbox.delegate.table import as_result

Text = Annotated[str, Field(min_length=1, max_length=4_000, pattern=r"\S")]


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    instructions: str = Field(
        min_length=1,
        max_length=16_384,
        description="What to do with one item, whole in itself: each task sees this, its own item and nothing else.",
    )
    items: list[Text] = Field(min_length=1, max_length=200, description="The items, a task for each.")
    result_schema: dict[str, Any] | None = Field(
        default=None, description="JSON schema of an object that each task has to give; without it, an answer in words."
    )
    files: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="Files and folders of the workspace that each task gets a copy of.",
    )
    steps_each: int | None = Field(default=None, ge=1, le=1_000, description="At most so many steps for each.")
    minutes_each: int | None = Field(default=None, ge=1, le=1_440, description="At most so many minutes of work each.")
    deadline_minutes: int = Field(
        default=1_440, ge=1, le=10_080, description="What is not done after so many minutes is stopped, and is a gap."
    )


@tool(display_name="Give tasks away", category="delegate", retry_class="idempotent", output_limit_bytes=32_768)
async def spawn_tasks(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Do the same work for each of many items at once: each becomes a task of its own, with the same tools as you.

    Use it where items are independent and many, such as the same research for 25 companies; do a few yourself. You go
    on when all have ended, with a table: item, status, result; gaps are named, and retry_tasks tries those again. Each
    task knows nothing but the instructions, its item and the files that you name. The files that it hands over are put
    in children/.
    """
    if arguments.result_schema is not None and (problem := schema_problem(arguments.result_schema)):
        raise ToolRefused(f"result_schema cannot be used: {problem}")
    if context.children is None:
        raise ToolRefused("tasks cannot be given away here; do the work yourself")
    return as_result(await context.children.standing(), context)
