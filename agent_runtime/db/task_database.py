"""What a tool is given of the database: SQL as the owner of one task, under that task's lease."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from agent_runtime.db.store import Store
from agent_runtime.errors import DatabaseUnavailable, ToolRefused
from agent_runtime.records import Lease
from agent_runtime.toolbox.database import Rows

MARGIN_SECONDS = 5.0
"""Between the end of a statement and the end of the call that waits for it."""

_SYNTAX_ERROR = "42601"


class TaskDatabase:
    """One call's `Database`."""

    def __init__(self, store: Store, lease: Lease, execution_id: UUID, timeout_seconds: float) -> None:
        """`timeout_seconds` is the call's."""
        self._store, self._lease, self._execution_id = store, lease, execution_id
        self._statement_seconds = max(timeout_seconds - MARGIN_SECONDS, 1.0)

    async def query(self, sql: str, *, max_rows: int, max_bytes: int) -> Rows:
        try:
            answer = await self._store.query(
                self._lease, sql, max_rows=max_rows, max_bytes=max_bytes, seconds=self._statement_seconds
            )
        except DatabaseUnavailable as error:
            raise ToolRefused(f"no answer to this query: {error}; ask for less at once, or try again") from error
        return _rows(answer, "One SELECT is taken, and nothing else.")

    async def execute_recorded(self, *, max_rows: int, max_bytes: int, max_changed_rows: int) -> Rows:
        seconds = self._statement_seconds
        try:
            # Whoever does not know whether it was carried out asks again, with the same execution: the next run does.
            async with asyncio.timeout(seconds + MARGIN_SECONDS / 2):
                answer = await self._store.execute(
                    self._lease,
                    self._execution_id,
                    max_rows=max_rows,
                    max_bytes=max_bytes,
                    max_changed_rows=max_changed_rows,
                    seconds=seconds,
                )
        except TimeoutError:
            raise DatabaseUnavailable(f"Postgres did not say within {seconds:g} s what became of a change") from None
        return _rows(answer, "One INSERT, UPDATE, DELETE or MERGE is taken, and nothing else.")


def _rows(answer: dict[str, Any], taken: str) -> Rows:
    if "error" not in answer:
        return Rows(answer["columns"], answer["rows"], answer["row_count"], answer["cut"])
    hint = f" {answer['hint']}" if answer.get("hint") else ""
    also = f" {taken}" if answer["sqlstate"] == _SYNTAX_ERROR else ""
    raise ToolRefused(f"the database refused: {answer['error']} (SQLSTATE {answer['sqlstate']}).{hint}{also}")
