"""Ask the person something."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import Ask, ToolContext, ToolResult, tool


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str = Field(
        min_length=1, max_length=4_000, description="One question, answerable without further context."
    )


@tool(display_name="Ask", category="control", retry_class="idempotent", control=True)
async def message_ask(arguments: Arguments, _context: ToolContext) -> ToolResult:
    """Ask the person a question; the task waits until it is answered.

    Use it only when the work cannot go on without the answer and the files and tools cannot give it.
    """
    return ToolResult(content="the question was put to the person", effect=Ask(question=arguments.question))
