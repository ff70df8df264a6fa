"""`python -m bench.chaos`: kills workers at every point, then in a storm, and prints what was lost or doubled."""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent_runtime.errors import AgentRuntimeError, ConfigError
from bench.chaos import tables
from bench.chaos.kill import KillReport, kill_everywhere
from bench.chaos.stage import keep, open_stage
from bench.chaos.storm import Size, StormReport, storm
from bench.machine import describe
from bench.marked_page import Marks
from bench.report import Steps

FULL = Size(tasks=500, workers=8, seconds=180.0)
QUICK = Size(tasks=20, workers=2, seconds=5.0, hurry=True)
PEOPLE = 10
PARTS = ("kill", "storm")
PAGE = Marks("chaos")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m bench.chaos storm --seconds 60 --seed 7")
def main(
    parts: Annotated[list[str] | None, typer.Argument(help="kill, storm; both when none is named.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A handful of points and a short storm.")] = False,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long the storm lasts.")] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks in the storm.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes in the storm.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the storm's dice.")] = None,
    write: Annotated[Path | None, typer.Option(help="Write the tables into this page, between its markers.")] = None,
) -> None:
    """Cut workers, connections and Postgres down, and show that no task is lost and no effect doubled."""
    chosen = parts or list(PARTS)
    if unknown := [part for part in chosen if part not in PARTS]:
        raise ConfigError(f"there is no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    if write:
        PAGE.check(write)
    usual = QUICK if quick else FULL
    size = Size(tasks or usual.tasks, workers or usual.workers, seconds or usual.seconds, usual.hurry)
    dice = secrets.randbelow(1_000_000) if seed is None else seed
    sys.exit(asyncio.run(_run(chosen, quick, size, dice, write)))


async def _run(parts: list[str], quick: bool, size: Size, seed: int, write: Path | None) -> int:
    console, machine = Console(), await asyncio.to_thread(describe)
    killed: KillReport | None = None
    stormed: StormReport | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        async with open_stage(people=PEOPLE) as stage:
            if "kill" in parts:
                steps = Steps(progress, progress.add_task("kill everywhere", total=None))
                killed = await kill_everywhere(stage, steps, quick=quick)
            if "storm" in parts:
                console.print(f"storm: {size}, seed {seed}", highlight=False)
                stormed = await storm(stage, size, seed, progress)
            failed = any(report is not None and report.failed for report in (killed, stormed))
            if failed:
                console.print(f"The logs of the workers are kept in {keep(stage)}", highlight=False)
    for table in tables.for_terminal(killed, stormed):
        console.print(table)
    for violation in tables.offending(killed, stormed):
        console.print(violation, style="red", highlight=False, soft_wrap=True)
    if write:
        blocks = [tables.as_markdown(grid) for grid in tables.grids(killed, stormed)]
        told = " · ".join(f"{key} {value}" for key, value in machine.items())
        await asyncio.to_thread(PAGE.write, write, blocks, told)
    return int(failed)


if __name__ == "__main__":
    try:
        app(prog_name="python -m bench.chaos")
    except ModuleNotFoundError as missing:
        sys.exit(f"bench.chaos: {missing.name} is not installed: pip install 'agent-runtime[local]'")
    except AgentRuntimeError as error:
        sys.stderr.write(f"bench.chaos: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
