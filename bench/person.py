"""Submitting as a person does: through `submit_task`, under row-level security."""

from __future__ import annotations

import json
import time
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from bench.postgres import Database


class Person:
    """A person of a database, with a connection of their own."""

    def __init__(self, connection: psycopg.AsyncConnection[dict[str, Any]], user: UUID) -> None:
        self._connection, self._user = connection, user

    @classmethod
    async def sit_down(cls, database: Database, number: int = 0) -> Person:
        """The person of that number. Not in autocommit, so that the commit is a moment of its own."""
        connection = await psycopg.AsyncConnection.connect(database.owner, row_factory=dict_row)
        found = await (
            await connection.execute("select id from public.users order by email limit 1 offset %s", [number])
        ).fetchone()
        await connection.commit()
        assert found is not None, "somebody has signed up"
        return cls(connection, found["id"])

    async def submit(self, agent: str | None = None, prompt: str = "Do it.") -> tuple[UUID, float]:
        """The task, and when its commit was sent (seconds of the monotonic clock)."""
        return await self._as_person("select id from public.submit_task(%s, p_agent => %s)", prompt, agent)

    async def cancel(self, task: UUID) -> float:
        """When the commit was sent that asks for the task's end."""
        _, sent = await self._as_person("select id from public.cancel_task(%s)", task)
        return sent

    async def _as_person(self, statement: LiteralString, *parameters: object) -> tuple[UUID, float]:
        claims = json.dumps({"sub": str(self._user), "role": "authenticated"})
        await self._connection.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('role', 'authenticated', true)", [claims]
        )
        found = await (await self._connection.execute(statement, parameters)).fetchone()
        assert found is not None, "it is answered with the task's row"
        sent = time.monotonic()
        await self._connection.commit()
        return found["id"], sent

    async def leave(self) -> None:
        await self._connection.close()
