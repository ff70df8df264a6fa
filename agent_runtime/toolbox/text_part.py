"""A part of a text by lines, that says exactly what is left and how to go on."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")
# A mark of byte order stands at the beginning of the file, not of the rest of it.
_WITHOUT_MARK = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


@dataclass(frozen=True)
class TextPart:
    """Lines `first` to `last` (from 1) of `lines`. `cut` says that the last of them goes on at `next_character`."""

    text: str
    first: int
    last: int
    lines: int
    left: int
    """Bytes of the file after this part; of a document, characters of its text."""
    next_character: int | None = None

    @property
    def is_whole(self) -> bool:
        return self.first == 1 and not self.left


def part_of(
    text: str, encoding: str | None, start_line: int, start_character: int, max_lines: int, room_bytes: int
) -> TextPart:
    """The lines from `start_line` on, as many as fit into `max_lines` and `room_bytes` (UTF-8).

    A line that does not fit alone is cut. Lines end with \\n, \\r\\n or \\r, and nothing else, as in an editor.
    """
    ends = list(_LINE_END.finditer(text))
    starts = [0, *(end.end() for end in ends)]
    if starts[-1] == len(text):
        starts.pop()
    lines = len(starts)
    if start_line > lines:
        return TextPart("", start_line, start_line - 1, lines, 0)
    shown: list[str] = []
    room, number, position = room_bytes, start_line, starts[start_line - 1]
    while number <= min(lines, start_line + max_lines - 1):
        begin = starts[number - 1] + (start_character - 1 if number == start_line else 0)
        end = ends[number - 1].start() if number <= len(ends) else len(text)
        line = text[min(begin, end) : end]
        size = len(line.encode(errors="replace")) + 1
        if size > room:
            if shown:
                break
            piece = line.encode(errors="replace")[:room].decode(errors="ignore")
            stop = min(begin, end) + len(piece)
            left = _size(text[stop:], encoding)
            return TextPart(piece, start_line, start_line, lines, left, start_character + len(piece))
        shown.append(line)
        room -= size
        position = ends[number - 1].end() if number <= len(ends) else len(text)
        number += 1
    return TextPart("\n".join(shown), start_line, number - 1, lines, _size(text[position:], encoding))


def _size(rest: str, encoding: str | None) -> int:
    return len(rest) if encoding is None else len(rest.encode(_WITHOUT_MARK.get(encoding, encoding), errors="replace"))
