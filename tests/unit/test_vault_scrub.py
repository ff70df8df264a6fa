"""Secrets are found however they are written, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import json
import shutil
import subprocess
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.vault.scrub import MARK, Scrubber

BEGIN = "-----BEGIN " + "PRIVATE KEY-----"
CANARY = 'canary-S3cr3t/+"&<\\x value=9'
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=60)


def written(value: str) -> dict[str, str]:
    """A value in each way that is looked for."""
    raw = value.encode()
    padded = {f"base64 after {n}": base64.b64encode(b"x" * n + raw + b"y" * (5 - n)).decode() for n in range(3)}
    urls = {
        f"base64 for URLs after {n}": base64.urlsafe_b64encode(b"x" * n + raw + b"y" * n).decode().rstrip("=")
        for n in range(3)
    }
    encoded = base64.b64encode(raw).decode()
    return padded | urls | {
        "itself": value,
        "in capitals": value.upper(),
        "wrapped base64": "\n".join(encoded[at : at + 7] for at in range(0, len(encoded), 7)),
        "quoted": quote(value, safe=""),
        "quoted in lower case": quote(value, safe="").lower(),
        "quoted for a form": quote_plus(value),
        "quoted twice": quote(quote(value)),
        "hex": raw.hex(),
        "hex in capitals": raw.hex().upper(),
        "hex with colons": raw.hex(":"),
        "hex with prefixes": " ".join(f"0x{byte:02x}," for byte in raw),
        "hex in a string": "".join(f"\\x{byte:02x}" for byte in raw),
        "JSON": json.dumps(value),
        "JSON in JSON": json.dumps(json.dumps(value)),
        "JSON with slashes": json.dumps(value).replace("/", "\\/"),
        "unicode escapes": "".join(f"\\u{ord(sign):04x}" for sign in value),
        "HTML": html.escape(value),
        "HTML by number": "".join(f"&#{ord(sign)};" for sign in value),
        "octal": "".join(f"\\{byte:03o}" for byte in raw),
        "numbers": str(list(raw)),
        "repr": repr(value.encode()),
        "a line for each letter": "\n".join(value),
        "with commas": ",".join(value),
        "UTF-16": value.encode("utf-16-le").decode("latin-1"),
    }  # fmt: skip


@pytest.mark.parametrize("way", written(CANARY))
def test_a_value_is_found_however_it_is_written(way: str) -> None:
    text = written(CANARY)[way]
    scrubbed = Scrubber([CANARY]).text(f"before {text} after")
    assert MARK in scrubbed
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")
    rest = scrubbed.removeprefix("before ").removesuffix(" after")
    # At the edges of base64 a letter can hold neighbours' bits; quotes and the like belong to nobody.
    assert len(rest.replace(MARK, "")) <= 20, rest


@pytest.mark.parametrize(
    "command",
    ["base64", "base64 -w 20", "xxd", "xxd -p", "xxd -c 8", "xxd -c 32", "hexdump", "hexdump -C", "od", "od -x",
     "od -c", "od -tx1", "od -tx1z", "od -tu1 -An", "fold -w 5", "fold -w 1"],
)  # fmt: skip
@pytest.mark.parametrize("before", range(4))
def test_a_value_is_found_in_what_programs_make_of_it(command: str, before: int) -> None:
    program, *options = command.split()
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    value = "canary-4f7c21d09be84a53-Zq/+secret"
    made = subprocess.run(
        [program, *options], input=b"x" * before + value.encode() + b"\n", capture_output=True, check=True
    )
    text = made.stdout.decode()
    assert not holds_a_part(Scrubber([value]).text(text), value), text


def holds_a_part(text: str, value: str) -> bool:
    letters = "".join(sign for sign in text if sign.isalnum())
    wanted = "".join(sign for sign in value if sign.isalnum())
    return any(wanted[at : at + 8] in letters for at in range(len(wanted) - 7))


@given(value=ASCII, before=TEXT, after=TEXT, data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_is_found_at_any_place_in_any_way(value: str, before: str, after: str, data: st.DataObject) -> None:
    # Signs between the letters are seen through where there are letters enough.
    way = data.draw(st.sampled_from(sorted(written(value).keys() - {"with commas"})))
    scrubber = Scrubber([value])
    scrubbed = scrubber.text(f"{before} {written(value)[way]} {after}")
    assert MARK in scrubbed
    assert value not in scrubbed
    assert not scrubber.holds(scrubbed.encode())


@given(value=ASCII, cuts=st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_value_that_lines_and_chunks_divide_is_found_at_every_place(value: str, cuts: list[int]) -> None:
    for text in (value, base64.b64encode(value.encode()).decode(), value.encode().hex()):
        places = sorted({min(cut, len(text)) for cut in cuts})
        parts = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
        assert Scrubber([value]).text("\r\n \t".join(parts)).strip("=\r\n \t") == MARK


@given(text=TEXT)
@settings(max_examples=200, deadline=None)
def test_text_without_a_value_stays_as_it_is(text: str) -> None:
    assert Scrubber(["canary-4f7c21d0"]).text(text) == text
    assert Scrubber().text(text) == text


@given(content=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_bytes_without_a_value_stay_as_they_are(content: bytes) -> None:
    assert Scrubber(["canary-4f7c21d0"]).content(content) is content


def test_a_value_is_found_where_windows_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_runtime.vault.scrub.WINDOW_BYTES", 5000)
    scrubber = Scrubber([CANARY])
    for at in range(4960, 5010):
        content = b"." * at + CANARY.encode() + b"." * 9000 + CANARY.encode().hex().encode()
        assert scrubber.content(content) == b"." * at + MARK.encode() + b"." * 9000 + MARK.encode()


def test_a_half_of_a_value_is_found_where_an_output_was_cut() -> None:
    scrubber = Scrubber(["canary-4f7c21d0-secret"])
    cut = "\n[... 12345 bytes left out ...]\n"
    assert scrubber.text(f"a canary-4f7c{cut}c21d0-secret b") == f"a {MARK}{cut}{MARK} b"
    assert scrubber.text(f"a {b'canary-4f7c'.hex()}{cut}rest") == f"a {MARK}{cut}rest"
    assert scrubber.text(f"a can{cut}ret b") == f"a can{cut}ret b"


def test_the_lines_of_a_key_are_found_one_by_one() -> None:
    lines = [base64.b64encode(bytes(range(at, at + 48))).decode() for at in (0, 50, 100)]
    key = "\n".join([BEGIN, *lines, "-----END PRIVATE KEY-----"])
    scrubber = Scrubber([key])
    assert scrubber.text(f"line 2: {lines[1]}.") == f"line 2: {MARK}."
    assert scrubber.text(BEGIN) == BEGIN


def test_short_values_are_left_alone() -> None:
    assert not Scrubber(["abc", "       x", ""])
    assert Scrubber(["abc"]).text("abc") == "abc"


def test_data_keeps_its_shape_unless_a_value_is_spread_over_it() -> None:
    scrubber = Scrubber(["canary-4f7c21d0"])
    given = {"a": ["canary-4f7c21d0", 1, None, True], "canary-4f7c21d0": {"b": "plain"}}
    assert scrubber.data(given) == {"a": [MARK, 1, None, True], MARK: {"b": "plain"}}
    for spread in ({"lines": ["canary-4f", "7c21d0"]}, {"numbers": list(b"canary-4f7c21d0")}):
        assert list(scrubber.data(spread)) == ["left_out"]


def test_hostile_text_is_read_in_time_that_grows_with_its_length() -> None:
    # A test's own limit would stop what takes exponential time.
    scrubber = Scrubber(["aaaaaaaaaaaaaaaa"])
    for text in (
        "61 " * 50_000,
        "0000000: " + "aa " * 50_000 + "!",
        "0000000 " * 50_000,
        "%%%" * 50_000,
        "\\" * 100_000,
    ):
        scrubber.text(text)
