"""The search in Python, in a process of its own: `search.py` says what is asked and answered."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.search import CACHES, LINE_LIMIT_CHARACTERS, Search, bounded
from agent_runtime.toolbox.snapshot import is_utf8
from agent_runtime.toolbox.workspace import FILE_LIMIT_BYTES, Workspace

_SNIFFED_BYTES = 8192


def search_lines(workspace: Workspace, search: Search) -> dict[str, Any]:
    """As a `Found`. Raises `ToolRefused` for a folder that is not there."""
    expression = re.compile(
        re.escape(search.pattern) if search.fixed else search.pattern, re.IGNORECASE if search.ignore_case else 0
    )
    literal = None if search.ignore_case else required_literal(search.pattern, fixed=search.fixed)
    paths, is_whole = _paths(workspace, search)
    lines: list[dict[str, Any]] = []
    matches = 0
    for path in paths:
        found = list(_in_file(workspace, path, expression, literal, search))
        if search.counts:
            lines += [{"path": path, "count": len(found)}] if found else []
            matches += bool(found)
        else:
            lines += found
            matches += sum(one["matched"] for one in found)
        if matches > search.limit:
            break
    return asdict(bounded(lines, search.limit, search.context, limited=not is_whole))


def _paths(workspace: Workspace, search: Search) -> tuple[list[str], bool]:
    if search.folder != "." and workspace.is_file(search.folder):
        return [search.folder], True
    if search.folder != ".":
        next(workspace.entries(search.folder, 1), None)  # says why, if it is not there
    caches = frozenset(() if search.with_caches else CACHES)
    snapshot = workspace.snapshot(lambda path, is_folder: is_folder and path.rpartition("/")[2] in caches)
    within = "" if search.folder == "." else f"{search.folder}/"
    paths = [path for path in snapshot.files if path.startswith(within)]
    return sorted(path for path in paths if fits(path.removeprefix(within), search.globs)), snapshot.is_whole


def fits(path: str, globs: list[str]) -> bool:
    """Whether the patterns choose the path: the last that fits decides, `!` leaves out, none chooses all."""
    chosen = not any(not pattern.startswith("!") for pattern in globs)
    for pattern in globs:
        bare = pattern.removeprefix("!")
        if any(_fits_one(path, one) for one in _spelled_out(bare)):
            chosen = bare == pattern
    return chosen


def _fits_one(path: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("./").removeprefix("/")
    if "/" not in pattern:
        return fnmatchcase(path.rpartition("/")[2], pattern)
    return fnmatchcase(path, pattern) or (pattern.startswith("**/") and fnmatchcase(path, pattern[3:]))


def _spelled_out(pattern: str) -> list[str]:
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        return [pattern]
    return [f"{pattern[: braces.start()]}{one}{pattern[braces.end() :]}" for one in braces[1].split(",")]


def _in_file(
    workspace: Workspace, path: str, expression: re.Pattern[str], literal: bytes | None, search: Search
) -> Iterator[dict[str, Any]]:
    try:
        content = workspace.read_bytes(path, FILE_LIMIT_BYTES)
    except ToolRefused:
        return
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", errors="replace").encode()
    if b"\0" in content[:_SNIFFED_BYTES] or (literal and literal not in content):
        return
    numbers = [number for number, line in _candidates(content, literal) if expression.search(line)]
    if not numbers:
        return
    rows = content.split(b"\n")
    shown = set(numbers)
    for number in numbers if search.context else ():
        shown.update(range(max(0, number - search.context), min(len(rows), number + search.context + 1)))
    last = len(rows) - 1 if not rows[-1] else len(rows)
    matched = frozenset(numbers)
    for number in sorted(shown):
        if number < last or number in matched:
            text = rows[number].decode(errors="replace").rstrip("\r")[:LINE_LIMIT_CHARACTERS]
            yield {"path": path, "line": number + 1, "text": text, "matched": number in matched}


def _candidates(content: bytes, literal: bytes | None) -> Iterator[tuple[int, str]]:
    """Lines, from 0, that can match. Finding a piece of text is a hundred times faster than trying an expression."""
    if literal is None:
        rows = content.split(b"\n")
        if not rows[-1]:
            rows.pop()
        for number, row in enumerate(rows):
            yield number, row.decode(errors="replace").removesuffix("\r")
        return
    number = counted = 0
    place = content.find(literal)
    while place >= 0:
        begin, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
        end = len(content) if end < 0 else end
        number += content.count(b"\n", counted, begin)
        counted = begin
        yield number, content[begin:end].decode(errors="replace").removesuffix("\r")
        place = content.find(literal, end)


def required_literal(pattern: str, *, fixed: bool = False) -> bytes | None:
    """A piece of text that each match holds, the longest that is plain to see; None if there is none."""
    if fixed:
        return pattern.encode()
    parser: Any = getattr(re, "_parser", None)  # not promised by Python; without it the search is only slower
    if parser is None:
        return None
    parsed = parser.parse(pattern)
    if parsed.state.flags & re.IGNORECASE:
        return None
    longest = max(_literals(parsed), key=len, default="")
    return longest.encode() if len(longest) > 1 and is_utf8(longest) else None


def _literals(parsed: Any) -> Iterator[str]:
    run = ""
    for operation, argument in parsed:
        name = str(operation)
        if name == "LITERAL":
            run += chr(argument)
            continue
        yield run
        run = ""
        if name == "SUBPATTERN" and not argument[1] and not argument[2]:
            yield from _literals(argument[3])
        elif name in ("MAX_REPEAT", "MIN_REPEAT") and argument[0] >= 1:
            yield from _literals(argument[2])
    yield run


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    root = Path(request.pop("root"))
    try:
        answer = search_lines(Workspace(root), Search(**request))
    except ToolRefused as refusal:
        answer = {"error": str(refusal)}
    sys.stdout.write(json.dumps(answer))
