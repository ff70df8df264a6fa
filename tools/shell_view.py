"""See what a session's terminal shows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.terminal import calls


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session: str = Field(pattern=calls.NAME, description="The name that shell_exec opened it with.")
    wait_seconds: float = Field(
        default=0, ge=0, le=600, description="Wait so long for the command to end or to ask for input; 0 looks at once."
    )


# Not `pure`: the program may have changed files meanwhile.
@tool(display_name="View a terminal", category="system", retry_class="idempotent", timeout_seconds=610)
async def shell_view(arguments: Arguments, context: ToolContext) -> ToolResult:
    """See what a session printed since you last looked, whether its command still runs, and its exit code.

    Use wait_seconds to wait for a long command. Of a full-screen program, such as an editor, you see the whole screen.
    """
    session = calls.find(context, arguments.session)
    seconds = min(arguments.wait_seconds, max(context.timeout_seconds - calls.SPARE_SECONDS, 0))
    await session.settle(seconds)
    return await calls.report(session, seconds=seconds)
