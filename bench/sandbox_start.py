"""What a sandbox costs at the start of a command: `true` in it, beside `true` as a plain subprocess."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.choice import Sandbox, Unsandboxed
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.workspace import Workspace
from bench.report import Line, Report, Steps

HOW = (
    "`true`, from asking for it to its exit code and the end of its pipes, {commands} times in turn with each. Plain: "
    "asyncio's subprocess with three pipes. In a sandbox: until everything that it started is gone, too. «Added» is "
    "what a command in it takes beyond the plain one before it. Without the first, which starts the launcher."
)
COMMANDS = 50
MARK_MS = 10.0


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    commands = 3 if quick else COMMANDS
    limits = CommandLimits()
    sandboxes = [s for s in (Bubblewrap(limits), Landlock(limits)) if s.problem() is None]
    every: list[Sandbox] = [*sandboxes, Unsandboxed(limits)]
    steps.expect(commands)
    taken: dict[str, list[float]] = {"plain": [], **{sandbox.name: [] for sandbox in every}}
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder, "workspace"))

        def within(sandbox: Sandbox) -> Callable[[], Awaitable[object]]:
            return lambda: sandbox.run(["true"], workspace=workspace.root, timeout_seconds=60)

        runs = {"plain": _plain, **{sandbox.name: within(sandbox) for sandbox in every}}
        for run in runs.values():
            await run()
        for _ in range(commands):
            for name, run in runs.items():
                taken[name].append(await _milliseconds(run))
            steps.done()
    lines = [Line(name, "ms", rounds, against=() if name == "plain" else ("plain",)) for name, rounds in taken.items()]
    for sandbox in sandboxes:
        added = [mine - plain for mine, plain in zip(taken[sandbox.name], taken["plain"], strict=True)]
        lines.append(Line(f"added by {sandbox.name}", "ms", added, limit=MARK_MS))
    return Report("the start of a sandboxed command", HOW.format(commands=commands), lines)


async def _plain() -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("true", stdin=pipe, stdout=pipe, stderr=pipe)
    await process.communicate()


async def _milliseconds(run: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await run()
    return (time.perf_counter() - started) * 1000
