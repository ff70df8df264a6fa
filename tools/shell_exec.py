"""Run a shell command in the sandbox."""

from __future__ import annotations

import re
import shutil

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.sandbox.processes import FLOOD_BYTES, CommandResult
from agent_runtime.toolbox.terminal import calls

_DEFAULT_SECONDS = 60
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELL = "bash" if shutil.which("bash") else "sh"


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    command: str = Field(min_length=1, max_length=32_768, description="The command line, as for `bash -c`.")
    timeout_seconds: int = Field(
        default=_DEFAULT_SECONDS, ge=1, le=600, description="Without a session: stop it after so many seconds."
    )
    session: str = Field(
        default="",
        pattern=r"^$|" + calls.NAME,
        description="Run it in the terminal of this name, such as `server`, which stays open after the call.",
    )
    wait_seconds: float = Field(
        default=10, ge=0, le=600, description="With a session: wait so long for its end; it goes on after that."
    )


@tool(
    display_name="Run a command",
    category="system",
    security_level="dangerous",
    retry_class="unsafe",
    timeout_seconds=610,
)
async def shell_exec(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Run a shell command in the task's workspace and get its exit code, output and errors.

    Use it to compute, to convert files and to run programs and scripts (python3 is there). It runs in a sandbox: the
    workspace and /tmp are writable, the rest of the system is read-only, and there is no network. Without a session
    nothing keeps running after the call, /tmp is emptied, and it cannot answer questions: pass options such as -y. With
    a session it runs in a shell that stays: folder and variables are kept, and a command goes on after the call. Use it
    for servers, long work and programs that ask: see what they print with shell_view, answer with shell_input, end with
    shell_kill. Sessions end when the task waits or ends. Send long output to a file and read the part you need.
    """
    environment = _environment(context.config.get("environment"))
    if arguments.session:
        return await _in_session(arguments, context, environment)
    # The command's own limit comes first, so that what it wrote until then is not lost.
    seconds = max(min(arguments.timeout_seconds, context.timeout_seconds - 5), 1)
    result = await context.sandbox.run(
        [_SHELL, "-c", arguments.command],
        workspace=context.workspace.root,
        timeout_seconds=seconds,
        environment=environment,
        network=context.network,
    )
    data = {"exit_code": result.exit_code, "timed_out": result.timed_out, "truncated": result.truncated}
    return ToolResult(content=_report(result, seconds), data=data, failed=result.exit_code != 0 or result.timed_out)


async def _in_session(arguments: Arguments, context: ToolContext, environment: dict[str, str]) -> ToolResult:
    if "\0" in arguments.command:
        raise ToolRefused("the command holds a NUL; leave it out")
    session, note = await calls.find_or_open(context, arguments.session, environment)
    if session.state != "idle":
        raise ToolRefused(
            f"`{session.command[:200]}` still runs in session {session.name!r}: wait with shell_view, answer with "
            "shell_input, stop it with shell_kill, or use another session"
        )
    await session.run(arguments.command)
    seconds = min(arguments.wait_seconds, max(context.timeout_seconds - calls.SPARE_SECONDS, 0))
    await session.settle(seconds)
    return await calls.report(session, seconds=seconds, note=note, fails=True)


def _environment(configured: object) -> dict[str, str]:
    """What an administrator wants commands to find in their environment, credentials among it."""
    if configured is None:
        return {}
    if not isinstance(configured, dict) or not all(
        isinstance(value, str) and _VARIABLE.fullmatch(name) and "\0" not in value for name, value in configured.items()
    ):
        raise ToolRefused(
            "the tool's configuration is wrong: `environment` must map names of variables to texts; only an "
            "administrator can mend it"
        )
    return configured


def _report(result: CommandResult, seconds: float) -> str:
    parts = [f"exit code {result.exit_code}"]
    if result.timed_out:
        parts = [f"limit timeout_seconds reached: the command was stopped after {seconds:g} seconds"]
    elif result.flooded:
        parts = [f"the command wrote over {FLOOD_BYTES} bytes and was stopped: send its output to a file"]
    if result.stdout:
        parts.append(f"stdout:\n{result.stdout.rstrip()}")
    if result.stderr:
        parts.append(f"stderr:\n{result.stderr.rstrip()}")
    if not result.stdout and not result.stderr:
        parts.append("(no output)")
    return "\n".join(parts)
