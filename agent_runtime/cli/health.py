"""`agent-runtime health`: how the runtime is, and what to do where something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import clean, duration_text, make_console, one_line, print_json, size_text
from agent_runtime.cli.tasks import Json

if TYPE_CHECKING:
    from rich.console import Console

HARMLESS = frozenset({"model_stand_in", "no_report"})
"""Worth saying, and no reason to wake anybody."""


@app.command(epilog="Example: agent-runtime health --json")
def health(as_json: Json = False) -> None:
    """Show workers, model server, queue, audit and sizes, of your tenant or (an operator) of the platform.

    For admins and operators. Exits 1 when something is wrong; each problem comes with what to do about it.
    """
    found = as_person(lambda person: person.platform.health())
    if as_json:
        print_json(found)
    else:
        _print(make_console(), found)
    if any(part["problem"] not in HARMLESS for part in _problems(found)):
        raise typer.Exit(1)


def _problems(found: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [*found["workers"], *(found[name] for name in ("model", "queue", "reap", "audit"))]
    return [part for part in parts if part.get("problem")]


def _print(console: Console, found: dict[str, Any]) -> None:
    working = sum(worker["state"] == "working" for worker in found["workers"])
    _line(console, "workers", f"{working} working, {len(found['workers']) - working} lost or stopped")
    for worker in found["workers"]:
        if worker["state"] == "stopped":
            continue
        seen = duration_text(1_000 * max(0, worker["silent_seconds"]))
        busy = f"{worker['running']}/{worker['capacity']} tasks"
        _line(console, "", f"  {worker['host']}: {busy}, {worker['transport']}, last sign {seen} ago", worker)
    model = found["model"]
    words = {True: "reachable", False: "not reachable", None: "not known"}[model["reachable"]]
    missing = f"; missing: {', '.join(model['missing'])}" if model["missing"] else ""
    _line(console, "model", f"{words}{', a stand-in' if model['stand_in'] else ''}{missing}", model)
    queue = found["queue"]
    waiting = ", ".join(f"{number} for {reason}" for reason, number in sorted(queue["waiting"].items()))
    oldest = queue["oldest_pending_seconds"]
    age = f", the oldest for {duration_text(1_000 * oldest)}" if oldest is not None else ""
    text = f"{queue['pending']} pending{age}, {queue['running']} running"
    text += f", {queue['paused']} paused, {queue['scheduled']} later"
    _line(console, "queue", text + (f"; waiting: {waiting}" if waiting else ""), queue)
    reap = found["reap"]
    when = f"{duration_text(1_000 * max(0, reap['age_seconds']))} ago" if reap["last_at"] else "never"
    _line(console, "last look for the dead", when, reap)
    head = found["audit"]["head"]
    rows = f"{head['chain_seq']} rows, the last {head['hash'][:16]}…" if head else "empty"
    _line(console, "audit", rows, found["audit"])
    sizes = found["sizes"]
    if sizes.get("files_bytes") is not None:
        _line(console, "files", size_text(sizes["files_bytes"]))
    if "database_bytes" in sizes:
        largest = sorted(sizes["tables"].items(), key=lambda item: -item[1]["bytes"])[:5]
        tables = ", ".join(f"{name} {size_text(table['bytes'])}" for name, table in largest)
        _line(console, "database", f"{size_text(sizes['database_bytes'])}: {tables}")


def _line(console: Console, label: str, text: str, part: dict[str, Any] | None = None) -> None:
    problem = (part or {}).get("problem")
    style = "" if not problem else "yellow" if problem in HARMLESS else "red"
    console.print(Text.assemble((f"{label:<24}", "bold"), (one_line(text, 500) if label else clean(text), style)))
    if part and problem:
        console.print(Text(f"{'':<24}  {problem}: {one_line(part['remedy'], 500)}", style=style))
