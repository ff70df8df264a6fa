"""Storage that stops in the middle of a run and comes back: the work goes on, and its files follow."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent_runtime.toolbox.sandbox.choice import Sandbox
from agent_runtime.worker import Worker
from tests.worker.conftest import DONE, Desk, Office, open_desk
from tests.worker.test_workspace_travels import ASK, answer, newest, one_by_one, shell

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

# The loop that the stack's processes belong to: the test stops and starts one of them.
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_while_storage_is_away_the_work_goes_on_and_the_files_follow(
    stack: Stack, sandbox: Sandbox, tmp_path: Path
) -> None:
    async with AsyncExitStack() as opened, open_desk(stack) as desk:
        office = Office(stack, tmp_path, sandbox, opened)
        await office.serve(
            *one_by_one(
                shell("echo kept > early.txt"),
                shell("until [ -e go ]; do sleep 0.02; done; rm go; echo made while Storage was away > late.txt"),
                ASK,
                shell("cat early.txt late.txt"),
                DONE,
            )
        )
        task_id = await desk.submit()
        async with AsyncExitStack() as closing:
            worker = await office.worker(closing)
            working = asyncio.create_task(worker.run())
            closing.push_async_callback(ended, worker, working)
            await until(desk, "public.files where task_id = %s and filename = 'early.txt'", task_id)
            await office.stack.api.stop()
            (office.workspace_root / str(task_id) / "go").touch()
            try:
                await until(desk, "public.files where task_id = %s and not is_stored", task_id)
                # At the end of the run only this worker has the file, so the task is given back for later.
                await until(
                    desk,
                    "public.tasks where id = %s and status = 'pending' and run_after is not null",
                    task_id,
                )
            finally:
                await office.stack.api.start()
            await desk.rows("update public.tasks set run_after = now() where id = %s", task_id)
            await until(desk, "public.tasks where id = %s and status = 'waiting'", task_id)
        told = (await desk.messages(task_id, "tool"))[1]
        assert "only this worker has late.txt" in told
        assert [row["is_stored"] for row in (await newest(desk, task_id)).values()] == [True, True]

        await answer(desk, task_id)
        office.workspace_root = tmp_path / "elsewhere"
        await office.work()
        assert (await desk.task(task_id))["status"] == "completed"
        assert "made while Storage was away" in (await desk.messages(task_id, "tool"))[-2]


async def ended(worker: Worker, working: asyncio.Task[None]) -> None:
    worker.stop()
    await working


async def until(desk: Desk, rows: str, *parameters: Any) -> None:
    async with asyncio.timeout(60):
        while not await desk.rows(f"select 1 as one from {rows}", *parameters):
            await asyncio.sleep(0.02)
