"""Run a shell command in the sandbox."""

from __future__ import annotations

import re
import shutil

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.sandbox.processes import FLOOD_BYTES, CommandResult

_DEFAULT_SECONDS = 60
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELL = "bash" if shutil.which("bash") else "sh"


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    command: str = Field(min_length=1, max_length=32_768, description="The command line, as for `bash -c`.")
    timeout_seconds: int = Field(default=_DEFAULT_SECONDS, ge=1, le=600, description="Stop it after so many seconds.")


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
    workspace and /tmp are writable, /tmp is emptied after each call, the rest of the system is read-only, and there is
    no network. Nothing keeps running after the call, so do not start servers or background jobs for later. It cannot
    answer questions: pass options such as -y. Send long output to a file and read the part you need.
    """
    # The command's own limit comes first, so that what it wrote until then is not lost.
    seconds = max(min(arguments.timeout_seconds, context.timeout_seconds - 5), 1)
    result = await context.sandbox.run(
        [_SHELL, "-c", arguments.command],
        workspace=context.workspace.root,
        timeout_seconds=seconds,
        environment=_environment(context.config.get("environment")),
        network=context.network,
    )
    data = {"exit_code": result.exit_code, "timed_out": result.timed_out, "truncated": result.truncated}
    return ToolResult(content=_report(result, seconds), data=data, failed=result.exit_code != 0 or result.timed_out)


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
