"""Reads CSV, TSV, JSON and JSON Lines as a stream of columns; memory stays bounded whatever the size."""

# ruff: noqa: B905 - the Python of a workspace may be older than zip(strict=)

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from agent_runtime.llm.scripted.programs.values import day_of, plain_number

ROWS_PER_CHUNK = 5_000
COLUMNS_LIMIT = 200
FIELD_LIMIT = 1_000_000
LINES_PER_ROW = 500
DOCUMENT_LIMIT_BYTES = 64_000_000


def is_json(source: Path) -> bool:
    if source.suffix.lower() in {".json", ".jsonl", ".ndjson", ".geojson"}:
        return True
    if source.suffix.lower() in {".csv", ".tsv", ".tab"}:
        return False
    with source.open("rb") as file:
        return file.read(4_096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")


def encoding_of(source: Path) -> str:
    with source.open("rb") as file:
        start = file.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        with source.open(encoding="utf-8-sig") as file:
            while file.read(1_000_000):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


class CsvTable:
    """Rows of separated values. A row shorter than the header lacks cells; what a longer one has more is left out."""

    columns_left_out = 0

    def __init__(self, source: Path, quoting: int = csv.QUOTE_MINIMAL) -> None:
        csv.field_size_limit(FIELD_LIMIT)
        self.source, self.encoding, self.quoting = source, encoding_of(source), quoting
        self.notes: list[str] = []
        self.odd_rows = 0
        if self.encoding == "cp1252":
            self.notes.append("The file is not UTF-8; it was read as Windows-1252.")
        self.delimiter = self._sniff()
        first = next(self._rows(), [])
        sample = list(islice(self._rows(), 50))
        self.has_header = looks_like_header(first)
        if first and not self.has_header:
            self.notes.append("The first row looks like data, so the columns were numbered.")
        width = len(first) if self.has_header else max((len(row) for row in sample), default=0)
        self.columns_left_out = max(width - COLUMNS_LIMIT, 0)
        names = first if self.has_header else [""] * width
        self.names = unique_names(names[:COLUMNS_LIMIT])

    def facts(self) -> dict[str, Any]:
        encoding = "utf-8" if self.encoding == "utf-8-sig" else self.encoding
        return {"format": "delimited text", "delimiter": self.delimiter, "encoding": encoding}

    def chunks(self) -> Iterator[tuple[list[str], list[list[str]]]]:
        width, full = len(self.names), len(self.names) + self.columns_left_out
        rows = self._rows()
        if self.has_header:
            next(rows, None)
        yield self.names, [[] for _ in self.names]
        while chunk := list(islice(rows, ROWS_PER_CHUNK)):
            if set(map(len, chunk)) != {full}:
                self.odd_rows += sum(len(row) != full for row in chunk)
                chunk = [row + [""] * (width - len(row)) for row in chunk]
            yield self.names, [list(column) for column in islice(zip(*chunk), width)]

    def _rows(self) -> Iterator[list[str]]:
        with self.source.open(encoding=self.encoding, errors="replace", newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter, quoting=self.quoting)  # type: ignore[arg-type]
            line = 0
            for row in reader:
                if reader.line_num - line > LINES_PER_ROW:
                    raise csv.Error(f"the row at line {line + 1} has over {LINES_PER_ROW} lines")
                line = reader.line_num
                if len(row) > 1 or (row and row[0].strip()):
                    yield row

    def _sniff(self) -> str:
        """The delimiter that cuts most of the first lines into the same number of cells, more cells being better."""
        with self.source.open(encoding=self.encoding, errors="replace", newline="") as file:
            lines = [line for line in islice(iter(lambda: file.readline(FIELD_LIMIT), ""), 50) if line.strip()]
        best, best_score = ("\t" if self.source.suffix.lower() in {".tsv", ".tab"} else ","), (0.0, 0)
        for delimiter in (best, ",", ";", "\t", "|"):
            try:
                widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
            except csv.Error:
                continue
            width, agreeing = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
            score = (agreeing / sum(widths.values()), width) if width > 1 else (0.0, 0)
            if score > best_score:
                best, best_score = delimiter, score
        return best


class JsonTable:
    """Records of a JSON array, of JSON Lines, or of the longest list of objects in one JSON object."""

    def __init__(self, source: Path) -> None:
        self.source, self.encoding = source, encoding_of(source)
        self.notes: list[str] = []
        self.odd_rows = self.columns_left_out = 0
        with source.open(encoding=self.encoding, errors="replace") as file:
            start = file.read(1_000_000).lstrip()
        line = start.split("\n", 1)
        alone = _is_object(line[0]) and len(line) == 2 and line[1].lstrip()[:1] == "{"
        self.kind = "JSON array" if start[:1] == "[" else "JSON Lines" if alone else "JSON document"
        if self.kind == "JSON document" and source.stat().st_size > DOCUMENT_LIMIT_BYTES:
            raise ValueError(f"one JSON object of over {DOCUMENT_LIMIT_BYTES} bytes: neither an array nor JSON Lines")

    def facts(self) -> dict[str, Any]:
        return {"format": self.kind, "delimiter": None, "encoding": self.encoding.replace("-sig", "")}

    def chunks(self) -> Iterator[tuple[list[str], list[list[str]]]]:
        names: list[str] = []
        known: set[str] = set()
        left_out: set[str] = set()
        records = map(flat, self._records())
        while chunk := list(islice(records, ROWS_PER_CHUNK)):
            for record in chunk:
                for name in [] if record.keys() <= known else record:
                    if name not in known and len(known) < COLUMNS_LIMIT:
                        known.add(name)
                        names.append(name)
                    elif name not in known and len(left_out) < 10_000:
                        left_out.add(name)
            self.columns_left_out = len(left_out)
            yield list(names), [[record.get(name, "") for record in chunk] for name in names]

    def _records(self) -> Iterator[Any]:
        with self.source.open(encoding=self.encoding, errors="replace") as file:
            if self.kind == "JSON array":
                yield from array_items(file)
            elif self.kind == "JSON Lines":
                for line in file:
                    if line.strip():
                        try:
                            yield decoder.decode(line.strip())
                        except ValueError:
                            self.odd_rows += 1
            else:
                text = file.read().strip()
                yield from records_of(decoder.decode(text)) if text else ()


decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda _: None, strict=False)


