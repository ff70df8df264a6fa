"""Rows of type `shell`, an argument vector, and `python`, a program: both run in the sandbox and nowhere else.

`shell`   config: {"command": ["git", "log", "--max-count", "{{count}}", "--", "{{path}}"], "stdin": "{{text}}", …}
`python`  implementation_code: the program; what was given is the dict `arguments`, and stands on its input as JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent_runtime.errors import ConfigError, ToolRefused
from agent_runtime.records import ToolRow
from agent_runtime.toolbox.connect.templates import ABSENT, as_text, check_template, fill, fill_text, names_in
from agent_runtime.toolbox.definition import Run, ToolContext, ToolResult
from agent_runtime.toolbox.sandbox.processes import FLOOD_BYTES, CommandResult

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ELEMENTS_LIMIT = 1024
_STDERR_SHOWN = 2000
# The program comes by the input and not as an argument: those are for everybody on the machine to read.
_START = """
import io, json, sys
given = json.loads(sys.stdin.buffer.read())
text = json.dumps(given["arguments"])
sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
sys.argv = [given["name"]]
program = compile(given["code"], given["name"], "exec")
exec(program, {"__name__": "__main__", "arguments": json.loads(text)})
"""


class CommandConfig(BaseModel):
    """What both kinds may say of their process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: dict[str, str] = Field(default_factory=dict, description="Variables that the command finds.")
    network: bool = Field(default=False, description="Whether it may reach the public internet.")
    allow_hosts: list[str] = Field(default_factory=list, description="Private hosts that may be reached.")

    @field_validator("environment")
    @classmethod
    def _variables(cls, value: dict[str, str]) -> dict[str, str]:
        if wrong := [name for name, text in value.items() if not _VARIABLE.fullmatch(name) or "\0" in text]:
            raise ValueError(f"{wrong[0]!r} cannot be a variable of an environment")
        return value


class ShellConfig(CommandConfig):
    """The `config` of a row of type `shell`. There is no shell between it and the program."""

    command: list[str] = Field(min_length=1, max_length=256)
    stdin: str | None = None


def make_shell_run(row: ToolRow, parameters: dict[str, Any]) -> Run:
    """Raises `ConfigError` and pydantic's `ValidationError` for a row that cannot work."""
    config = ShellConfig.model_validate(row.config)
    properties = set(parameters["properties"])
    if names_in(config.command[0]) or not config.command[0]:
        raise ConfigError("the program, config.command[0], must be a plain name, without a placeholder")
    check_template(config.command, properties, "config.command")
    check_template(config.stdin, properties, "config.stdin")
    check_template(config.environment, set(), "config.environment")

    async def run(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        filled = ShellConfig.model_validate(context.config)
        stdin = None if filled.stdin is None else fill_text(filled.stdin, arguments)
        content = stdin.encode() if isinstance(stdin, str) else b""
        return _report(await _run(argv_of(filled.command, arguments), content, filled, context), row.name)

    return run


def argv_of(command: list[str], values: dict[str, Any]) -> list[str]:
    """The argument vector: each template one argument, or one for each item when it is a placeholder for an array.

    Raises `ToolRefused` for NUL, and for a value that the program would take for an option where no `--` is before it.
    """
    argv: list[str] = []
    for template in command:
        filled = fill(template, values)
        if filled is ABSENT or filled is None:
            continue
        elements = [as_text(item) for item in filled] if isinstance(filled, list) else [as_text(filled)]
        for element in elements:
            # A text of the row's own before the value, as in --name={{name}}, keeps it from being an option by itself.
            if template.startswith("{{") and element.startswith("-") and "--" not in argv:
                raise ToolRefused(f"{element[:80]!r} begins with '-', which the program would take for an option")
            if "\0" in element:
                raise ToolRefused("a value holds a NUL character, which no argument of a program can")
        argv += elements
    if len(argv) > _ELEMENTS_LIMIT:
        raise ToolRefused(f"that makes {len(argv)} arguments for the program; at most {_ELEMENTS_LIMIT} are taken")
    return argv


def make_python_run(row: ToolRow, parameters: dict[str, Any]) -> Run:  # noqa: ARG001 - the code sees them all
    """Raises what `make_shell_run` does. The code itself is read in the sandbox alone."""
    CommandConfig.model_validate(row.config)
    check_template(row.config.get("environment"), set(), "config.environment")
    code = row.implementation_code or ""

    async def run(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        filled = CommandConfig.model_validate(context.config)
        content = json.dumps({"name": row.name, "code": code, "arguments": arguments}).encode()
        return _report(await _run(["python3", "-I", "-c", _START], content, filled, context), row.name)

    return run


async def _run(argv: list[str], stdin: bytes, config: CommandConfig, context: ToolContext) -> CommandResult:
    try:
        return await context.sandbox.run(
            argv,
            workspace=context.workspace.root,
            # Its own end comes first, so that what it wrote until then is not lost.
            timeout_seconds=max(context.timeout_seconds - 2, context.timeout_seconds / 2),
            environment=config.environment,
            stdin=stdin,
            network=context.network,
        )
    except OSError as error:
        # Arguments of more than the system takes, most of all.
        raise ToolRefused(f"the command could not be started: {error.strerror}; give it less at once") from None


def _report(result: CommandResult, name: str) -> ToolResult:
    """Its output as the model reads it; where that is JSON, it is in `data.result` too."""
    data: dict[str, Any] = {"exit_code": result.exit_code, "timed_out": result.timed_out, "truncated": result.truncated}
    parts = []
    if result.timed_out:
        parts.append("limit timeout_seconds reached: it was stopped")
    elif result.flooded:
        parts.append(f"it wrote over {FLOOD_BYTES} bytes and was stopped")
    elif result.exit_code:
        parts.append(f"it failed with exit code {result.exit_code}")
    if result.stdout.strip():
        parts.append(result.stdout.rstrip())
    failed = bool(parts) and (result.timed_out or result.flooded or result.exit_code != 0)
    if failed and result.stderr.strip():
        parts.append(f"errors:\n{result.stderr.rstrip()[-_STDERR_SHOWN:]}")
    if not failed and not result.truncated:
        data |= _as_json(result.stdout)
    return ToolResult(content="\n".join(parts) or "(no output)", data=data, failed=failed, sources=[f"tool {name}"])


def _as_json(text: str) -> dict[str, Any]:
    if text.lstrip()[:1] not in ("{", "["):
        return {}
    try:
        return {"result": json.loads(text)}
    except (ValueError, RecursionError):
        return {}
