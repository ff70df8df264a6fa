"""What a benchmark puts into a page of docs/, between two comments of its own."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from agent_runtime.errors import ConfigError


@dataclass(frozen=True)
class Marks:
    """The lines between which the tables go: `<!-- name: begin -->` and `<!-- name: end -->`."""

    name: str

    def check(self, page: Path) -> None:
        """Raises `ConfigError` when there is no such page, or no markers in it."""
        self._parts(page)

    def write(self, page: Path, blocks: list[str], told: str = "") -> None:
        """Put the day, with what is `told` of the run, and the blocks between the markers."""
        before, after = self._parts(page)
        today = datetime.datetime.now(datetime.UTC).date()
        run = f"Run on {today}: {told}" if told else f"Run on {today}."
        page.write_text("\n\n".join([before + self._begin, run, *blocks, self._end + after]), encoding="utf-8")

    @property
    def _begin(self) -> str:
        return f"<!-- {self.name}: begin -->"

    @property
    def _end(self) -> str:
        return f"<!-- {self.name}: end -->"

    def _parts(self, page: Path) -> tuple[str, str]:
        try:
            text = page.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--write {page} cannot be read ({error.strerror}): name the page") from None
        before, begin, rest = text.partition(self._begin)
        _, end, after = rest.partition(self._end)
        if not begin or not end:
            raise ConfigError(
                f"--write {page}: it has no lines {self._begin} and {self._end}: add them where the tables go"
            )
        return before, after
