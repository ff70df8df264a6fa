"""Templates of a row: `{{argument}}` in a text stands for the value that the model gave, escaped for its place.

A template that is a placeholder and nothing else keeps the value's type. A placeholder whose argument was not given
makes its whole place (a parameter, a header, a key, an element) go away. Values are never searched for placeholders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

from agent_runtime.errors import ConfigError, ToolRefused

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_ANY_BRACES = re.compile(r"\{\{.*?(?:\}\}|$)", re.DOTALL)
_CREDENTIAL = re.compile(r"\{\{credential:[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\}\}")


class _Absent:
    """Stands for a place whose argument was not given."""


ABSENT: Final = _Absent()


def names_in(template: Any) -> set[str]:
    """The arguments that a template of any shape names."""
    return {name for text in _texts(template) for name in _PLACEHOLDER.findall(text)}


def check_template(template: Any, properties: set[str], place: str) -> None:
    """Raises `ConfigError` for braces that are no placeholder, and for one that names no argument of the tool."""
    for text in _texts(template):
        rest = _CREDENTIAL.sub("", _PLACEHOLDER.sub("", text))
        if braces := _ANY_BRACES.search(rest):
            raise ConfigError(f"its {place} has {braces[0][:60]}, which is neither {{{{argument}}}} nor a credential")
    if unknown := sorted(names_in(template) - properties):
        raise ConfigError(f"its {place} names {', '.join(unknown)}, which is not among its parameters")


def fill_text(template: str, values: dict[str, Any], escape: Callable[[str], str] = lambda text: text) -> str | _Absent:
    """`template` with each value as text, put through `escape`; `ABSENT` when an argument of it was not given."""
    if any(values.get(name) is None for name in _PLACEHOLDER.findall(template)):
        return ABSENT
    return _PLACEHOLDER.sub(lambda found: escape(as_text(values[found[1]])), template)


def fill(template: Any, values: dict[str, Any]) -> Any:
    """A template of JSON: a placeholder that is a whole text becomes the value itself, one within a text its text."""
    if isinstance(template, str):
        whole = _PLACEHOLDER.fullmatch(template)
        if whole:
            return values.get(whole[1], ABSENT)
        return fill_text(template, values)
    if isinstance(template, dict):
        filled = {key: fill(value, values) for key, value in template.items()}
        return {key: value for key, value in filled.items() if value is not ABSENT}
    if isinstance(template, list):
        return [value for value in (fill(item, values) for item in template) if value is not ABSENT]
    return template


def path_segment(text: str) -> str:
    """A value as one segment of a URL's path. Raises `ToolRefused` for one that would climb, or is empty."""
    if text in ("", ".", ".."):
        raise ToolRefused(f"{text!r} cannot be part of this tool's address; give another value")
    return quote(text, safe="")


def header_value(text: str) -> str:
    """A value for a header. Raises `ToolRefused` for line ends and other characters that a header cannot hold."""
    if not text.isascii() or not text.isprintable():
        raise ToolRefused("a value of this call goes into a header, which takes printable ASCII alone; give another")
    return text


def as_text(value: Any) -> str:
    """A value as people write it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _texts(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, dict):
        for key, value in template.items():
            # A key is never filled in, so braces there are a mistake like any other.
            if "{{" in key:
                raise ConfigError(f"the key {key[:60]!r} holds a placeholder; only values can")
            yield from _texts(value)
    elif isinstance(template, list):
        for item in template:
            yield from _texts(item)
