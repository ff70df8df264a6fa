"""What commands print of what an agent wrote: nothing in it may steer the terminal, whatever it is."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agent_runtime.cli.decide import argument_lines
from agent_runtime.cli.files import local_path
from agent_runtime.cli.output import (
    clean,
    duration_text,
    json_lines,
    one_line,
    print_json,
    print_table,
    size_text,
    state_words,
)
from agent_runtime.cli.watch_lines import arguments_text, call_line
from agent_runtime.person.timeline import Call

HOSTILE = [
    "\x1b[2J\x1b[Hcleared",
    "\x1b]0;a title\x07",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mred",
    "\x9d0;title\x9c",
    "\x1bP+q544e\x1b\\",
    "\x1b",
    "\x1b]0;never ends",
    "back\x08\x08space",
    "over\rwritten",
    "\u202egnp.exe",
    "bell\x07 null\x00 delete\x7f",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_escape_or_control_character_is_left(text: str) -> None:
    assert all(character.isprintable() for character in clean(text))


@given(st.text())
def test_whatever_comes_in_nothing_that_steers_a_terminal_comes_out(text: str) -> None:
    left = clean(text)
    assert not any(ord(one) < 32 and one not in "\n\t" for one in left)
    assert not any(127 <= ord(one) < 160 for one in left)
    assert clean(left) == left


def test_ordinary_text_is_left_as_it_is() -> None:
    text = "Größe: 5 µm\n\t– 日本語 👩‍💻 [bold]not markup[/bold] :smile:"
    assert clean(text) == text


def test_a_hyperlink_keeps_its_words_and_loses_where_it_leads() -> None:
    assert clean("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\") == "click"


def test_text_after_an_escape_that_never_ends_is_not_hidden() -> None:
    assert "never ends" in clean("\x1b]0;never ends")


@pytest.mark.parametrize("piece", ["\x1b]", "\x9d", "\x1b[", "\x1b]0;x", "\x9b0;"])
def test_hostile_text_cannot_make_cleaning_slow(piece: str) -> None:
    started = time.monotonic()
    clean(piece * (262_144 // len(piece)))
    assert time.monotonic() - started < 60


def test_one_line_is_one_line_and_says_that_it_was_cut() -> None:
    assert one_line("a\nb\u2028c\r\n d") == "a b c d"
    assert one_line("x" * 50, 10) == "xxxxxxxxx…"


def test_arguments_are_shortened_each_and_together() -> None:
    text = arguments_text({"path": "a.txt", "content": "x" * 1_000_000, "lines": [1, 2], "name\x1b[2J": "\x1b[2J"})
    assert text.startswith('path="a.txt" content="xxx')
    assert len(text) <= 120
    assert "\x1b" not in text


def test_what_is_to_be_allowed_is_shown_whole_and_nothing_in_it_can_hide() -> None:
    arguments = {"a": "\u202erm\u200b \x1b[2J\x7f\U000e0041", "b": ["\u2028", "ü 日本 😀"], "c\ud800": 1}
    lines = json_lines(arguments)
    assert json.loads("\n".join(lines)) == arguments
    assert "ü 日本 😀" in "\n".join(lines)
    assert all(line.isprintable() for line in lines)


@given(st.dictionaries(st.text(), st.text()))
def test_whatever_is_to_be_allowed_reads_back_as_it_is(arguments: dict[str, str]) -> None:
    lines = json_lines(arguments)
    assert json.loads("\n".join(lines)) == arguments
    assert all(line.isprintable() for line in lines)


def test_what_was_edited_is_a_diff_and_what_is_too_long_says_so() -> None:
    changed = argument_lines({"command": "rm -rf /", "seconds": 9}, {"command": "ls", "seconds": 9})
    assert [line.plain for line in changed] == [
        "  {",
        '-   "command": "rm -rf /",',
        '+   "command": "ls",',
        '    "seconds": 9',
        "  }",
    ]
    assert [line.plain for line in argument_lines({"a": 1}, {"a": 1})] == ["  {", '    "a": 1', "  }"]
    (_, long, _) = argument_lines({"a": "x" * 10_000})
    assert long.plain.endswith("… 6,011 more characters: `tasks show --json` has them")
    started = time.monotonic()
    before, after = {"content": "ab" * 100_000, "rows": [*range(5_000)]}, {"content": "ba" * 100_000, "rows": []}
    assert len(argument_lines(before, after)) == 201
    assert time.monotonic() - started < 60
    many = argument_lines({"a": list(range(1_000))})
    assert many[-1].plain == "… 804 more lines: `tasks show --json` has them"
    assert len(many) == 201


@pytest.mark.parametrize(
    ("status", "more", "words"),
    [
        ("waiting", {"wait_reason": "approval"}, "waiting for approval"),
        ("waiting", {"wait_reason": "answer"}, "waiting for an answer"),
        ("waiting", {"wait_reason": "doubt"}, "waiting for a doubt to be settled"),
        ("running", {}, "running"),
        ("running", {"pausing": True}, "running, asked to pause"),
        ("running", {"pausing": True, "stopping": True}, "running, asked to stop"),
        ("paused", {"pausing": True}, "paused"),
        ("cancelled", {"stopping": True}, "cancelled"),
    ],
)
def test_a_state_says_what_it_waits_for(status: str, more: dict[str, Any], words: str) -> None:
    assert state_words(status, more.pop("wait_reason", None), **more) == words


def test_a_call_says_what_it_was_how_long_it_took_and_what_went_wrong() -> None:
    call = Call(uuid4(), "shell_exec", 1, 0, "failed", arguments={"command": "false"})
    assert call_line(call, "failed", 1_234, "exit code 1").plain == '✗ shell_exec  1.2 s  exit code 1  command="false"'


def test_json_is_ascii_so_that_it_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "\x1b[2J\u202e\x9b"})
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    assert json.loads(printed) == {"text": "\x1b[2J\u202e\x9b"}


def test_a_piped_table_is_tab_separated_without_colour() -> None:
    console = Console(file=io.StringIO(), markup=False)
    print_table(console, ("a", "b"), [("x\ty", "[red]z[/red]"), ("1", "2")], empty="nothing")
    assert console.file.getvalue() == "x y\t[red]z[/red]\n1\t2\n"  # type: ignore[attr-defined]


def test_sizes_and_durations_have_units() -> None:
    assert [size_text(size) for size in (0, 999, 1_000, 1_234_567, 5_000_000_000_000)] == [
        "0 B", "999 B", "1.0 kB", "1.2 MB", "5000.0 GB",
    ]  # fmt: skip
    assert [duration_text(one) for one in (None, 0, 12, 1_234, 61_000)] == ["", "0 ms", "12 ms", "1.2 s", "1 min 1 s"]
    assert [duration_text(1_000 * one) for one in (3_600, 90_000, 200_000)] == ["1 h 0 min", "25 h 0 min", "2 days"]


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("report.md", "report.md"),
        ("charts/plot.png", "charts/plot.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\evil.bat", "evil.bat"),
        ("a/./b/../c", "a/b/c"),
        ("\x1b[2Jx\n.md", "x.md"),
        ("\u202egnp.exe", "gnp.exe"),
        ("...", "file"),
        ("", "file"),
        ("/", "file"),
    ],
)
def test_a_files_name_cannot_lead_out_of_the_folder(filename: str, expected: str) -> None:
    assert local_path(filename) == Path(expected)


@given(st.text(max_size=300))
def test_whatever_its_name_a_file_lands_in_the_folder(filename: str) -> None:
    path = local_path(filename)
    assert not path.is_absolute()
    assert path.parts
    assert ".." not in path.parts
    assert all(len(part.encode()) <= 255 and part.isprintable() for part in path.parts)
