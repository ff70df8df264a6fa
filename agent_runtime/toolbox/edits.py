"""Exact replacements in a text: found once, or refused with what would help to find them."""

from __future__ import annotations

import difflib
import heapq
import re
from collections import Counter
from dataclasses import dataclass

from agent_runtime.errors import ToolRefused

_SHOWN_PLACES = 5
_SHOWN_LINES = 12
_LINE_LIMIT_CHARACTERS = 200
_DIFF_LIMIT_LINES = 200
_COMPARED_LIMIT_CHARACTERS = 2_000_000
_CANDIDATES = 4
_ENOUGH_ALIKE = 0.4
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "\xa0": " "})


@dataclass(frozen=True)
class Edit:
    """Put `new` where `old` is: the one place, or all of them."""

    old: str
    new: str
    replace_all: bool = False


def apply_edits(path: str, text: str, edits: list[Edit]) -> tuple[str, int]:
    """The text after all edits, one after the other, and in how many places it changed.

    Raises `ToolRefused` for the first that does not fit, with the places or with the nearest text.
    """
    changed = 0
    for number, edit in enumerate(edits, start=1):
        name = "`old`" if len(edits) == 1 else f"`old` of edit {number}"
        nothing = "" if len(edits) == 1 else " Nothing was changed."
        old, new = _with_line_ends_of(text, edit.old), _with_line_ends_of(text, edit.new)
        count = text.count(old)
        if count == 0:
            raise ToolRefused(f"{name} is not in {path!r}{_nearest(text, old)}{nothing}")
        if count > 1 and not edit.replace_all:
            raise ToolRefused(
                f"{name} is in {path!r} {count} times, at {_places(text, old)}; include more of the text around the "
                f"one you mean, or set replace_all.{nothing}"
            )
        text = text.replace(old, new)
        changed += count
    return text, changed


def diff_of(path: str, before: str, after: str) -> str:
    """What changed, as a unified diff with two lines around, cut at `_DIFF_LIMIT_LINES`."""
    old, new = before.split("\n"), after.split("\n")
    # Comparing is slow where much is alike; what both begin and end with needs no comparing.
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    start = max(0, head - 2)
    old, new = old[start : len(old) - max(0, tail - 2)], new[start : len(new) - max(0, tail - 2)]
    if max(len(old), len(new)) > 20_000:
        return f"[{len(old)} lines became {len(new)}, from line {start + 1} on]"
    lines = list(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=2, lineterm=""))
    lines = [_moved(line, start).rstrip("\r")[:_LINE_LIMIT_CHARACTERS] for line in lines]
    if len(lines) > _DIFF_LIMIT_LINES:
        lines[_DIFF_LIMIT_LINES:] = [f"[{len(lines) - _DIFF_LIMIT_LINES} more lines of changes]"]
    return "\n".join(lines)


def _alike(one: list[str], other: list[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _moved(line: str, by: int) -> str:
    match = re.match(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@", line)
    if match is None:
        return line
    return f"@@ -{int(match[1]) + by}{match[2] or ''} +{int(match[3]) + by}{match[4] or ''} @@"


def _with_line_ends_of(text: str, piece: str) -> str:
    # Models write \n; in a file with \r\n their text would never be found.
    return piece.replace("\n", "\r\n") if "\r\n" in text and "\r\n" not in piece else piece


def _places(text: str, old: str) -> str:
    places: list[str] = []
    start = 0
    while (start := text.find(old, start)) >= 0 and len(places) < _SHOWN_PLACES:
        begin, end = text.rfind("\n", 0, start) + 1, text.find("\n", start)
        line = text[begin : end if end >= 0 else len(text)].strip()
        places.append(f"line {text.count(chr(10), 0, start) + 1} ({line[:80]!r})")
        start += len(old)
    return ", ".join(places) + (" and more" if start >= 0 else "")


def _nearest(text: str, old: str) -> str:
    """What in the text comes nearest, and how it differs."""
    advice = "; read the file again and copy the text exactly."
    if len(text) > _COMPARED_LIMIT_CHARACTERS or len(old) > _COMPARED_LIMIT_CHARACTERS // 100:
        return advice
    lines = text.replace("\r\n", "\n").split("\n")
    wanted = old.replace("\r\n", "\n").strip("\n").split("\n")
    best, likeness = _most_alike(lines, wanted)
    if best is None or likeness < _ENOUGH_ALIKE:
        return advice
    found = lines[best : best + len(wanted)]
    shown = "\n".join(
        f"{best + n}: {line[:_LINE_LIMIT_CHARACTERS]}" for n, line in enumerate(found[:_SHOWN_LINES], start=1)
    )
    more = f"\n[and {len(found) - _SHOWN_LINES} lines more]" if len(found) > _SHOWN_LINES else ""
    return f". Nearest is this, which differs {_difference(found, wanted)}:\n{shown}{more}\n"


def _most_alike(lines: list[str], wanted: list[str]) -> tuple[int | None, float]:
    """Where the window of as many lines begins that is most like `wanted`, and how much (0 to 1)."""
    marks = [" ".join(line.translate(_QUOTES).split()) for line in lines]
    goal = [" ".join(line.translate(_QUOTES).split()) for line in wanted]
    need, width = Counter(_words(goal)), len(wanted)
    # By words in common first: comparing each window by characters would take minutes.
    weights = [sum(1 for word in set(_words([mark])) if word in need) for mark in marks]
    sums = [sum(weights[:width])]
    for start in range(1, max(1, len(lines) - width + 1)):
        sums.append(sums[-1] - weights[start - 1] + weights[start + width - 1])
    best, likeness = None, 0.0
    for start in heapq.nlargest(_CANDIDATES, range(len(sums)), key=lambda n: (sums[n], -n)):
        window = "\n".join(marks[start : start + width])[:4_000]
        ratio = difflib.SequenceMatcher(None, window, "\n".join(goal)[:4_000], autojunk=False).ratio()
        if ratio > likeness:
            best, likeness = start, ratio
    return best, likeness


def _words(lines: list[str]) -> list[str]:
    return [word for line in lines for word in re.findall(r"\w+|[^\w\s]", line)]


def _difference(found: list[str], wanted: list[str]) -> str:
    if [line.split() for line in found] == [line.split() for line in wanted]:
        return "in blanks only (tabs, indentation or ends of lines)"
    if [line.translate(_QUOTES).split() for line in found] == [line.translate(_QUOTES).split() for line in wanted]:
        return "in quotation marks, dashes or kinds of blanks"
    different = [n for n, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b]
    return f"in {len(different)} of {len(wanted)} lines" if len(wanted) > 1 else "in some characters"
