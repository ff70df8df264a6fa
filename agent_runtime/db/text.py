"""Making any text fit for Postgres: a model, a tool or a web page can send what `text` and `jsonb` cannot hold."""

from __future__ import annotations

from typing import Any

MESSAGE_LIMIT_BYTES = 262_144
"""The check on `messages.content`."""


def storable(value: Any) -> Any:
    """The value with NUL characters taken out and lone surrogates replaced, all the way down."""
    if isinstance(value, str):
        if "\x00" not in value and value.isascii():
            return value
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {storable(str(key)): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None  # JSON has no such numbers
    return value


def fit_message(content: str, limit_bytes: int = MESSAGE_LIMIT_BYTES) -> str:
    """The text, cut at the end if it is over the limit, and saying so."""
    encoded = content.encode("utf-8", "replace")
    if len(encoded) <= limit_bytes:
        return content
    note = f"\n[cut: {len(encoded)} bytes, {limit_bytes} are kept]"
    return encoded[: limit_bytes - len(note.encode())].decode("utf-8", "ignore") + note
