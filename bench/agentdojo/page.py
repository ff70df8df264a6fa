"""The tables in docs/taint.md, between two comments."""

from __future__ import annotations

import datetime
from pathlib import Path

from agent_runtime.errors import ConfigError

BEGIN, END = "<!-- agentdojo: begin -->", "<!-- agentdojo: end -->"


def check(page: Path) -> None:
    """Raises `ConfigError` when there is no such page, or no markers in it."""
    _parts(page)


def write(page: Path, blocks: list[str]) -> None:
    """Put the blocks between the markers."""
    before, after = _parts(page)
    today = datetime.datetime.now(datetime.UTC).date()
    page.write_text("\n\n".join([before + BEGIN, f"Run on {today}.", *blocks, END + after]), encoding="utf-8")


def _parts(page: Path) -> tuple[str, str]:
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--write {page} cannot be read ({error.strerror}): name the page") from None
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"--write {page}: it has no lines {BEGIN} and {END}: add them where the tables go")
    return before, after
