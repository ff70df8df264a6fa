"""A fleet: several worker processes on one database, one of them killed in the middle of its work."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import uuid
from asyncio.subprocess import Process
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import yaml
from psycopg.rows import dict_row

from agent_runtime.llm.scripted.server import ScriptedServer

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

TASKS, WORKERS, CONCURRENCY = 200, 4, 8
LEASE_SECONDS = 4


async def test_200_tasks_on_4_workers_end_exactly_once_though_one_worker_is_killed(
    idle_stack: Stack, tmp_path: Path
) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(
        yaml.safe_dump(
            {
                "models": [{"name": "scripted", "capabilities": ["completion", "tools"]}],
                "turns": [
                    {
                        "steps": [
                            {"tool_calls": [{"name": "file_write", "arguments": {"path": "a.txt", "content": "x"}}]},
                            {"tool_calls": [{"name": "task_complete", "arguments": {"answer": "Done."}}]},
                        ]
                    }
                ],
            }
        )
    )
    async with (
        ScriptedServer(script=script) as model,
        await psycopg.AsyncConnection.connect(
            idle_stack.database_url, autocommit=True, row_factory=dict_row
        ) as database,
    ):
        await submit_tasks(database)
        workers = [await start_worker(idle_stack, model.base_url, tmp_path, number) for number in range(WORKERS)]
        try:
            async with asyncio.timeout(100):
                victim = await busy_worker(database, {worker.pid: worker for worker in workers})
                victim.send_signal(signal.SIGKILL)
                await until_all_ended(database)
        finally:
            for worker in workers:
                if worker.returncode is None:
                    worker.terminate()
            codes = [await worker.wait() for worker in workers]

        assert sorted(codes) == [-signal.SIGKILL, 0, 0, 0]
        tasks = await rows(database, "select status, attempts from public.tasks where title like 'fleet %%'")
        assert Counter(task["status"] for task in tasks) == {"completed": TASKS}
        ends = await rows(
            database,
            "select e.task_id, count(*) as ends from public.task_events e join public.tasks t on t.id = e.task_id"
            " where t.title like 'fleet %%' and e.kind = 'task.status' and e.payload ->> 'status' = 'completed'"
            " group by 1",
        )
        assert [end["ends"] for end in ends] == [1] * TASKS
        resumed = sum(task["attempts"] for task in tasks)
        print(f"{resumed} tasks were resumed from the killed worker")
        assert 1 <= resumed <= CONCURRENCY
        await database.execute("delete from auth.users where email like 'fleet-%%'")


async def submit_tasks(database: psycopg.AsyncConnection[dict[str, Any]]) -> None:
    """For 10 people, since one may run only as many at a time as max_concurrent_tasks says."""
    for person in range(10):
        user = uuid.uuid4()
        await database.execute(
            "insert into auth.users (id, email) values (%s, %s)", [user, f"fleet-{person}@example.org"]
        )
        async with database.transaction():
            await database.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true),"
                " set_config('role', 'authenticated', true)",
                [json.dumps({"sub": str(user), "role": "authenticated"}), str(user)],
            )
            await database.execute(
                "select public.submit_task('Write a file.', p_title => 'fleet ' || n) from generate_series(1, %s) n",
                [TASKS // 10],
            )


async def start_worker(stack: Stack, model_url: str, folder: Path, number: int) -> Process:
    environment = {
        **os.environ,
        **stack.worker_environment,
        "AGENT_RUNTIME_MODEL_URL": model_url,
        "AGENT_RUNTIME_MODEL": "scripted",
        "AGENT_RUNTIME_LEASE_SECONDS": str(LEASE_SECONDS),
        "AGENT_RUNTIME_WORKSPACE_ROOT": str(folder / "workspaces"),
    }
    with (folder / f"worker-{number}.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent_runtime", "run", "--concurrency", str(CONCURRENCY),
            env=environment, stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip


async def busy_worker(database: psycopg.AsyncConnection[dict[str, Any]], workers: dict[int, Process]) -> Process:
    """A worker that runs something at the moment in which half of the tasks have ended."""
    while True:
        found = await rows(
            database,
            "select w.pid from public.tasks t join public.workers w on w.id = t.worker_id"
            " where t.status = 'running' and t.title like 'fleet %%'"
            " and (select count(*) from public.tasks d where d.title like 'fleet %%' and d.status = 'completed') >= %s"
            " group by 1 having count(*) >= 2 limit 1",
            TASKS // 2,
        )
        if found and found[0]["pid"] in workers:
            return workers[found[0]["pid"]]
        await asyncio.sleep(0.01)


async def until_all_ended(database: psycopg.AsyncConnection[dict[str, Any]]) -> None:
    while await rows(
        database, "select 1 as one from public.tasks where title like 'fleet %%' and completed_at is null limit 1"
    ):
        await asyncio.sleep(0.1)


async def rows(database: psycopg.AsyncConnection[dict[str, Any]], query: str, *parameters: Any) -> list[dict[str, Any]]:
    return await (await database.execute(query, parameters)).fetchall()
