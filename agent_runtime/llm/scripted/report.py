"""Writes the report on a profile: every figure comes from the profile, none from anywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

SIGNED = "*Written by agent-runtime's stand-in policy, not by a language model.*"
# What Markdown would take for markup; an underscore inside a word is none.
_MARKUP = re.compile(r"[\\`*\[\]<>|]|(?<!\w)_|_(?!\w)|~(?=~)|&(?=#?\w+;)|^#")


def report(profile: dict[str, Any], profile_name: str, chart_name: str | None) -> str:
    """The report in Markdown."""
    sections = [
        f"# Report on {plain(profile['file'])}",
        SIGNED,
        _overview(profile),
        f"## Chart\n\n![Chart of {plain(profile['file'])}]({chart_name})" if chart_name else "",
        _groups(profile),
        _trend(profile),
        _numbers(profile),
        _others(profile),
        _quality(profile),
        f"The figures were computed from the whole file and are in `{profile_name}`.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def says(profile: dict[str, Any]) -> list[str]:
    """The main findings, a sentence each."""
    found = []
    measure = profile["measure"]
    column = next((column for column in profile["columns"] if column["name"] == measure), None)
    if column:
        found.append(
            f"The total of {plain(measure)} is {figure(column['sum'])}, on average {figure(column['mean'])} per value, "
            f"from {figure(column['min'])} to {figure(column['max'])}."
        )
    what, subject = ("total", plain(measure)) if measure else ("rows", "rows")
    if profile["groups"]:
        first = profile["groups"][0]
        category = plain(profile["category"])
        found.append(f"The {category} with the most {subject} is {plain(first['value'])} ({figure(first[what])}).")
    if profile["trend"] and len(profile["trend"]["points"]) > 1:
        best = max(profile["trend"]["points"], key=lambda point: point[what])
        found.append(
            f"The {profile['trend']['period']} with the most {subject} is {best['period']} ({figure(best[what])})."
        )
    missing = sum(column["missing"] for column in profile["columns"])
    found.append(f"{figure(missing)} cells are empty." if missing else "No cell is empty.")
    return found if profile["columns"] else ["The file is empty."]


def figure(value: float | int) -> str:
    """A number for people: 1,234 or 1,234.50; small ones with four significant digits."""
    if isinstance(value, int):
        return f"{value:,}"
    # By way of its decimal digits: in binary, 9.575 lies below itself and would be rounded down.
    return f"{Decimal(repr(value)):,.2f}" if abs(value) >= 1 or value == 0 else f"{value:.4g}"


def plain(text: object) -> str:
    """Text from the file as text, whatever markup it holds."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(text).split()))


def _overview(profile: dict[str, Any]) -> str:
    separated = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}.get(profile["delimiter"])
    form = f"{profile['format']}, separated by {separated}" if separated else profile["format"]
    facts = [
        f"{figure(profile['rows'])} rows, {figure(profile['columns_total'])} columns",
        f"{figure(profile['size_bytes'])} bytes of {form}, {profile['encoding']}",
        f"Decimal mark: `{profile['decimal_mark']}`",
    ]
    return "## Overview\n\n" + "\n".join(f"- {fact}" for fact in [*facts, *says(profile)])


def _groups(profile: dict[str, Any]) -> str:
    if not profile["groups"]:
        return ""
    category, measure = plain(profile["category"]), profile["measure"]
    left_out = profile["groups_left_out"]
    note = f"\n\n{figure(left_out)} smaller groups are not listed." if left_out else ""
    if measure is None:
        return f"## Rows by {category}\n\n" + _table([category, "Rows"], profile["groups"], "value", "rows") + note
    table = _table(
        [category, "Rows", f"Total {plain(measure)}"], _totals_alike(profile["groups"]), "value", "rows", "total"
    )
    return f"## Total {plain(measure)} by {category}\n\n{table}{note}"


