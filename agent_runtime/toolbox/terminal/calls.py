"""What the tools of a terminal share: finding a session, opening one, and saying what there is to see in it."""

from __future__ import annotations

import shutil
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.definition import ToolContext, ToolResult
from agent_runtime.toolbox.sandbox.running import Running
from agent_runtime.toolbox.terminal.session import TerminalSession, open_session

SESSIONS_LIMIT = 4
NAME = r"^[a-z][a-z0-9_-]{0,31}$"
SPARE_SECONDS = 5.0
"""What a call keeps of its own time to say how things stand."""
_PREFIX = "terminal:"
_COMMAND_SHOWN = 200


def names(context: ToolContext) -> list[str]:
    """The sessions that are open in this run."""
    keys = context.sessions.keys()
    return [key.removeprefix(_PREFIX) for key in keys if key.startswith(_PREFIX)]


def find(context: ToolContext, name: str) -> TerminalSession:
    """The session of that name. Raises `ToolRefused` that says what became of it, and how to go on."""
    session = context.sessions.find(_PREFIX + name, TerminalSession)
    if session is not None:
        return session
    if gone := went(context, name):
        raise ToolRefused(f"{gone} Begin again with shell_exec and session={name!r}")
    there = ", ".join(names(context)) or "none"
    raise ToolRefused(f"there is no session {name!r}; open are: {there}. shell_exec with a session name opens one")


async def find_or_open(context: ToolContext, name: str, environment: dict[str, str]) -> tuple[TerminalSession, str]:
    """The session of that name, opened where there is none, and what the model should know about that."""
    session = context.sessions.find(_PREFIX + name, TerminalSession)
    note = ""
    if session is not None and session.state == "ended":
        await context.sessions.close(_PREFIX + name)
        note = f"The shell of session {name} had ended; this is a new one, in the workspace's top folder."
    elif session is None:
        gone = went(context, name)
        note = f"{gone} This is a new shell, in the workspace's top folder." if gone else ""
        if len(there := names(context)) >= SESSIONS_LIMIT:
            raise ToolRefused(
                f"limit sessions reached: {SESSIONS_LIMIT} are open ({', '.join(there)}); end one with shell_kill"
            )
    if shutil.which("bash") is None:
        raise ToolRefused("sessions need bash, which this machine lacks; run the command without a session")

    async def start(argv: list[str], variables: dict[str, str]) -> Running:
        return await context.sandbox.start(
            argv, workspace=context.workspace.root, environment=variables, network=context.network, pty=True
        )

    async def make() -> TerminalSession:
        return await open_session(name, start, environment)

    return await context.sessions.get(_PREFIX + name, TerminalSession, make), note


async def end(context: ToolContext, name: str) -> None:
    """End a session with everything that runs in it."""
    await context.sessions.close(_PREFIX + name)


def went(context: ToolContext, name: str) -> str:
    """What became of a session of an earlier run of this task, in a sentence; "" when none was open."""
    recorded = [
        data
        for call in context.earlier
        if call.tool_name.startswith("shell_")
        and (data := (call.output_result or {}).get("data") or {}).get("session") == name
    ]
    last: dict[str, Any] = recorded[-1] if recorded else {}
    if last.get("state") not in ("idle", "running", "waiting"):
        return ""
    what = "nothing was running in it" if last["state"] == "idle" else f"`{last.get('command', '')}` was running in it"
    return (
        f"The session {name} is gone: sessions end when their task waits, is stopped or goes to another worker; {what}."
    )


async def report(
    session: TerminalSession, *, seconds: float | None = None, note: str = "", fails: bool = False
) -> ToolResult:
    """What there is to see in the session now. With `fails`, a command that ended badly is a failed call; `seconds` is
    how long was waited."""
    look = await session.look()
    parts = [note] if note else []
    if look.state == "ended":
        parts.append(f"session {session.name}: its shell has ended with exit code {look.exit_code}")
    elif look.state == "idle":
        ended = f"exit code {look.exit_code}" if look.exit_code is not None else "nothing runs"
        parts.append(f"session {session.name}: {ended}")
    elif look.state == "waiting":
        at = f" after {look.question!r}" if look.question and not look.is_screen else ""
        parts.append(f"session {session.name}: the program seems to wait for input{at}; give it with shell_input")
    else:
        waited = f" after {seconds:g} seconds" if seconds else ""
        parts.append(
            f"session {session.name}: still running{waited}; wait for it with shell_view, stop it with shell_input "
            "(keys ctrl-c) or shell_kill"
        )
    if look.text:
        parts.append(f"{'screen' if look.is_screen else 'output'}:\n{look.text}")
    else:
        parts.append("(no new output)")
    data = {
        "session": session.name,
        "state": look.state,
        "exit_code": look.exit_code,
        "command": session.command[:_COMMAND_SHOWN],
        "screen": look.is_screen,
    }
    failed = fails and look.state in ("idle", "ended") and look.exit_code != 0
    return ToolResult(content="\n".join(parts), data=data, failed=failed)
