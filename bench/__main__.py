"""`python -m bench`: runs the benchmarks that are named, or all of them, and prints a table for each."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent_runtime.errors import AgentRuntimeError, ConfigError
from agent_runtime.log import configure_logging
from bench.report import Findings, Steps, as_json, as_table, explained

NAMES = (
    "claim_settle",
    "enqueue_to_start",
    "durable_step",
    "start_up",
    "idle_worker",
    "zombie",
    "cancel_latency",
    "sandbox_start",
    "scale",
    "workspace_travel",
    "file_grep",
    "rls",
    "python_exec",
    "tools_at_once",
    "ui_size",
    "ui_timeline",
    "live_streams",
    "fetch_page",
    "browser",
    "mcp_stdio",
)

WIDTH = 150
"""Of a table in a file, in characters."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m bench claim_settle --json figures.json")
def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(NAMES)}; all when none is named.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: shows that it runs, measures nothing.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every round's figures here, too.")] = None,
) -> None:
    """Measure how fast the runtime is, against a bare psycopg loop in the same run."""
    chosen = names or list(NAMES)
    if unknown := [name for name in chosen if name not in NAMES]:
        raise ConfigError(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(NAMES)}")
    _check_writable(json_file)
    with Path(os.devnull).open("w") as nowhere:
        # At the level of a worker in production, so that what logging costs is in the figures.
        with contextlib.redirect_stderr(nowhere):
            configure_logging("json", "info")
        asyncio.run(_run(chosen, quick, json_file))


async def _run(names: list[str], quick: bool, json_file: Path | None) -> None:
    from bench.machine import describe

    console, machine = Console(), await asyncio.to_thread(describe)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(" · ".join(f"{key} {value}" for key, value in machine.items()), highlight=False)
    reports: dict[str, Findings] = {}
    for name in names:
        reports[name] = await _measure(name, quick)
        console.print()
        console.print(as_table(name, reports[name]))
        console.print(explained(reports[name]), style="dim", highlight=False)
    if quick:
        console.print("These were tiny sizes: they show that it runs, nothing else.", style="yellow")
    if json_file:
        _write(json_file, {"machine": machine, "quick": quick, "benchmarks": as_json(reports)})


async def _measure(name: str, quick: bool) -> Findings:
    module = importlib.import_module(f"bench.{name}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Redrawn seldom, because drawing takes time from what is measured.
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2) as progress:
        report: Findings = await module.measure(quick, Steps(progress, progress.add_task(name, total=None)))
    return report


def _check_writable(json_file: Path | None) -> None:
    # Before the work, not after it.
    if json_file and not os.access(json_file if json_file.exists() else json_file.absolute().parent, os.W_OK):
        raise ConfigError(f"--json {json_file} cannot be written: name a file in a folder that is there")


def _write(file: Path, content: dict[str, Any]) -> None:
    try:
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {file} cannot be written ({error.strerror}): name another file") from None


if __name__ == "__main__":
    try:
        app(prog_name="python -m bench")
    except ModuleNotFoundError as missing:
        sys.exit(f"bench: {missing.name} is not installed: pip install 'agent-runtime[local]'")
    except AgentRuntimeError as error:
        sys.stderr.write(f"bench: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
