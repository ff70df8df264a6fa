"""Tables as Markdown: what a model reads best, and a person too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose first row is its head. Rows may differ in length; a cell becomes one line."""
    table = [[_cell(text) for text in row] for row in rows]
    width = max((len(row) for row in table), default=0)
    if not width:
        return []
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in table]
    return [lines[0], f"|{' --- |' * width}", *lines[1:]]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
