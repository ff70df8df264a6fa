"""What a terminal shows of what programs wrote to it: lines as they ended up, and the screen as it stands.

It knows what programs use of a VT100 and xterm: moving about, erasing, inserting, scrolling, the alternate screen.
Colours, titles and sounds are passed over, and questions to the terminal stay unanswered. Nothing that is fed to it
raises, and what it keeps is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from dataclasses import dataclass, field

_TOKENS = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*(?P<escape>[0-~])"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
# A sequence whose end has not come yet.
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,4096}\x1b?|[ -/]*)?\Z")
_NUMBER_LIMIT = 9_999
LINES_LIMIT = 20_000
"""Lines kept that have left the screen and were not looked at yet: the first half of them, and the last."""


@dataclass(slots=True)
class _Row:
    cells: list[str] = field(default_factory=list)
    """A character each; a wide one takes two cells, the second of which is empty."""
    joined: bool = False
    """It goes on where the row above had no more room."""

    def text(self) -> str:
        return "".join(self.cells).rstrip()


@dataclass(frozen=True)
class Saved:
    """What comes back when a full-screen program gives the screen back."""

    rows: list[_Row]
    row: int
    column: int


class Screen:
    """A terminal's screen of `columns` by `height` characters, and the lines that left it since the last look."""

    def __init__(self, columns: int, height: int) -> None:
        self._columns = columns
        self._height = height
        self._first_gone: list[_Row] = []
        self._last_gone: deque[_Row] = deque(maxlen=LINES_LIMIT // 2)
        self._gone = 0
        self._unfinished = ""
        self._scrolled = 0
        self._touched: int | None = None
        """The first line that changed since the last look, counted from the first ever."""
        self._reset()

    def _reset(self) -> None:
        self._rows = [_Row() for _ in range(self._height)]
        self._row = self._column = 0
        self._top, self._bottom = 0, self._height - 1
        self._kept = (0, 0)
        self._behind: Saved | None = None

    @property
    def is_full_screen(self) -> bool:
        """Whether a program such as an editor has taken the whole screen."""
        return self._behind is not None

    @property
    def line_before_cursor(self) -> str:
        """What stands before the cursor in its line: the question, where a program waits for an answer."""
        return "".join(self._rows[self._row].cells[: self._column])

    def look(self) -> str:
        """What was written since the last look, as it ended up: all lines from the first that changed. Of a full-screen
        program, the whole screen."""
        if self.is_full_screen:
            return _joined(self._rows)
        left_out = self._gone - len(self._first_gone) - len(self._last_gone)
        before, after = self._first_gone, [*self._last_gone, *self._rows]
        touched, skipped = self._touched, max((self._touched or 0) - (self._scrolled - self._gone), 0)
        self._first_gone, self._gone, self._touched = [], 0, None
        self._last_gone.clear()
        if touched is None:
            return ""
        if left_out and skipped < len(before):
            return f"{_joined(before[skipped:])}\n[... {left_out} lines left out ...]\n{_joined(after)}"
        return _joined([*before, *after][max(skipped - left_out, 0) :])

    def feed(self, text: str) -> None:
        """Show `text`; a sequence that is cut at its end waits for the rest."""
        text = self._unfinished + text
        cut = _UNFINISHED.search(text, max(len(text) - 4200, 0))
        self._unfinished = cut.group() if cut else ""
        for token in _TOKENS.finditer(text, 0, cut.start() if cut else len(text)):
            if (plain := token["text"]) is not None:
                self._print(plain)
            elif (control := token["control"]) is not None:
                self._obey_control(control)
            elif (final := token["final"]) is not None:
                self._obey(final, token["parameters"])
            elif (escape := token["escape"]) is not None:
                self._obey_escape(escape)

    # -- writing -----------------------------------------------------------------------------------------------------

    def _print(self, text: str) -> None:
        cells = list(text) if text.isascii() else _cells(text)
        while cells:
            if self._column >= self._columns:
                self._column = 0
                self._line_feed()
                self._rows[self._row].joined = True
            part = cells[: self._columns - self._column]
            del cells[: len(part)]
            row = self._rows[self._row].cells
            row.extend(" " * (self._column - len(row)))
            row[self._column : self._column + len(part)] = part
            self._column += len(part)
            self._touch()

    def _touch(self, row: int | None = None) -> None:
        if not self.is_full_screen:
            line = self._scrolled + (self._row if row is None else row)
            self._touched = line if self._touched is None else min(self._touched, line)

    def _obey_control(self, control: str) -> None:
        if control in "\n\v\f":
            self._line_feed()
        elif control == "\r":
            self._column = 0
        elif control == "\b":
            self._column = max(min(self._column, self._columns) - 1, 0)
        elif control == "\t":
            self._column = min(self._column // 8 * 8 + 8, self._columns - 1)

    def _obey_escape(self, escape: str) -> None:
        if escape == "7":
            self._kept = (self._row, self._column)
        elif escape == "8":
            self._move(*self._kept)
        elif escape == "D":
            self._line_feed()
        elif escape == "E":
            self._column = 0
            self._line_feed()
        elif escape == "M":
            if self._row == self._top:
                self._insert_rows(self._top, 1)
            else:
                self._move(self._row - 1, self._column)
        elif escape == "c":
            self._clear()
            self._reset()

    def _obey(self, final: str, parameters: str) -> None:
        if parameters[:1] in ("<", "=", ">"):
            return
        numbers = [min(int(part), _NUMBER_LIMIT) if part.isdigit() else 0 for part in parameters.strip("?").split(";")]
        if final in "hl":
            if parameters.startswith("?") and {47, 1047, 1049} & set(numbers):
                self._switch(final == "h")
            return
        count = numbers[0] or 1
        if final in "ABCDEFG`aedHf":
            self._obey_move(final, count, (numbers[1] if len(numbers) > 1 else 0) or 1)
        elif final in "JK":
            (self._erase_screen if final == "J" else self._erase_line)(numbers[0])
        elif final in "@PX":
            self._change_cells(final, count)
        elif final == "L" and self._top <= self._row <= self._bottom:
            self._insert_rows(self._row, count)
        elif final == "M" and self._top <= self._row <= self._bottom:
            self._remove_rows(self._row, count)
        elif final == "S":
            for _ in range(min(count, self._height)):
                self._scroll()
        elif final == "T":
            self._insert_rows(self._top, count)
        elif final == "r":
            bottom = ((numbers[1] if len(numbers) > 1 else 0) or self._height) - 1
            if count - 1 < bottom < self._height:
                self._top, self._bottom = count - 1, bottom
                self._move(0, 0)
        elif final == "s":
            self._kept = (self._row, self._column)
        elif final == "u":
            self._move(*self._kept)

    def _obey_move(self, final: str, count: int, second: int) -> None:
        row, column = self._row, min(self._column, self._columns - 1)
        if final in "AF":
            row -= count
        elif final in "BEe":
            row += count
        elif final in "Ca":
            column += count
        elif final == "D":
            column -= count
        elif final in "G`":
            column = count - 1
        elif final == "d":
            row = count - 1
        else:
            row, column = count - 1, second - 1
        self._move(row, 0 if final in "EF" else column)

    def _move(self, row: int, column: int) -> None:
        self._row = max(min(row, self._height - 1), 0)
        self._column = max(min(column, self._columns - 1), 0)

    # -- scrolling and erasing ---------------------------------------------------------------------------------------

    def _line_feed(self) -> None:
        if self._row == self._bottom:
            self._scroll()
        elif self._row < self._height - 1:
            self._row += 1

    def _scroll(self) -> None:
        row = self._rows.pop(self._top)
        self._rows.insert(self._bottom, _Row())
        if self._top == 0 and not self.is_full_screen:
            self._leave([row])
        else:
            self._touch(self._top)

    def _leave(self, rows: list[_Row]) -> None:
        for row in rows:
            (self._first_gone if len(self._first_gone) < LINES_LIMIT // 2 else self._last_gone).append(row)
        self._gone += len(rows)
        self._scrolled += len(rows)

    def _insert_rows(self, at: int, count: int) -> None:
        for _ in range(min(count, self._bottom - at + 1)):
            del self._rows[self._bottom]
            self._rows.insert(at, _Row())
        self._touch(at)

    def _remove_rows(self, at: int, count: int) -> None:
        for _ in range(min(count, self._bottom - at + 1)):
            del self._rows[at]
            self._rows.insert(self._bottom, _Row())
        self._touch(at)

    def _change_cells(self, final: str, count: int) -> None:
        row, at = self._rows[self._row].cells, self._column
        if final == "P":
            del row[at : at + count]
        elif final == "@" and at < len(row):
            row[at:at] = " " * min(count, self._columns)
            del row[self._columns :]
        elif final == "X":
            end = min(at + count, len(row))
            row[at:end] = " " * (end - at)
        self._touch()

    def _erase_line(self, which: int) -> None:
        row = self._rows[self._row].cells
        if which == 0:
            del row[self._column :]
        elif which == 1:
            end = min(self._column + 1, len(row))
            row[:end] = " " * end
        else:
            row.clear()
        self._touch()

    def _erase_screen(self, which: int) -> None:
        if which in (0, 1):
            self._erase_line(which)
            below = range(self._row + 1, self._height) if which == 0 else range(self._row)
        else:
            self._clear()
            return
        for number in below:
            if self._rows[number].cells:
                self._rows[number] = _Row()
                self._touch(number)

    def _clear(self) -> None:
        """An empty screen. What stood there stays among the lines that were not looked at."""
        if self.is_full_screen:
            self._rows = [_Row() for _ in range(self._height)]
            return
        used = max((number + 1 for number, row in enumerate(self._rows) if row.cells), default=0)
        self._leave(self._rows[:used])
        self._rows = [*self._rows[used:], *(_Row() for _ in range(used))]

    def _switch(self, to_full_screen: bool) -> None:
        if to_full_screen and self._behind is None:
            self._behind = Saved(self._rows, self._row, self._column)
            self._rows = [_Row() for _ in range(self._height)]
        elif not to_full_screen and self._behind is not None:
            self._rows, row, column = self._behind.rows, self._behind.row, self._behind.column
            self._behind = None
            self._top, self._bottom = 0, self._height - 1
            self._move(row, column)


def _cells(text: str) -> list[str]:
    cells: list[str] = []
    for character in text:
        if cells and unicodedata.category(character) in ("Cf", "Me", "Mn"):
            # Bounded, because a heap of marks on one letter is a known way to make a text unreadable.
            cells[-1] = (cells[-1] + character)[:8]
        else:
            cells.append(character)
            if unicodedata.east_asian_width(character) in "WF":
                cells.append("")
    return cells


def _joined(rows: list[_Row]) -> str:
    lines: list[str] = []
    for row in rows:
        if row.joined and lines:
            lines[-1] += row.text()
        else:
            lines.append(row.text())
    return "\n".join(lines).rstrip()
