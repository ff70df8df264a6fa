"""Retiring a month: its rows verify, a signed stub of each chain is left, its partition is dropped; or nothing is."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from agent_runtime.audit.key import AuditKey
from agent_runtime.audit.source import owner_connection
from agent_runtime.audit.verify import OnRows
from agent_runtime.errors import AgentRuntimeError, NotFound

_ROWS_AT_ONCE = 20_000
_PLATFORM = UUID(int=0)


class ChainBroken(AgentRuntimeError):
    """A chain does not verify, so that nothing of it may be dropped."""


def retire(database_url: str, month: date, key: AuditKey, *, on_rows: OnRows) -> tuple[int, int]:
    """Drop a month. How many rows of how many chains it had.

    Raises `InvalidInput` when it is not over or not the oldest, `NotFound` when it has no rows, `ChainBroken`.
    """
    with owner_connection(database_url) as connection, connection.transaction():
        connection.execute("set local lock_timeout = '30s'")
        connection.execute("select private.begin_retiring(%s)", [month])
        stubs = connection.execute(
            "select s.chain, s.row_count, private.audit_stub_text(s) from private.audit_month_stubs(%s, %s) s",
            [month, key.id],
        ).fetchall()
        if not stubs:
            raise NotFound(f"the audit has no rows of {month:%Y-%m}")
        for chain, rows, _ in stubs:
            _verify_rows(connection, None if chain == _PLATFORM else chain, rows, on_rows)
        signatures = {str(chain): key.sign(text).hex() for chain, _, text in stubs}
        connection.execute("select private.finish_retiring(%s, %s, %s)", [month, key.id, Jsonb(signatures)])
    return sum(rows for _, rows, _ in stubs), len(stubs)


def _verify_rows(connection: psycopg.Connection, tenant_id: UUID | None, rows: int, on_rows: OnRows) -> None:
    after: Any = None
    while rows > 0:
        answer = connection.execute(
            "select private.check_audit(%s, %s, %s)",
            [tenant_id, Jsonb(after) if after else None, min(rows, _ROWS_AT_ONCE)],
        ).fetchone()
        assert answer is not None, "a function gives a row"
        if problem := answer[0]["problem"]:
            whose = f"tenant {tenant_id}" if tenant_id else "the platform"
            raise ChainBroken(
                f"the chain of {whose} is broken at row {problem['seq']} ({problem['kind']}: {problem['says']}),"
                " so nothing was dropped: see `agent-runtime audit verify`"
            )
        rows, after = rows - answer[0]["checked"], answer[0]["after"]
        on_rows(answer[0]["checked"])
