"""Arguments that several browser tools take."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field


def _web_address(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password")
    return value.strip()


WebAddress = Annotated[
    str,
    Field(max_length=2_048, description="The address, beginning with http:// or https://."),
    AfterValidator(_web_address),
]

Element = Annotated[int, Field(ge=1, description="The element's number: 3 for [3].")]

Host = Annotated[
    str,
    Field(
        min_length=1,
        max_length=260,
        pattern=r"^[^\s/@]+$",
        description="The host that the element is on, from the page's address or its frame's: example.com or "
        "example.com:8080. On any other nothing is done.",
    ),
]

Key = Literal[
    "Enter", "Tab", "Escape", "Backspace", "Delete", "Space", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight",
    "PageUp", "PageDown", "Home", "End",
]  # fmt: skip
