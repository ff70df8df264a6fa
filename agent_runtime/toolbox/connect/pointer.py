"""JSON pointers."""

from __future__ import annotations

from typing import Any

_MISSING = object()


def at_pointer(value: Any, pointer: str) -> Any:
    """What is at a JSON pointer (RFC 6901) of `value`; None where there is nothing."""
    if not pointer:
        return value
    for token in pointer.removeprefix("/").split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key, _MISSING)
        elif isinstance(value, list) and key.isdigit() and int(key[:9]) < len(value):
            value = value[int(key[:9])]
        else:
            return None
        if value is _MISSING:
            return None
    return value