def _trend(profile: dict[str, Any]) -> str:
    if not profile["trend"] or len(profile["trend"]["points"]) < 2:
        return ""
    period, points, measure = profile["trend"]["period"], profile["trend"]["points"], profile["measure"]
    title = f"## {f'Total {plain(measure)}' if measure else 'Rows'} per {period}\n\n"
    if measure is None:
        return title + _table([period.capitalize(), "Rows"], points, "period", "rows")
    return title + _table(
        [period.capitalize(), "Rows", f"Total {plain(measure)}"], _totals_alike(points), "period", "rows", "total"
    )


def _numbers(profile: dict[str, Any]) -> str:
    columns = [column for column in profile["columns"] if column["kind"] == "number"]
    if not columns:
        return ""
    keys = ("min", "median", "mean", "max", "sum")
    # 5 and 7.50 in one row look like different things; 5.00 and 7.50 do not.
    columns = [column | _alike(column, keys, judged_by=("min", "max", "sum")) for column in columns]
    heads = ["Column", "Values", "Missing", "Min", "Median", "Mean", "Max", "Sum"]
    table = _table(heads, columns, "name", "present", "missing", *keys)
    sampled = [plain(column["name"]) for column in columns if not column["median_exact"]]
    note = f"\n\nThe median of {', '.join(sampled)} is that of an even sample of the values." if sampled else ""
    return f"## Numeric columns\n\n{table}{note}"


def _others(profile: dict[str, Any]) -> str:
    rows = []
    for column in profile["columns"]:
        if column["kind"] != "number":
            top = ", ".join(f"{value} ({figure(count)})" for value, count in column.get("top", ()))
            span = f"{column['min']} to {column['max']}" if column["kind"] == "date" else top
            distinct = column["distinct"] if column["distinct"] is not None else "many"
            rows.append({**column, "distinct": distinct, "holds": span})
    if not rows:
        return ""
    heads = ["Column", "Kind", "Values", "Missing", "Distinct", "Range or most frequent"]
    return "## Other columns\n\n" + _table(heads, rows, "name", "kind", "present", "missing", "distinct", "holds")


def _quality(profile: dict[str, Any]) -> str:
    notes = [plain(note) for note in profile["notes"]]
    if profile["odd_rows"]:
        notes.append(
            f"{figure(profile['odd_rows'])} rows have more or fewer cells than there are columns, or are malformed."
        )
    for column in profile["columns"]:
        if column.get("unparsed"):
            kind = "number" if column["kind"] == "number" else "date"
            notes.append(
                f"{figure(column['unparsed'])} values of {plain(column['name'])} are no {kind} and were left out."
            )
        if column["missing"]:
            share = column["missing"] / (column["missing"] + column["present"])
            notes.append(f"{plain(column['name'])}: {figure(column['missing'])} values missing ({share:.1%}).")
    untold = profile["columns_total"] - len(profile["columns"])
    if untold:
        notes.append(f"{figure(untold)} further columns are not described.")
    return "## Quality of the data\n\n" + "\n".join(f"- {note}" for note in notes or ["Nothing to note."])


def _totals_alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    fractional = any(isinstance(row["total"], float) for row in rows)
    return [row | {"total": float(row["total"])} for row in rows] if fractional else rows


def _alike(row: dict[str, Any], keys: Sequence[str], judged_by: Sequence[str]) -> dict[str, Any]:
    fractional = any(isinstance(row[key], float) for key in judged_by)
    return {key: float(row[key]) for key in keys} if fractional else {}


def _table(heads: Sequence[str], rows: Iterable[dict[str, Any]], *keys: str) -> str:
    listed = list(rows)
    numeric = [all(isinstance(row[key], int | float) for row in listed) for key in keys]
    lines = [_row(heads), _row("---:" if right else "---" for right in numeric)]
    return "\n".join([*lines, *(_row(_cell(row[key]) for key in keys) for row in listed)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    return figure(value) if isinstance(value, int | float) and not isinstance(value, bool) else plain(value)
