"""End a session."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.terminal import calls


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session: str = Field(pattern=calls.NAME, description="The name that shell_exec opened it with.")


@tool(display_name="End a terminal", category="system", retry_class="idempotent")
async def shell_kill(arguments: Arguments, context: ToolContext) -> ToolResult:
    """End a session: its shell and everything that runs in it. The last output is shown.

    Use it for servers and programs that you need no longer; a command alone is stopped with shell_input (keys ctrl-c).
    """
    session = calls.find(context, arguments.session)
    was = session.state
    look = await session.look()
    await calls.end(context, arguments.session)
    what = f"; `{session.command}` was running" if was in ("running", "waiting") else ""
    text = f"\noutput:\n{look.text}" if look.text else ""
    data = {"session": session.name, "state": "killed", "command": session.command[:200]}
    return ToolResult(content=f"session {session.name} is ended{what}{text}", data=data)
