"""Finds secret values in text and bytes, however they are written, and puts `***` in their place.

A content is *read* in several ways, each of which leaves something out or decodes something: without white space,
letters and digits alone, escapes decoded, hex digits alone, the columns of a dump, decimal numbers. A value that is
found in a reading is traced back to where it stands. So wrapped base64, a value with a line break in it and `%2F` need
no patterns of their own. What is found: the value itself in upper and lower case, in base64 (both alphabets, at every
alignment), in hex, percent-encoded, with the escapes of JSON, C and HTML, once or twice, and as a dump of `xxd`,
`hexdump` or `od`.

What is not: a value that was reversed, encrypted, compressed, cut to pieces or spelled with letters in between. Whoever
may run programs with a secret can write it down in a way that nobody recognises; this is a net, not a wall.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from typing import Any

MARK = "***"
MIN_CHARACTERS = 8
"""A shorter value would be found by chance: in base64 it is ten letters long, which no ordinary text has."""
MIN_LINE_CHARACTERS = 16
"""A line of a value that has several, such as a private key, is found by itself from this length on."""
WINDOW_BYTES = 8 << 20
"""Of long contents so much is looked at at a time."""
_DECIMAL_LIMIT_BYTES = 1 << 20
_CONTINUATION = bytes(range(0x80, 0xC0))
_HALF_ESCAPE_BYTES = 16
_LAST_WORD = re.compile(rb"[0-9a-zA-Z]{1,16}$")
_CUT_CHARACTERS = 4
"""So much of a value's beginning or end is taken out where an output was cut in two."""

_CUT = re.compile(rb"\n\[\.\.\. \d+ bytes left out \.\.\.\]\n")
_SPACE = bytes(range(0x21)) + b"\x7f"
_SIGNS = bytes(sign for sign in range(0x80) if not chr(sign).isalnum())
_NOT_HEX = bytes(sign for sign in range(0x100) if chr(sign) not in "0123456789abcdefABCDEF")
_BASE64_SIGN = re.compile(rb"[a-z0-9+/_-]")
_PERCENT, _BACKSLASH, _ENTITY = (
    rb"%[0-9a-fA-F]{2}",
    rb"\\u\{?[0-9a-fA-F]{4,6}\}?|\\x[0-9a-fA-F]{2}|\\[0-7]{3}|\\[nrtbfv\"'/\\]",
    rb"&#[0-9]{1,7};|&#[xX][0-9a-fA-F]{1,6};|&[a-zA-Z]{2,6};",
)
_ESCAPES = [
    # One kind at a time: a value may itself hold what looks like an escape of another.
    (b"%+", re.compile(_PERCENT)),
    (b"\\", re.compile(_BACKSLASH)),
    (b"&", re.compile(_ENTITY)),
    (b"%\\&", re.compile(b"|".join([_PERCENT, _BACKSLASH, _ENTITY]))),
]
"""The signs by which each kind is known, and the kind."""
_C_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
# The columns of a line, and the characters beside them. Possessive, so that hostile lines are read in one pass.
_DUMP_LINE = re.compile(
    rb"^[ \t]*+[0-9a-fA-F]{6,16}"
    rb"(?::[ \t]([0-9a-fA-F]++(?: [0-9a-fA-F]++)*+)(?:[ \t]++(.*+))?|[ \t]++([^|>\n]*+)(.*+))$",
    re.MULTILINE,
)
_NUMBER = re.compile(rb"(?<![0-9])[0-9]{1,3}(?![0-9])")


