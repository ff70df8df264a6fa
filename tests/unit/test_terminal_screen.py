"""The screen of a session: what programs write, as a person's terminal would show it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.terminal.keys import pressed, typed
from agent_runtime.toolbox.terminal.screen import LINES_LIMIT, Screen

ESC = "\x1b"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("one\r\ntwo\r\n", "one\ntwo"),
        ("10%\r55%\r100%\r\ndone", "100%\ndone"),
        ("wrong\b\b\b\b\bright", "right"),
        (
            f"{ESC}[1;31mred{ESC}[0m {ESC}]0;a title\x07plain{ESC}]8;;http://x{ESC}\\link{ESC}]8;;{ESC}\\",
            "red plainlink",
        ),
        ("x" * 25 + "\r\ny", "x" * 25 + "\ny"),
        ("a\tb", "a       b"),
        (f"downloading a\r\ndownloading b{ESC}[1A\rdone        a{ESC}[K\r\n\n", "done        a\ndownloading b"),
        (f"keep{ESC}[2K\rgone", "gone"),
        (f"before{ESC}[2J{ESC}[Hafter", "before\nafter"),
        (f"abcdef\r{ESC}[2P{ESC}[2@xy{ESC}[C{ESC}[X", "xyc ef"),
        (f"1\r\n2\r\n3{ESC}[2;1H{ESC}[Lnew", "1\nnew\n2\n3"),
        (f"1\r\n2\r\n3{ESC}[1;1H{ESC}[M", "2\n3"),
        ("世界 e\u0301", "世界 e\u0301"),
        (f"shell{ESC}[?1049h{ESC}[Heditor", "editor"),
        (f"shell{ESC}[?1049heditor{ESC}[?1049l here", "shell here"),
        (f"{ESC}[1;3r{ESC}[3;1Ha\r\nb\r\nc{ESC}[r", "a\nb\nc"),
        (f"{ESC}7far{ESC}8near", "near"),
        (f"{ESC}[999999999999Cz{ESC}[9999999Ay{ESC}[;;;;5Hx", "x                  y"),
        (f"bad{ESC}[?!q{ESC}[\x01{ESC}(B{ESC}\x00 text\x00\x07\x9b", "bad text"),
    ],
)
def test_a_screen_shows_what_a_terminal_would(written: str, shown: str) -> None:
    whole, bitwise = Screen(20, 5), Screen(20, 5)
    whole.feed(written)
    for character in written:
        bitwise.feed(character)
    assert whole.look() == shown
    assert bitwise.look() == shown, "in whatever pieces it comes"


def test_a_look_shows_what_changed_since_the_last_one() -> None:
    screen = Screen(20, 4)
    screen.feed("".join(f"line {number}\r\n" for number in range(10)))
    assert screen.look() == "\n".join(f"line {number}" for number in range(10))
    assert screen.look() == ""
    screen.feed("Sure? ")
    assert screen.line_before_cursor == "Sure? "
    assert screen.look() == "Sure?"
    screen.feed(f"yes\r\n{ESC}[2A{ESC}[2K\rline 9 again\r\n\n")
    assert screen.look() == "line 9 again\nSure? yes", "and all lines below the first that changed"
    screen.feed("".join(f"{number}\r\n" for number in range(3 * LINES_LIMIT)))
    lines = screen.look().splitlines()
    assert lines[0] == "0"
    assert lines[-1] == str(3 * LINES_LIMIT - 1)
    assert len(lines) < LINES_LIMIT + 10
    assert any("lines left out" in line for line in lines)


@given(
    st.lists(
        st.text(
            alphabet=st.sampled_from(f"{ESC}[]();?0123456789ABCDEFGHJKLMPSTXhlmrsu@78c\r\n\b\t\x07x世"), max_size=60
        )
    )
)
def test_whatever_is_written_a_screen_stays_a_screen(pieces: list[str]) -> None:
    screen = Screen(10, 4)
    for piece in pieces:
        screen.feed(piece)
        assert len(screen.line_before_cursor) <= 10 * 8
        assert len(screen.look().splitlines()) <= 4 + sum(map(len, pieces))


def test_keys_and_text_become_what_a_terminal_sends() -> None:
    assert pressed(["Ctrl-C", "enter", "up", "f1"]) == b"\x03\r\x1b[A\x1bOP"
    assert typed("two\nlines\tü") == "two\rlines\tü".encode()
    with pytest.raises(ToolRefused, match="there is no key 'any'"):
        pressed(["any"])
    with pytest.raises(ToolRefused, match="name them as keys"):
        typed("\x1b[200~")
