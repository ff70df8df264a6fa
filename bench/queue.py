"""Filling the queue, and checking that two sides wrote the same rows."""

from __future__ import annotations

from agent_runtime.errors import AgentRuntimeError
from bench import plain
from bench.postgres import Connection, Database, connect


class NotComparable(AgentRuntimeError):
    """The two sides did not do the same work, so that their figures say nothing."""


async def enqueue(database: Database, count: int, *, one_person: bool = False) -> None:
    """Add pending tasks, spread over the people in turn."""
    async with await connect(database.owner) as connection, connection.transaction():
        await connection.execute(plain.ENQUEUE_CONVERSATIONS, {"count": count, "one_person": one_person})
        await connection.execute(plain.ENQUEUE_TASKS)


async def recorded_rows(database: Database) -> dict[str, int]:
    """How many rows of history there are, by table."""
    async with await connect(database.owner) as connection:
        return await _counts(connection)


def check_same(ours: dict[str, int], bare: dict[str, int]) -> None:
    """Raises `NotComparable` when one side wrote rows that the other did not."""
    if ours != bare:
        raise NotComparable(f"the bare loop did not write the same rows: ours {ours}, bare {bare}")


def added(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What came in between."""
    return {name: after[name] - before[name] for name in after}


async def _counts(connection: Connection) -> dict[str, int]:
    found = await (await connection.execute(plain.RECORDED_ROWS)).fetchone()
    assert found is not None, "a count gives a row"
    return found