class Scrubber:
    """Knows values, and takes them out. Values shorter than `MIN_CHARACTERS` are left alone."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._plain: list[_Pattern] = []
        self._letters: list[_Pattern] = []
        self._unplussed: list[_Pattern] = []
        self._hex: list[_Pattern] = []
        self._bytes: list[_Pattern] = []
        self.longest_bytes = 0
        """No value is written in more bytes than this, as far as can be said."""
        self._shortest_bytes = 0
        """Nor in fewer than this, in whatever way: what is shorter needs no look."""
        self.add(values)

    def add(self, values: Iterable[str]) -> bool:
        """Whether any of them is new."""
        new = {part for value in values for part in _parts(value)} - self._values
        for value in sorted(new, key=len, reverse=True):
            self._learn(value.encode(errors="surrogateescape"))
        self._values |= new
        known = (*self._plain, *self._letters, *self._unplussed, *self._hex, *self._bytes)
        self._shortest_bytes = min((len(pattern.data) for pattern in known), default=0)
        return bool(new)

    def __bool__(self) -> bool:
        return bool(self._values)

    @property
    def values(self) -> frozenset[str]:
        """What it looks for."""
        return frozenset(self._values)

    @property
    def count(self) -> int:
        """How many values it knows; it forgets none."""
        return len(self._values)

    def text(self, text: str) -> str:
        """`text` with `***` for each value."""
        if not self._values or not text:
            return text
        content = text.encode(errors="surrogatepass")
        scrubbed = self.content(content)
        return text if scrubbed is content else scrubbed.decode(errors="replace")

    def data(self, value: Any) -> Any:
        """A JSON value with `***` for each secret in its strings, keys included."""
        if not self._values:
            return value
        scrubbed = self.strings(value)
        if self.holds(json.dumps(scrubbed, ensure_ascii=False, default=str).encode(errors="surrogatepass")):
            # Spread over several strings, or a list of numbers.
            return {"left_out": "it held a secret, spread over several values"}
        return scrubbed

    def strings(self, value: Any) -> Any:
        """The same, string by string: the shape stays."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.strings(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.strings(item) for item in value]
        return value

    def holds(self, content: bytes) -> bool:
        """Whether a value stands in it."""
        if not self._values or len(content) < self._shortest_bytes:
            return False
        return any(self._is_in(window) for window in self._windows(content))

    def content(self, content: bytes) -> bytes:
        """The same bytes, or new ones with `***` for each value."""
        spans = self.spans(content)
        if not spans:
            return content
        parts, at = [], 0
        for start, end in spans:
            parts += [content[at:start], MARK.encode()]
            at = end
        return b"".join([*parts, content[at:]])

    def spans(self, content: bytes) -> list[tuple[int, int]]:
        """Where values stand, in order and apart."""
        if not self._values:
            return []
        if len(content) < self._shortest_bytes:
            return _merged(list(self._at_cuts(content)))
        found: list[tuple[int, int]] = []
        start = 0
        for window in self._windows(content):
            found += [(start + first, start + last) for first, last in self._spans(window)]
            start += WINDOW_BYTES
        return _merged([*found, *self._at_cuts(content)])

    def doubtful_from(self, text: str) -> int:
        """Of a text that is still being written: from where on its end may be the beginning of a value, in whatever
        way it is written; the text's length when it is none. The first letters alone, fewer than four, do not count."""
        if not self._values:
            return len(text)
        tail = text[-self.longest_bytes :]
        content = tail.encode(errors="surrogatepass")
        doubt = len(content)
        for end in _ends(content):
            for reading in self._readings(content[:end]):
                data = reading.fast(content[:end])
                lengths = [_begun(data, wanted.data) + wanted.before for wanted in reading.patterns]
                if (longest := max(lengths, default=0)) >= _CUT_CHARACTERS:
                    start, _ = reading.traced(content[:end]).origin(max(0, len(data) - longest), len(data))
                    doubt = min(doubt, start)
        if content[doubt : doubt + 1].translate(None, _CONTINUATION) == b"" and doubt < len(content):
            doubt -= len(content[: doubt + 1]) - len(content[: doubt + 1].rstrip(_CONTINUATION))
        return len(text) - len(tail) + len(content[:doubt].translate(None, _CONTINUATION))

    def _windows(self, content: bytes) -> Iterable[bytes]:
        if len(content) <= WINDOW_BYTES:
            return [content]
        overlap = max(self.longest_bytes, 4096)
        return (content[at : at + WINDOW_BYTES + overlap] for at in range(0, len(content), WINDOW_BYTES))

    def _is_in(self, content: bytes) -> bool:
        return any(_any_in(reading.fast(content), reading.patterns) for reading in self._readings(content))

    def _spans(self, content: bytes) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for reading in self._readings(content):
            if _any_in(reading.fast(content), reading.patterns):
                traced = reading.traced(content)
                spans = [traced.origin(*span) for span in _find(traced.data, reading.patterns)]
                found += [_to_line_end(content, span) for span in spans] if reading.lines else spans
        return found

    def _readings(self, content: bytes) -> Iterable[_Way]:
        yield _Way(self._plain, _without(_SPACE), _traced_without(_SPACE))
        if self._letters:
            yield _Way(self._letters, _without(_SIGNS), _traced_without(_SIGNS))
        yield _Way(self._hex, _hex_digits, _traced_hex_digits)
        for signs, escapes in _ESCAPES:
            if any(sign in content for sign in signs):
                patterns, leave_out = (self._unplussed, _SPACE + b"+") if b"+" in signs else (self._plain, _SPACE)
                for times in (1, 2):
                    yield _Way(
                        patterns,
                        partial(_unescaped, escapes=escapes, times=times, leave_out=leave_out),
                        partial(_traced_unescaped, escapes=escapes, times=times, leave_out=leave_out),
                    )
        if _DUMP_LINE.search(content):
            for columns, patterns, leave_out in (
                ((1, 3), self._hex, _NOT_HEX), ((2, 4), self._letters, _SIGNS), ((3,), self._letters, _SIGNS),
            ):  # fmt: skip
                yield _Way(patterns, *_dump(columns, leave_out), lines=True)
        if len(content) <= _DECIMAL_LIMIT_BYTES:
            yield _Way(self._bytes, _numbers, _traced_numbers)

    def _at_cuts(self, content: bytes) -> list[tuple[int, int]]:
        """Halves of values that stand at a place where an output was cut."""
        found = []
        for cut in _CUT.finditer(content):
            reach = max(self.longest_bytes, 64)
            before, after = max(cut.start() - reach, 0), cut.end()
            for trace, patterns in ((_traced_without(_SPACE), self._plain), (_traced_hex_digits, self._hex)):
                head, tail = trace(content[before : cut.start()]), trace(content[after : after + reach])
                for wanted in patterns:
                    if length := _overlap(head.data, wanted.data):
                        first, last = head.origin(len(head.data) - length, len(head.data))
                        found.append((before + first, before + last))
                    if length := _overlap(tail.data[::-1], wanted.data[::-1]):
                        first, last = tail.origin(0, length)
                        found.append((after + first, after + last))
        return found

    def _learn(self, value: bytes) -> None:
        pieces = [piece for alphabet in (b"+/", b"-_") for piece in _base64_pieces(value, alphabet)]
        plain = [_Pattern(_without(_SPACE)(value)), *pieces]
        self._plain += plain
        self._unplussed += [
            _Pattern(pattern.data.replace(b"+", b""), pattern.before, pattern.after) for pattern in plain
        ]
        letters = (_Pattern(_without(_SIGNS)(pattern.data), pattern.before, pattern.after) for pattern in plain)
        self._letters += [pattern for pattern in letters if len(pattern.data) >= MIN_CHARACTERS]
        self._hex += [_Pattern(written) for written in _hex_forms(value)]
        self._bytes.append(_Pattern(value.lower()))
        self.longest_bytes = max(self.longest_bytes, 12 * len(value) + 256)


