"""The children of a call that spawned tasks, as its tool sees them."""

from __future__ import annotations

from typing import Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Item(BaseModel):
    """One item, and the newest task that works on it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    item: int
    """Its number, from 1."""
    text: str
    task_id: UUID | None = None
    status: Literal["missing", "pending", "running", "waiting", "paused", "completed", "failed", "cancelled"]
    result: Any = None
    """What the task gave for its result schema."""
    answer: str | None = None
    files: list[str] | None = None
    """What it handed over, by its own paths."""
    error: str | None = None
    tainted: bool | None = None
    tries: int = 0
    """How many tasks worked on it."""

    @property
    def is_gap(self) -> bool:
        return self.status != "completed"


class Standing(BaseModel):
    """How the children of one spawn stand, none of them open any more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    spawn: int
    """Which of the task's spawns, from 1."""
    folder: str
    """Where the children's files are in the workspace: `children/01/report.md` is of the first item."""
    late: bool = False
    """The deadline passed before all had ended."""
    note: str | None = None
    items: list[Item]


class Children(Protocol):
    """Bound to one call of `spawn_tasks` or `retry_tasks`."""

    async def standing(self) -> Standing:
        """Make the children that the call's recorded arguments ask for, once, and say how they stand when all ended.

        Raises `ChildrenOpen`, which ends the run until then; the call is run again. Raises `ToolRefused` for what the
        database refuses, with its words: a limit, a file that is not there.
        """
        ...
