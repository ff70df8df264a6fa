"""The keys that a model can press, as the bytes that a terminal sends for them."""

from __future__ import annotations

from agent_runtime.errors import ToolRefused

_NAMED = {
    "enter": "\r", "tab": "\t", "escape": "\x1b", "space": " ", "backspace": "\x7f", "delete": "\x1b[3~",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "page-up": "\x1b[5~", "page-down": "\x1b[6~", "insert": "\x1b[2~",
    "f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~",
    "f7": "\x1b[18~", "f8": "\x1b[19~", "f9": "\x1b[20~", "f10": "\x1b[21~", "f11": "\x1b[23~", "f12": "\x1b[24~",
}  # fmt: skip
_CONTROLS = {f"ctrl-{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"}
_KEYS = {**_NAMED, **_CONTROLS, "ctrl-\\": "\x1c"}


def pressed(keys: list[str]) -> bytes:
    """The bytes of the keys, one after the other. Raises `ToolRefused` for a key that there is not."""
    unknown = [key for key in keys if key.lower() not in _KEYS]
    if unknown:
        raise ToolRefused(f"there is no key {unknown[0]!r}; the keys are {', '.join(_NAMED)} and ctrl-a to ctrl-z")
    return "".join(_KEYS[key.lower()] for key in keys).encode()


def typed(text: str) -> bytes:
    """The bytes of a text as a person types it: each line's end is the Enter key, other control characters are not."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if any(not (character == "\t" or character.isprintable()) for line in lines for character in line):
        raise ToolRefused("the text holds control characters; name them as keys, such as ctrl-c or escape")
    return "\r".join(lines).encode()
