"""The database as a tool sees it: statements as the task's owner, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Rows:
    """What a statement gave."""

    columns: list[str]
    rows: list[list[Any]]
    """Values as JSON has them, each up to 4,000 characters; in the order of `columns`."""
    row_count: int
    """How many rows were read or, of a change, changed."""
    cut: Literal["rows", "bytes", "seconds"] | None = None
    """The limit at which `rows` ends, if there was more."""


class Database(Protocol):
    """Bound to one call of one task. The database decides whose rows there are: the owner's, whatever a statement says.

    Both raise `ToolRefused` with the database's own words for a statement that it refuses or cannot carry out.
    """

    async def query(self, sql: str, *, max_rows: int, max_bytes: int) -> Rows:
        """One SELECT, read-only."""
        ...

    async def execute_recorded(self, *, max_rows: int, max_bytes: int, max_changed_rows: int) -> Rows:
        """The one INSERT, UPDATE, DELETE or MERGE that is on record as this call's argument `sql`, once, however often
        it is asked for. What was approved is what is run."""
        ...
