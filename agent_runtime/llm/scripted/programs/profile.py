"""Profile a CSV, TSV, JSON or JSON Lines file: python3 profile.py FILE [OUTPUT.json] [LIMIT_BYTES]

Reads the file as a stream: once for the columns, once for the totals by group and by time. Memory stays bounded
whatever the size. Only the standard library is used. Written by agent-runtime's stand-in policy.
"""

# ruff: noqa: B905 - the Python of a workspace may be older than zip(strict=)

from __future__ import annotations

import csv
import json
import math
import re
import statistics
import sys
from array import array
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path
from typing import Any

from agent_runtime.llm.scripted.programs.table import ROWS_PER_CHUNK, CsvTable, JsonTable, is_json
from agent_runtime.llm.scripted.programs.values import Style, days_of, is_missing, numbers_of, style_of

DISTINCT_LIMIT = 10_000
LONG_TEXT = 200
MEDIAN_SAMPLE = 50_000
MEASURES = "revenue sales amount total turnover umsatz betrag importe ventas value price cost quantity units count"
IDENTIFIER = re.compile(
    r"(^|[_\W])(id|ids|no|nr|number|zip|plz|code|index|phone|year|month|day|lat|lon)($|[_\W])", re.I
)


def main(arguments: list[str]) -> int:
    source = Path(arguments[0])
    target = Path(arguments[1] if len(arguments) > 1 else "profile.json")
    limit_bytes = int(arguments[2]) if len(arguments) > 2 else 12_000
    try:
        profile = profile_file(source)
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        print(f"profile: cannot profile {source.name}: {error}")
        return 1
    target.write_text(bounded_json(profile, limit_bytes), encoding="utf-8", errors="replace")
    print(f"profile: wrote {target.name} ({profile['rows']} rows, {profile['columns_total']} columns)")
    return 0


def profile_file(source: Path) -> dict[str, Any]:
    if is_json(source):
        return profile_table(source, JsonTable(source))
    try:
        return profile_table(source, CsvTable(source))
    except csv.Error:
        table = CsvTable(source, csv.QUOTE_NONE)
        table.notes.append("A quotation mark is never closed: quotation marks were read as plain characters.")
        return profile_table(source, table)


def profile_table(source: Path, table: CsvTable | JsonTable) -> dict[str, Any]:
    first_cells = (cell for _, cells in islice(table.chunks(), 2) for column in cells for cell in column[:2_000])
    style = style_of(first_cells, semicolons=table.facts()["delimiter"] == ";")
    table.odd_rows = 0
    columns: list[Column] = []
    rows = 0
    for names, cells in table.chunks():
        columns += [Column(name, missing=rows) for name in names[len(columns) :]]
        size = len(cells[0]) if cells else 0
        for column, values in zip(columns, cells):
            column.add(values, style)
        rows += size
    odd_rows = table.odd_rows
    measure, category, day = choose(columns, rows)
    groups, trend = totals(table, style, measure, category, day)
    return {
        "file": source.name,
        "size_bytes": source.stat().st_size,
        **table.facts(),
        "decimal_mark": "," if style.decimal_comma else ".",
        "rows": rows,
        "odd_rows": odd_rows,
        "columns_total": len(columns) + table.columns_left_out,
        "notes": table.notes + ([style.note] if style.note else []),
        "measure": columns[measure].name if measure is not None else None,
        "category": columns[category].name if category is not None else None,
        "date": columns[day].name if day is not None else None,
        "groups": groups,
        "trend": trend,
        "histogram": columns[measure].histogram() if measure is not None and not (groups or trend) else [],
        "columns": [column.summary() for column in columns],
    }


class Column:
    """What is known about a column so far."""

    def __init__(self, name: str, missing: int) -> None:
        self.name, self.missing, self.present = name, missing, 0
        self.numbers = self.days = 0
        self.total = self.low = self.high = 0.0
        self.first_day = self.last_day = ""
        self.counts: Counter[str] | None = Counter()
        self.sample, self.stride, self.phase = array("d"), 1, 0

    def add(self, cells: list[str], style: Style) -> None:
        texts = [cell for cell in map(str.strip, cells) if not is_missing(cell)]
        self.missing += len(cells) - len(texts)
        # A column that has shown itself to be neither stays text; asking each cell again would take most of the time.
        undecided = self.present < ROWS_PER_CHUNK
        if texts and (undecided or self.numbers * 2 > self.present):
            self._add_numbers([number for number in numbers_of(texts, style) if number is not None])
        if texts and (undecided or self.days * 2 > self.present):
            self._add_days([day for day in days_of(texts, style) if day])
        self.present += len(texts)
        if self.counts is not None:
            self.counts.update(texts)
            if len(self.counts) > DISTINCT_LIMIT or max(map(len, texts), default=0) > LONG_TEXT:
                self.counts = None

    def _add_numbers(self, values: list[float]) -> None:
        if not values:
            return
        self.low = min(values) if not self.numbers else min(self.low, min(values))
        self.high = max(values) if not self.numbers else max(self.high, max(values))
        self.total = math.fsum([self.total, *values])
        self.numbers += len(values)
        # Every stride-th value: exact until the sample is full, evenly spread after that.
        self.sample.extend(values[self.phase :: self.stride])
        self.phase = (self.phase - len(values)) % self.stride
        while len(self.sample) > MEDIAN_SAMPLE:
            self.sample, self.stride = self.sample[::2], self.stride * 2
            self.phase = (len(self.sample) * self.stride - self.numbers) % self.stride

    def _add_days(self, days: list[str]) -> None:
        if days:
            self.first_day = min(days) if not self.days else min(self.first_day, min(days))
            self.last_day = max(days) if not self.days else max(self.last_day, max(days))
            self.days += len(days)

    @property
    def kind(self) -> str:
        if not self.present:
            return "empty"
        if self.numbers >= 0.9 * self.present:
            return "number"
        if self.days >= 0.9 * self.present:
            return "date"
        repeated = self.counts is not None and (len(self.counts) <= 12 or len(self.counts) * 2 <= self.present)
        return "category" if repeated else "text"

    def histogram(self) -> list[dict[str, Any]]:
        """How the values spread over ten ranges of equal width; of a sample where there are many."""
        width = (self.high - self.low) / 10 or 1.0
        places = Counter(min(int((value - self.low) / width), 9) for value in self.sample)
        edges = [self.low + width * place for place in range(11)]
        return [
            {"from": tidy(edges[place]), "to": tidy(edges[place + 1]), "values": places[place]}
            for place in range(10 if self.high > self.low else 1)
        ]

    def summary(self) -> dict[str, Any]:
        kind = self.kind
        told: dict[str, Any] = {"name": self.name[:80], "kind": kind, "present": self.present, "missing": self.missing}
        told["distinct"] = len(self.counts) if self.counts is not None else None
        if kind == "number":
            told.update(
                unparsed=self.present - self.numbers,
                min=tidy(self.low),
                max=tidy(self.high),
                mean=tidy(self.total / self.numbers),
                median=tidy(statistics.median(self.sample)),
                median_exact=self.stride == 1,
                sum=tidy(self.total),
            )
        elif kind == "date":
            told.update(unparsed=self.present - self.days, min=self.first_day, max=self.last_day)
        elif kind == "category" and self.counts is not None:
            top = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:3]
            told["top"] = [[value[:40], count] for value, count in top]
        return told


