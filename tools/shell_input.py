"""Type into a session's terminal."""

from __future__ import annotations

import signal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.terminal import calls
from agent_runtime.toolbox.terminal.keys import pressed, typed


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session: str = Field(pattern=calls.NAME, description="The name that shell_exec opened it with.")
    text: str = Field(default="", max_length=16_384, description="What to type.")
    press_enter: bool = Field(default=True, description="Press Enter after the text.")
    keys: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Keys to press after the text: enter, tab, escape, up, down, page-down, ctrl-c, ctrl-d, f1 …",
    )
    signal: Literal["", "INT", "TERM", "KILL", "HUP", "QUIT", "USR1", "USR2"] = Field(
        default="", description="Send this signal to the program instead of typing."
    )
    wait_seconds: float = Field(
        default=5, ge=0, le=600, description="Wait so long for the command to end or to ask again."
    )


@tool(
    display_name="Type into a terminal",
    category="system",
    security_level="dangerous",
    retry_class="unsafe",
    timeout_seconds=610,
)
async def shell_input(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Answer the program that runs in a session: type text, press keys, or send it a signal; then see what it printed.

    Use it for prompts, menus, interpreters and full-screen programs. When nothing runs in the session, run the next
    command with shell_exec instead. Never type a password that the person did not give you for this.
    """
    session = calls.find(context, arguments.session)
    if session.state in ("idle", "ended"):
        raise ToolRefused(
            f"nothing runs in session {arguments.session!r} that could read this; run a command with shell_exec"
        )
    content = typed(arguments.text) + (b"\r" if arguments.text and arguments.press_enter else b"")
    content += pressed(arguments.keys)
    if arguments.signal and content:
        raise ToolRefused("give either text and keys, or a signal")
    if arguments.signal:
        session.signal(signal.Signals[f"SIG{arguments.signal}"])
    elif content:
        await session.type(content)
    else:
        raise ToolRefused("there is nothing to type: give text, keys or a signal")
    seconds = min(arguments.wait_seconds, max(context.timeout_seconds - calls.SPARE_SECONDS, 0))
    await session.settle(seconds)
    return await calls.report(session, seconds=seconds)
