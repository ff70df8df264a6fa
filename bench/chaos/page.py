"""The tables in docs/durability.md: between two comments, so that the prose around them stays."""

from __future__ import annotations

import datetime
from pathlib import Path

from agent_runtime.errors import ConfigError
from bench.chaos.kill import KillReport
from bench.chaos.storm import StormReport
from bench.chaos.tables import as_markdown, grids

BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"


def check(page: Path) -> None:
    """Raises `ConfigError` when there is no such page, or no markers in it."""
    _parts(page)


def write(page: Path, machine: dict[str, str], killed: KillReport | None, stormed: StormReport | None) -> None:
    """Put the tables between the markers. `machine` says where it ran."""
    before, after = _parts(page)
    told = " · ".join(f"{key} {value}" for key, value in machine.items())
    today = datetime.datetime.now(datetime.UTC).date()
    blocks = [f"Run on {today}: {told}", *map(as_markdown, grids(killed, stormed))]
    page.write_text("\n\n".join([before + BEGIN, *blocks, END + after]), encoding="utf-8")


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
