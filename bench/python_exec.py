"""What a call of `python_exec` costs once its interpreter is open, beside what else could run the same line."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import choose_sandbox
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.workspace import Workspace
from bench.queue import NotComparable
from bench.report import Line, Report, Steps

HOW = (
    "The same line of Python, `sum(range(1000))`, run {rounds} times in turn: by python_exec in an interpreter that is "
    "open, by python_exec in a new one (its first call), by shell_exec as `python3 -c`, and by `python3 -c` without a "
    "sandbox. From the call to its outcome; sandbox: {sandbox}."
)
CODE = "sum(range(1000))"
BARE, SHELL = "python3 -c, no sandbox", "shell_exec: python3 -c"


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    rounds = 2 if quick else 50
    steps.expect(rounds)
    sandbox = await asyncio.to_thread(choose_sandbox, False)
    tools = {name: tool for name in ("python_exec", "shell_exec") if (tool := Registry.load().get(name))}
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "workspace")
        open_one = Sessions()

        async def call(tool: str, sessions: Sessions, **arguments: object) -> None:
            context = ToolContext(uuid4(), uuid4(), workspace, sandbox, 60, 16_384, sessions=sessions)
            outcome = await execute(tools[tool], arguments, context)
            if "499500" not in outcome.content:
                raise NotComparable(f"{tool} answered: {outcome.content}")

        async def first() -> None:
            sessions = Sessions()
            try:
                await call("python_exec", sessions, code=CODE)
            finally:
                closing.append(sessions)

        closing: list[Sessions] = []
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "python_exec, open": lambda: call("python_exec", open_one, code=CODE),
            "python_exec, first call": first,
            SHELL: lambda: call("shell_exec", open_one, command=f"python3 -c 'print({CODE})'"),
            BARE: _bare,
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        try:
            await call("python_exec", open_one, code=CODE)
            for _ in range(rounds):
                for name, way in ways.items():
                    started = time.perf_counter()
                    await way()
                    found[name].append((time.perf_counter() - started) * 1000)
                    while closing:
                        await closing.pop().close_all()
                steps.done()
        finally:
            await open_one.close_all()
    lines = [Line(name, "ms", times, against=() if name == BARE else (BARE,)) for name, times in found.items()]
    return Report("a call of Python", HOW.format(rounds=rounds, sandbox=sandbox.name), lines)


async def _bare() -> None:
    process = await asyncio.create_subprocess_exec("python3", "-c", f"print({CODE})", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if output.strip() != b"499500":
        raise NotComparable(f"python3 -c answered: {output!r}")
