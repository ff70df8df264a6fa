"""What a call of a server's tool (MCP) costs over stdio, beside the SDK's own client without our walls."""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent_runtime.errors import ConfigError
from agent_runtime.records import ToolRow
from agent_runtime.toolbox.alone import run_alone
from agent_runtime.toolbox.connect.rows import make_tool
from agent_runtime.toolbox.definition import Tool
from agent_runtime.toolbox.sandbox.choice import Sandbox, choose_sandbox
from agent_runtime.toolbox.sessions import Sessions
from bench.report import Line, Report, Steps

HOW = (
    "The reference server mcp-server-time, its tool convert_time. Ours: the call as the runtime makes it (arguments "
    "checked, server in {sandbox}, listing compared, answer cleaned), without a database. Bare: the SDK's Client and "
    "its own stdio transport. The first call starts the server and greets it; the next are the median of {calls}."
)
GIVEN = {"source_timezone": "Europe/Madrid", "time": "12:00", "target_timezone": "UTC"}
COMMAND = ["-m", "mcp_server_time", "--local-timezone=Europe/Madrid"]
FIRST, NEXT = "the SDK alone, first call", "the SDK alone, next calls"

Call = Callable[[], Awaitable[Any]]


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    for name in ("mcp", "mcp_server_time"):
        if importlib.util.find_spec(name) is None:
            raise ConfigError(f"{name} is not installed: pip install 'agent-runtime[mcp]' mcp-server-time")
    rounds, calls = (1, 3) if quick else (7, 50)
    steps.expect(rounds)
    sandbox = await asyncio.to_thread(choose_sandbox, False)
    bare, ours = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(rounds):
        bare.append(await _bare(calls))
        ours.append(await _ours(sandbox, calls))
        steps.done()
    return Report(
        "a call of an MCP server over stdio",
        HOW.format(sandbox=sandbox.name, calls=calls),
        [
            Line(FIRST, "ms", [first for first, _ in bare]),
            Line("ours, first call", "ms", [first for first, _ in ours], against=(FIRST,)),
            Line(NEXT, "ms", [following for _, following in bare]),
            Line("ours, next calls", "ms", [following for _, following in ours], against=(NEXT,)),
        ],
    )


async def _bare(calls: int) -> tuple[float, float]:
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters

    started = time.perf_counter()
    async with Client(StdioServerParameters(command=sys.executable, args=COMMAND)) as client:

        async def call() -> None:
            assert not (await client.call_tool("convert_time", GIVEN)).is_error

        await call()
        return (time.perf_counter() - started) * 1000, await _next(call, calls)


async def _ours(sandbox: Sandbox, calls: int) -> tuple[float, float]:
    sessions = Sessions()
    with tempfile.TemporaryDirectory() as folder:
        row = _row("server", {"transport": "stdio", "command": ["python3", *COMMAND]}, {})

        async def outcome_of(tool: Tool, config: dict[str, Any], arguments: dict[str, Any]) -> Any:
            return await run_alone(tool, arguments, Path(folder), config=config, sandbox=sandbox, sessions=sessions)

        listed = (await outcome_of(make_tool(row), row.config, {})).data["tools"]
        taken = next(one for one in listed if one["name"] == "server_convert_time")
        # A run makes the tool of a row once.
        tool = make_tool(_row(taken["name"], taken["config"], taken["function_schema"]["function"]["parameters"]))

        async def call() -> None:
            assert (await outcome_of(tool, taken["config"], GIVEN)).status == "completed"

        try:
            # As in a run: the server is not there before the first call.
            await sessions.close_all()
            started = time.perf_counter()
            await call()
            return (time.perf_counter() - started) * 1000, await _next(call, calls)
        finally:
            await sessions.close_all()


async def _next(call: Call, calls: int) -> float:
    spent = []
    for _ in range(calls):
        started = time.perf_counter()
        await call()
        spent.append((time.perf_counter() - started) * 1000)
    return statistics.median(spent)


def _row(name: str, config: dict[str, Any], parameters: dict[str, Any]) -> ToolRow:
    schema = {"type": "object", "properties": {}, **parameters}
    return ToolRow(
        id=uuid.uuid4(),
        name=name,
        description="Measured.",
        category="measured",
        function_schema={"type": "function", "function": {"name": name, "parameters": schema}},
        implementation_type="mcp",
        retry_class="pure",
        timeout_seconds=60,
        output_limit_bytes=16_384,
        config=config,
    )