def choose(columns: list[Column], rows: int) -> tuple[int | None, int | None, int | None]:
    """The main numeric column, the column to group by, and the column of dates."""
    numbers = [i for i, column in enumerate(columns) if column.kind == "number"]
    measures = [i for i in numbers if not IDENTIFIER.search(columns[i].name)]
    hints = MEASURES.split()

    def rank(index: int) -> tuple[int, int]:
        name = columns[index].name.lower()
        return next((place for place, hint in enumerate(hints) if hint in name), len(hints)), -index

    groups = [i for i, column in enumerate(columns) if column.kind == "category" and groupable(column, rows)]
    days = [i for i, column in enumerate(columns) if column.kind == "date"]
    category = min(groups, key=lambda i: (not 3 <= len(columns[i].counts or ()) <= 12, i), default=None)
    return min(measures, key=rank, default=None), category, days[0] if days else None


def groupable(column: Column, rows: int) -> bool:
    return column.counts is not None and 2 <= len(column.counts) <= 50 and column.missing * 2 <= rows


def totals(
    table: CsvTable | JsonTable, style: Style, measure: int | None, category: int | None, day: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Totals of the measure (or the number of rows, where there is none) by group, and by time."""
    if category is None and day is None:
        return [], None
    groups: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    days: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    for _, cells in table.chunks():
        width = len(cells)
        size = len(cells[0]) if cells else 0
        values = cells[measure] if measure is not None and measure < width else [""] * size
        amounts = numbers_of(values, style)
        if category is not None and category < width:
            add_up(groups, [cell.strip() for cell in cells[category]], amounts)
        if day is not None and day < width:
            add_up(days, [found or "" for found in days_of(cells[day], style)], amounts)
    ranked = sorted(groups.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
    listed = [{"value": key[:40], "rows": int(n), "total": tidy(total)} for key, (n, total) in ranked]
    return listed, trend_of(days) if days else None


def add_up(sums: dict[str, list[float]], keys: list[str], amounts: list[float | None]) -> None:
    parts: dict[str, list[float]] = defaultdict(list)
    for key, amount in zip(keys, amounts):
        if not is_missing(key):
            sums[key][0] += 1
            if amount is not None:
                parts[key].append(amount)
    for key, values in parts.items():
        sums[key][1] = math.fsum([sums[key][1], *values])


def trend_of(days: dict[str, list[float]]) -> dict[str, Any]:
    """The shortest of day, month and year that gives at most 36 points; else the last 36 years."""
    lengths = {"day": 10, "month": 7, "year": 4}
    period = next((name for name, length in lengths.items() if len({day[:length] for day in days}) <= 36), "year")
    rows: Counter[str] = Counter()
    parts: dict[str, list[float]] = defaultdict(list)
    for day, (count, total) in days.items():
        rows[day[: lengths[period]]] += int(count)
        parts[day[: lengths[period]]].append(total)
    listed = [{"period": key, "rows": rows[key], "total": tidy(math.fsum(parts[key]))} for key in sorted(rows)]
    return {"period": period, "points": listed[-36:]}


def tidy(value: float) -> float | int:
    """Without the digits that binary fractions add."""
    rounded = float(f"{value:.12g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def bounded_json(profile: dict[str, Any], limit_bytes: int) -> str:
    """One line per column and group; the last columns and groups are left out when it grows over the limit."""
    profile = {**profile, "columns": list(profile["columns"]), "groups": list(profile["groups"])}
    profile["groups_left_out"], profile["groups"] = max(len(profile["groups"]) - 12, 0), profile["groups"][:12]
    while len((text := lines_of(profile)).encode("utf-8", "replace")) > limit_bytes and len(profile["columns"]) > 1:
        profile["columns"].pop()
    return text


def lines_of(profile: dict[str, Any]) -> str:
    parts = []
    for key, value in profile.items():
        rendered = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rendered = "[\n" + ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in value) + "\n ]"
        parts.append(f" {json.dumps(key)}: {rendered}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
