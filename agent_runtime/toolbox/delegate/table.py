"""What a call that spawned tasks gives back: a table with its gaps named, and the whole of it in a file."""

from __future__ import annotations

import json
from typing import Any

from agent_runtime.toolbox.definition import ToolContext, ToolResult
from agent_runtime.toolbox.delegate.children import Item, Standing

_CELL_CHARACTERS = 400
_ITEM_CHARACTERS = 80


def as_result(standing: Standing, context: ToolContext) -> ToolResult:
    """The table for the model; all rows in full are written to `results.json` in the children's folder."""
    path = f"{standing.folder}/results.json"
    rows = [_row(item, standing) for item in standing.items]
    context.workspace.write_bytes(path, json.dumps(rows, ensure_ascii=False, indent=1).encode("utf-8", "replace"))
    gaps = [item for item in standing.items if item.is_gap]
    return ToolResult(
        content=_text(standing, gaps, path),
        data={
            "spawn": standing.spawn,
            "total": len(standing.items),
            "completed": len(standing.items) - len(gaps),
            "gaps": [item.item for item in gaps],
            "results_file": path,
        },
        sources=[f"task {item.item} ({_cell(item.text, _ITEM_CHARACTERS)})" for item in standing.items if item.tainted],
    )


def _text(standing: Standing, gaps: list[Item], path: str) -> str:
    total = len(standing.items)
    lines = [f"Spawn {standing.spawn}: {total - len(gaps)} of {total} tasks completed."]
    if standing.late:
        lines.append("The deadline passed; what was not done by then was stopped.")
    lines += ["", "| # | item | status | result |", "|---|---|---|---|"]
    for item in standing.items:
        given = item.error or "" if item.is_gap else _given(item)
        cells = [str(item.item), _cell(item.text, _ITEM_CHARACTERS), item.status, _cell(given, _CELL_CHARACTERS)]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    if gaps:
        lines.append(f"Gaps, without a result: {', '.join(str(item.item) for item in gaps)}.")
        lines.append(
            f"retry_tasks with spawn {standing.spawn} tries them again, and nothing else. Or go on without them, and"
            " name them in your answer."
        )
    else:
        lines.append("No gaps.")
    if standing.note:
        lines.append(standing.note)
    if any(item.files for item in standing.items if not item.is_gap):
        lines.append(f"Their files are in {standing.folder}/, in a folder for each item: {_file_of(standing)}.")
    lines.append(f"All rows in full: {path}")
    return "\n".join(lines)


def _row(item: Item, standing: Standing) -> dict[str, Any]:
    folder = item_folder(standing, item)
    row: dict[str, Any] = {"item": item.item, "text": item.text, "status": item.status}
    if item.is_gap:
        return row | {"error": item.error}
    return row | {
        "result": item.result if item.result is not None else item.answer,
        "files": [f"{folder}/{path}" for path in item.files or []],
    }


def item_folder(standing: Standing, item: Item) -> str:
    """Where the files of an item are."""
    return f"{standing.folder}/{item.item:02}"


def _file_of(standing: Standing) -> str:
    item = next(item for item in standing.items if item.files and not item.is_gap)
    assert item.files
    return f"{item_folder(standing, item)}/{item.files[0]}"


def _given(item: Item) -> str:
    return item.answer or "" if item.result is None else json.dumps(item.result, ensure_ascii=False)


def _cell(text: str, limit: int) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
