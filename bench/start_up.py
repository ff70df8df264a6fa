"""How long `agent-runtime up` takes, part by part: on a new folder, and again on the same."""

from __future__ import annotations

import time
from pathlib import Path

from agent_runtime.local.first_user import sign_in_first_user
from agent_runtime.local.stack import Stack
from bench.postgres import open_folder
from bench.report import Line, Report, Steps

HOW = (
    "The parts that `agent-runtime up` prints, with the built-in model server, a worker and the first user. "
    "First: a new data folder. Second: the same folder again."
)
TOTAL = "everything"


async def measure(quick: bool, steps: Steps) -> Report:
    """Seconds."""
    rounds = 1 if quick else 3
    steps.expect(2 * rounds)
    first: dict[str, list[float]] = {}
    second: dict[str, list[float]] = {}
    for _ in range(rounds):
        async with open_folder() as folder:
            for found in (first, second):
                for part, seconds in (await _start(folder / "stack", durable=not quick)).items():
                    found.setdefault(part, []).append(seconds)
                steps.done()
    return Report("starting the embedded stack", HOW, _lines(first, second))


def _lines(first: dict[str, list[float]], second: dict[str, list[float]]) -> list[Line]:
    lines = [Line(f"first: {part}", "s", seconds) for part, seconds in first.items()]
    for part, seconds in second.items():
        comparable = len(first.get(part, ())) == len(seconds)
        lines.append(Line(f"second: {part}", "s", seconds, against=(f"first: {part}",) if comparable else ()))
    return lines


async def _start(data_dir: Path, *, durable: bool) -> dict[str, float]:
    started = time.monotonic()
    async with Stack(data_dir, look_for_ollama=False, durable=durable) as stack:
        await stack.start_worker()
        before_user = time.monotonic()
        await sign_in_first_user(
            stack.folder.first_user, supabase_url=stack.supabase_url, publishable_key=stack.publishable_key
        )
        ended = time.monotonic()
        return {**stack.timings, "first user": ended - before_user, TOTAL: ended - started}
