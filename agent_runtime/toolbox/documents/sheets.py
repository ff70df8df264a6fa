"""Cells of workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods): each sheet as a table, columns by letter and rows by number."""

from __future__ import annotations

import datetime
import io
from typing import Any

from agent_runtime.toolbox.documents.parts import WrongPart
from agent_runtime.toolbox.documents.tables import markdown_table

_CELLS_LIMIT = 500_000
"""Of one sheet, the empty ones between others among them."""


def sheets_text(content: bytes, part: str | None) -> str:
    """All sheets, or the one that `part` names. Formulas are shown by the value they had when the file was saved.

    Raises `WrongPart`, and what python-calamine raises for what is no workbook.
    """
    from python_calamine import CalamineWorkbook

    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    names = workbook.sheet_names
    wanted = names if part is None else [_named(part, names)]
    return "\n\n".join(_sheet(workbook, name, names.index(name) + 1, len(names)) for name in wanted)


def _named(part: str, names: list[str]) -> str:
    fold = part.strip().casefold()
    for name in names:
        if name.strip().casefold() == fold:
            return name
    if part.strip().isdigit() and 1 <= int(part) <= len(names):
        return names[int(part) - 1]
    raise WrongPart(f"there is no sheet {part[:60]!r}; its sheets: {', '.join(repr(name) for name in names[:50])}")


def _sheet(workbook: Any, name: str, number: int, count: int) -> str:
    sheet = workbook.get_sheet_by_name(name)
    head = f"--- sheet {name!r} ({number} of {count}"
    if sheet.end is None:
        return f"{head}, empty) ---"
    height, width = sheet.end[0] + 1, sheet.end[1] + 1
    rows = min(height, max(_CELLS_LIMIT // width, 1))
    table = sheet.to_python(skip_empty_area=False, nrows=rows)
    lines = [f"{head}, {height} rows, {width} columns) ---"]
    lines += markdown_table(
        [["", *(_letters(n) for n in range(width))], *([str(n), *map(_shown, row)] for n, row in enumerate(table, 1))]
    )
    if rows < height:
        lines.append(f"[limit of {_CELLS_LIMIT} cells reached: rows {rows + 1} to {height} are not shown]")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value)


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
