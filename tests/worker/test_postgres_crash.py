"""A crash of Postgres in the middle of a step: the worker goes on, and what keeps the API alive starts it anew."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from agent_runtime.local.supervisor import keep_alive
from agent_runtime.toolbox.sandbox.choice import Sandbox
from tests.worker.conftest import Office, Row, open_desk, see, working
from tests.worker.test_contract import STEPS, Transport, assert_ran_once, over
from tests.worker.test_worker_life import running_call

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

# The loop that the stack's processes belong to: one of them is started anew.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("transport", ["postgres", "rest"])
async def test_a_run_survives_that_postgres_starts_anew(
    stack: Stack, sandbox: Sandbox, tmp_path: Path, transport: Transport
) -> None:
    async with AsyncExitStack() as closing, open_desk(stack) as desk, kept_alive(stack) as reports:
        office = Office(stack, tmp_path, sandbox, closing)
        await office.serve_steps(*STEPS)
        task_id = await desk.submit()
        # Storage is away for as long as the API needs to start.
        async with working(office, **over(transport, storage_patience_seconds=20)):
            await see(desk, *running_call(task_id))
            # What was committed is to be in the log by then: the tests' Postgres does not wait for that.
            await desk.rows("set synchronous_commit = on")
            await desk.rows("update public.tasks set title = title || '!' where id = %s", task_id)
            (backend,) = await desk.rows("select pg_backend_pid() as pid")
            # A backend that is killed takes all of Postgres down, which then recovers from its log. Connections are
            # accepted until that was noticed: when another backend ends.
            async with await reconnected(office) as other:
                os.kill(backend["pid"], signal.SIGKILL)
                with pytest.raises(psycopg.OperationalError):
                    await other.execute("select pg_sleep(60)")
            (office.workspace_root / str(task_id) / "go").touch()
            desk.connection = await reconnected(office)
            await see(desk, "exists (select from public.tasks where id = %s and completed_at is not null)", task_id)
        await assert_ran_once(desk, office, task_id)
        assert reports[0].startswith("Supabase API ended (exit code 1)")
        log = stack.api.child.log
        assert "a connection to the database is lost" in "".join(
            kept.read_text() for kept in log.parent.glob(f"{log.name}*")
        )


@asynccontextmanager
async def kept_alive(stack: Stack) -> AsyncIterator[list[str]]:
    """The stack's API is started anew when it ends, as under `up`; gives what is reported. It runs afterwards."""
    reports: list[str] = []
    keeper = asyncio.create_task(keep_alive({"Supabase API": stack.api}, reports.append))
    try:
        yield reports
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        if stack.api.child.returncode is not None:
            await stack.api.start()


async def reconnected(office: Office) -> psycopg.AsyncConnection[Row]:
    async with asyncio.timeout(20):
        while True:
            try:
                return await psycopg.AsyncConnection.connect(
                    office.stack.database_url, autocommit=True, row_factory=dict_row
                )
            except psycopg.OperationalError:
                await asyncio.sleep(0.05)
