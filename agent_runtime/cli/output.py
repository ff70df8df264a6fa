"""What commands print: text that cannot steer the terminal, tables, and JSON for programs.

What an agent or a file's name says is hostile: a terminal escape could rewrite the screen, set the clipboard or hide
what stands there. So everything that came from outside goes through `clean`, and no console here reads markup.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from agent_runtime.person.records import OverviewRow, TaskRow

# No alternative looks past the next escape, so that hostile text cannot make this slow.
_ESCAPES = re.compile(
    r"(?:\x1b[PX^_\]]|[\x90\x98\x9d-\x9f])[^\x1b\x07\x80-\x9f]*(?:\x1b\\|\x07|\x9c)"  # title, clipboard, hyperlinks
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, erasing
    r"|\x1b[ -/]*[0-~]"
)
# Overrides of the writing direction show text in another order than it has.
_TURNS_TEXT = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

WAITS_FOR = {
    "answer": "an answer",
    "approval": "approval",
    "doubt": "a doubt to be settled",
    "children": "its subtasks",
    "schedule": "its time",
}
"""A waiting task's `wait_reason`, in words."""

STATUS_STYLES = {
    "completed": "green",
    "running": "cyan",
    "pending": "yellow",
    "waiting": "magenta",
    "awaiting_approval": "magenta",
    "paused": "yellow",
    "failed": "red",
    "denied": "red",
    "in_doubt": "red",
    "cancelled": "bright_black",
}


def make_console(*, stderr: bool = False) -> Console:
    """A console that takes text as it is; no colour when piped."""
    stream = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "reconfigure"):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        stream.reconfigure(errors="replace")
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=not stream.isatty())


def clean(text: str) -> str:
    """`text` without terminal escapes, control characters (but for newline and tab) and turned writing direction."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return "".join(character for character in text if character in "\n\t" or not _is_harmful(character))


def one_line(text: str, width: int = 200) -> str:
    """`clean`, on one line of at most `width` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


def escaped(text: str) -> str:
    """`text` with every character that is not seen as itself spelled out, as `\\u202e`.

    For what a person is about to allow: nothing of it may be left out, unlike in `clean`.
    """
    # As JSON spells it, so that JSON stays the same JSON.
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def json_lines(value: Any) -> list[str]:
    """`value` whole, as JSON on several lines, safe to show; reading it as JSON gives `value` again."""
    # A tab or a line break inside a text is escaped by JSON itself.
    return escaped(json.dumps(value, ensure_ascii=False, indent=2)).split("\n")


def print_json(value: Any) -> None:
    """One JSON value on standard output; ASCII, so that nothing in it can steer a terminal."""
    sys.stdout.write(json.dumps(_plain(value), ensure_ascii=True) + "\n")
    sys.stdout.flush()


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, empty: str) -> None:
    """A table for a terminal, tab-separated lines when piped; `empty` is said when there is no row."""
    cells = [[cell if isinstance(cell, Text) else Text(one_line(cell, 500)) for cell in row] for row in rows]
    if not cells:
        make_console(stderr=True).print(Text(empty))
    elif not console.is_terminal:
        for row in cells:
            # Not by print, which makes spaces of tabs.
            console.file.write("\t".join(cell.plain for cell in row) + "\n")
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells:
            table.add_row(*row)
        console.print(table)


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=STATUS_STYLES.get(status, ""))


def state_words(status: str, wait_reason: str | None = None, *, stopping: bool = False, pausing: bool = False) -> str:
    """A task's state and what it waits for: `waiting for approval`, `running, asked to pause`."""
    if status == "waiting" and wait_reason:
        return f"waiting for {WAITS_FOR.get(wait_reason) or one_line(wait_reason, 50)}"
    if status == "running" and (stopping or pausing):
        return f"running, asked to {'stop' if stopping else 'pause'}"
    return status


def task_state(task: TaskRow | OverviewRow) -> Text:
    """The same of a row, in its colour; of a task that is to be tried again, when."""
    words = state_words(
        task.status,
        task.wait_reason,
        stopping=task.cancel_requested_at is not None,
        pausing=task.pause_requested_at is not None,
    )
    # Only a row of a list counts them.
    if task.wait_reason == "children" and (count := getattr(task, "children_count", 0)):
        words += f", {getattr(task, 'children_completed', 0)} of {count} done"
    if waiting := getattr(task, "children_waiting", 0):
        words += f", {waiting} of them waiting for you"
    if task.status == "pending" and task.run_after:
        words += f", not before {time_text(task.run_after)}"
    return Text(words, style=STATUS_STYLES.get(task.status, ""))


def size_text(size_bytes: int) -> str:
    """`1.2 kB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    raise AssertionError("unreachable")


def duration_text(milliseconds: float | None) -> str:
    """`12 ms`, `3.4 s`, `2 min 5 s`; empty when it is not known."""
    if milliseconds is None:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 3_600:
        return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    hours = seconds // 3_600
    return f"{hours:.0f} h {seconds % 3_600 // 60:.0f} min" if hours < 48 else f"{hours // 24:.0f} days"


def time_text(moment: datetime | None) -> str:
    """In the terminal's own time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _is_harmful(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in _TURNS_TEXT


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