def array_items(file: Any) -> Iterator[Any]:
    """The items of a JSON array, one after the other, without holding the whole array."""
    text, position, size, ended = file.read(1_000_000).lstrip()[1:], 0, 1_000_000, False
    while True:
        gap = re.compile(r"[\s,]*").match(text, position)
        position = gap.end() if gap else position
        if text[position : position + 1] == "]":
            return
        try:
            item, end = decoder.raw_decode(text, position)
            # A number at the end of what was read may go on in what was not.
            if end == len(text) and not ended:
                raise ValueError
        except ValueError:
            if ended:
                raise ValueError("the JSON array breaks off or is malformed") from None
            more = file.read(size)
            ended, size = not more, size * 2
            text, position = text[position:] + more, 0
            continue
        position, size = end, 1_000_000
        yield item


def records_of(document: Any) -> list[Any]:
    lists = [value for value in document.values() if isinstance(value, list)] if isinstance(document, dict) else []
    tables = [value for value in lists if value and all(isinstance(item, dict) for item in value)]
    return max(tables, key=len) if tables else [document]


def flat(record: Any, prefix: str = "", depth: int = 0) -> dict[str, str]:
    if isinstance(record, list) and not prefix:
        record = {f"column {number}": value for number, value in enumerate(record, 1)}
    if not isinstance(record, dict):
        return {prefix or "value": text_of(record)}
    cells: dict[str, str] = {}
    for key, value in record.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict) and value and depth < 3:
            cells.update(flat(value, name, depth + 1))
        else:
            cells[name] = text_of(value)
    return cells


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _is_object(text: str) -> bool:
    try:
        return isinstance(decoder.decode(text.strip()), dict)
    except (ValueError, RecursionError):
        return False


def looks_like_header(first: list[str]) -> bool:
    cells = [cell.strip() for cell in first if cell.strip()]
    values = [cell for cell in cells if plain_number(cell) is not None or day_of(cell)]
    years = len(set(values)) == len(values) and all(re.fullmatch(r"(19|20)\d\d", cell) for cell in values)
    return bool(cells) and (years or len(values) * 2 < len(cells))


def unique_names(names: list[str]) -> list[str]:
    taken: set[str] = set()
    result = []
    for number, name in enumerate(names, 1):
        base = " ".join(name.split())[:80] or f"column {number}"
        unique, count = base, 1
        while unique in taken:
            count += 1
            unique = f"{base} ({count})"
        taken.add(unique)
        result.append(unique)
    return result