@dataclass(frozen=True)
class _Pattern:
    """What is looked for, in lower case. `before` and `after`: that many signs beside it hold parts of the value."""

    data: bytes
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class _Way:
    """A way to read a content: `fast` without a trace, `traced` with one; both give the same bytes."""

    patterns: list[_Pattern]
    fast: Callable[[bytes], bytes]
    traced: Callable[[bytes], _Reading]
    lines: bool = False
    """Lines go to their end: beside the columns of a dump stand the characters."""


class _Reading:
    """Bytes that were made of others, run by run. A run that was decoded counts as a whole."""

    def __init__(
        self, data: bytes, parent: _Reading | None = None, runs: list[tuple[int, int, int]] | None = None
    ) -> None:
        """`runs` are (length here, start in the parent, end in the parent)."""
        self.data = data
        self._parent = parent
        self._runs = runs or []
        self._at = list(accumulate((length for length, _, _ in self._runs), initial=0))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The bytes of the first content that `start` to `end` come from."""
        if self._parent is None or not self._runs:
            return start, end
        first, last = bisect_right(self._at, start) - 1, bisect_right(self._at, end - 1) - 1
        length, source, source_end = self._runs[first]
        begin = source + (start - self._at[first] if length == source_end - source else 0)
        length, source, source_end = self._runs[last]
        finish = source + end - self._at[last] if length == source_end - source else source_end
        return self._parent.origin(begin, finish)

    def keep(self, runs: re.Pattern[bytes], groups: tuple[int, ...] = (0,)) -> _Reading:
        """What matches, in lower case."""
        spans = [match.span(group) for match in runs.finditer(self.data) for group in groups]
        spans = [(start, end) for start, end in spans if start < end]
        data = b"".join([self.data[start:end] for start, end in spans])
        return _Reading(data.lower(), self, [(end - start, start, end) for start, end in spans])

    def decode(self, runs: re.Pattern[bytes], decoded: Callable[[bytes], bytes], *, rest: bool = True) -> _Reading:
        """What matches, decoded; with the `rest` as it is, or without it."""
        parts, made, at = [], [], 0
        for match in runs.finditer(self.data):
            if rest and at < match.start():
                parts.append(self.data[at : match.start()])
                made.append((match.start() - at, at, match.start()))
            if plain := decoded(match[0]):
                parts.append(plain)
                # Never as long as what it was made of, or it would count as not decoded.
                made.append((len(plain), match.start(), match.end()))
            at = match.end()
        if rest and at < len(self.data):
            parts.append(self.data[at:])
            made.append((len(self.data) - at, at, len(self.data)))
        return _Reading(b"".join(parts), self, made)


def _parts(value: str) -> list[str]:
    """The value, and each long line of one that has several."""
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    lines = [line for line in lines if len(line) >= MIN_LINE_CHARACTERS and not line.startswith("-----")]
    return [part for part in (value, *lines) if len("".join(part.split()).encode(errors="replace")) >= MIN_CHARACTERS]


def _base64_pieces(value: bytes, alphabet: bytes) -> list[_Pattern]:
    """What of a longer base64 text the value alone decides, at each of its three alignments."""
    pieces = []
    for offset in range(3):
        bits = 8 * (offset + len(value))
        encoded = base64.b64encode(bytes(offset) + value + bytes(2), alphabet)
        first, last = -(-8 * offset // 6), bits // 6
        pieces.append(_Pattern(encoded[first:last].lower(), int(offset > 0), int(bits % 6 > 0)))
    return pieces


def _hex_forms(value: bytes) -> list[bytes]:
    """As bytes, and as the two-byte words that `hexdump` (in hex) and `od` (in octal) show, at both alignments."""
    forms = [value.hex()]
    for given in (value, value[1:]):
        words = [int.from_bytes(given[at : at + 2], "little") for at in range(0, len(given) - len(given) % 2, 2)]
        forms += ["".join(f"{word:04x}" for word in words), "".join(f"{word:06o}" for word in words)]
    return [form.encode() for form in forms]


def _without(signs: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.translate(None, signs).lower()


def _traced_without(signs: bytes) -> Callable[[bytes], _Reading]:
    return lambda content: _Reading(content).keep(_other_than(signs))


@cache
def _other_than(signs: bytes) -> re.Pattern[bytes]:
    return re.compile(b"[^" + re.escape(signs) + b"]+")


_HEX_PREFIX = re.compile(rb"\\x|0[xX]")
_HEX_RUN = re.compile(rb"[0-9a-fA-F]+")


def _hex_digits(content: bytes) -> bytes:
    if b"x" in content or b"X" in content:
        content = _HEX_PREFIX.sub(b"", content)
    return content.translate(None, _NOT_HEX).lower()


def _traced_hex_digits(content: bytes) -> _Reading:
    return _Reading(content).decode(_HEX_PREFIX, lambda _: b"").keep(_HEX_RUN)


def _unescaped(content: bytes, escapes: re.Pattern[bytes], times: int, leave_out: bytes) -> bytes:
    for _ in range(times):
        content = escapes.sub(lambda escape: _plain(escape[0]), content)
    return content.translate(None, leave_out).lower()


def _traced_unescaped(content: bytes, escapes: re.Pattern[bytes], times: int, leave_out: bytes) -> _Reading:
    reading = _Reading(content)
    for _ in range(times):
        reading = reading.decode(escapes, _plain)
    return reading.keep(_other_than(leave_out))


def _plain(escape: bytes) -> bytes:
    """What an escape stands for."""
    kind = escape[:2]
    if escape[:1] == b"%":
        return bytes([int(escape[1:], 16)])
    if kind == b"\\u":
        code = int(escape[2:].strip(b"{}"), 16)
        return chr(code).encode(errors="surrogatepass") if code < 0x110000 else b""
    if kind == b"\\x":
        return bytes([int(escape[2:], 16)])
    if escape[:1] == b"\\":
        if len(escape) == 4:
            return bytes([int(escape[1:], 8) & 0xFF])
        return _C_ESCAPES.get(escape[1:], escape[1:])
    named = html.unescape(escape.decode("ascii")).encode(errors="surrogatepass")
    return named if len(named) != len(escape) else b""


def _dump(groups: tuple[int, ...], leave_out: bytes) -> tuple[Callable[[bytes], bytes], Callable[[bytes], _Reading]]:
    def traced(content: bytes) -> _Reading:
        return _Reading(content).keep(_DUMP_LINE, groups).keep(_other_than(leave_out))

    return lambda content: traced(content).data, traced


def _numbers(content: bytes) -> bytes:
    return bytes([code for number in _NUMBER.findall(content) if 9 < (code := int(number)) < 256]).lower()


def _traced_numbers(content: bytes) -> _Reading:
    def decoded(number: bytes) -> bytes:
        return bytes([code]).lower() if 9 < (code := int(number)) < 256 else b""

    return _Reading(content).decode(_NUMBER, decoded, rest=False)


def _any_in(content: bytes, patterns: list[_Pattern]) -> bool:
    return any(pattern.data in content for pattern in patterns)


def _find(content: bytes, patterns: list[_Pattern]) -> Iterable[tuple[int, int]]:
    for pattern in patterns:
        start = content.find(pattern.data)
        while start >= 0:
            end = start + len(pattern.data)
            before = pattern.before and bool(_BASE64_SIGN.match(content, start - 1)) if start else 0
            after = pattern.after and bool(_BASE64_SIGN.match(content, end))
            yield start - int(before), end + int(after)
            start = content.find(pattern.data, start + 1)


def _to_line_end(content: bytes, span: tuple[int, int]) -> tuple[int, int]:
    end = content.find(b"\n", span[1])
    return span[0], len(content) if end < 0 else end


def _overlap(content: bytes, wanted: bytes) -> int:
    """How much of the beginning of `wanted` the content ends with, if it is worth hiding."""
    for length in range(min(len(wanted) - 1, len(content)), _CUT_CHARACTERS - 1, -1):
        if content.endswith(wanted[:length]):
            return length
    return 0


def _ends(content: bytes) -> set[int]:
    """Where a text that is still being written may be thought to end: what follows may be half of an escape, or of a
    number."""
    ends = {len(content)}
    if last := _LAST_WORD.search(content, max(0, len(content) - _HALF_ESCAPE_BYTES)):
        ends.add(last.start())
    first = max(0, len(content) - _HALF_ESCAPE_BYTES)
    return ends | {at for at in range(first, len(content)) if content[at] in b"%\\&"}


def _begun(content: bytes, wanted: bytes) -> int:
    """The same for any beginning, quick to say no."""
    last = content[-_CUT_CHARACTERS:]
    if len(last) < _CUT_CHARACTERS:
        return 0
    at, longest = wanted.find(last), 0
    while at >= 0:
        if at + len(last) < len(wanted) and content.endswith(wanted[: at + len(last)]):
            longest = at + len(last)
        at = wanted.find(last, at + 1)
    return longest


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
