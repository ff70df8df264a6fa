"""End the task with its answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from agent_runtime.toolbox import Complete, ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.delegate.result_schema import result_problems


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: str = Field(min_length=1, max_length=32_768, description="The answer for the person, in Markdown.")
    files: list[str] = Field(
        default_factory=list, max_length=50, description="The files that are the result, relative to the workspace."
    )
    # Only a task with a result schema is offered it, with that schema.
    result: SkipJsonSchema[dict[str, Any] | None] = None


@tool(display_name="Complete the task", category="control", retry_class="idempotent", control=True)
async def task_complete(arguments: Arguments, context: ToolContext) -> ToolResult:
    """End the task: give the answer and name the files that the person should get.

    Use it once, when everything asked for is done and checked. The files must exist in the workspace.
    """
    if context.result_schema is None and arguments.result is not None:
        raise ToolRefused("this task has no result schema: leave result out, and say everything in answer")
    if context.result_schema and (problems := result_problems(arguments.result, context.result_schema)):
        raise ToolRefused(
            f"result does not fit its schema: {'; '.join(problems)}. Call task_complete again with one that fits"
        )
    missing = [path for path in arguments.files if not context.workspace.is_file(path)]
    if missing:
        raise ToolRefused(f"no such file in the workspace: {', '.join(missing)}. Write it first, or leave it out")
    files = [context.workspace.relative(path) for path in arguments.files]
    return ToolResult(
        content="task completed", effect=Complete(answer=arguments.answer, files=files, result=arguments.result)
    )
