"""`agent-runtime doctor`: each part of the runtime, whether it is there, and what to do when it is not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent_runtime.cli import app

if TYPE_CHECKING:
    from agent_runtime.cli.doctor_parts import Part

_STYLES = {"ok": "green", "missing": "bold red", "optional": "yellow", "danger": "bold red"}


@app.command(epilog="Example: agent-runtime doctor --json")
def doctor(
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="AGENT_RUNTIME_DATA_DIR", show_default=False, help="Data folder to look at."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead of a table.")] = False,
) -> None:
    """Examine this machine: what is present, what answers, and the remedy for what does not.

    Exit code 0 when everything needed is there, 1 otherwise: what a worker needs where DATABASE_URL or SUPABASE_URL
    is set, else what `agent-runtime up` needs.
    """
    from agent_runtime.cli.doctor_parts import examine

    parts = asyncio.run(examine(data_dir))
    if as_json:
        typer.echo(json.dumps([asdict(part) for part in parts], indent=2))
    else:
        _print(parts)
    if any(part.state == "missing" for part in parts):
        raise typer.Exit(1)


def _print(parts: list[Part]) -> None:
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("Part", "State", "Version", "Detail and remedy"):
        table.add_column(heading, overflow="fold")
    for part in parts:
        style = _STYLES[part.state]
        remedy = f"[{style}]{escape(part.remedy)}[/{style}]" if part.remedy else ""
        detail = "\n".join(line for line in (escape(part.detail), remedy) if line)
        table.add_row(part.name, f"[{style}]{part.state}[/{style}]", escape(part.version), detail)
    console = Console(highlight=False)
    console.print(table)
    missing = [part.name for part in parts if part.state == "missing"]
    console.print(f"Missing: {', '.join(missing)}." if missing else "Everything needed is there.")
