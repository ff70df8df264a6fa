"""A task begun on one machine and finished on another: the second worker has a folder of its own and nothing else."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import yaml
from psycopg.rows import dict_row

from agent_runtime.llm.scripted.server import ScriptedServer
from tests.e2e.test_fleet import rows, start_worker
from tests.worker.tree import tree

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

WORK = (
    "mkdir -p data/old empty; seq 1000 > data/old/a.csv; seq 1000 > same.csv; echo '#!/bin/sh' > run.sh; echo x > gone",
    "mv data/old data/new; sed -i s/1/2/ data/new/a.csv; chmod +x run.sh; rm gone; ln -s data/new/a.csv latest",
)
CUT_SHORT = "echo half > half.txt; rm run.sh; echo 9 > same.csv; sleep 600"
LOOK = "find . -type f -exec sha256sum {} + | sort -k2; test -x run.sh; cat latest | tail -1"


async def test_a_task_whose_worker_was_killed_ends_on_another_with_the_same_files(
    idle_stack: Stack, tmp_path: Path
) -> None:
    commands = (*WORK, CUT_SHORT, LOOK)
    calls = [{"tool_calls": [{"name": "shell_exec", "arguments": {"command": command}}]} for command in commands]
    calls.append({"tool_calls": [{"name": "task_complete", "arguments": {"answer": "Done."}}]})
    script = tmp_path / "script.yaml"
    models = [{"name": "scripted", "capabilities": ["completion", "tools"]}]
    script.write_text(yaml.safe_dump({"models": models, "turns": [{"steps": calls}]}))
    for name in ("a", "b", "expected"):
        (tmp_path / name).mkdir()
    for command in WORK:
        subprocess.run(["bash", "-c", command], cwd=tmp_path / "expected", check=True)

    async with (
        ScriptedServer(script=script) as model,
        await psycopg.AsyncConnection.connect(
            idle_stack.database_url, autocommit=True, row_factory=dict_row
        ) as database,
    ):
        task = await submit(database)
        first = await start_worker(idle_stack, model.base_url, tmp_path / "a", 1)
        second = None
        try:
            async with asyncio.timeout(100):
                begun = tmp_path / "a" / "workspaces" / task
                while (begun / "run.sh").exists() or not (begun / "half.txt").exists():
                    await asyncio.sleep(0.02)
                first.send_signal(signal.SIGKILL)
                await first.wait()
                second = await start_worker(idle_stack, model.base_url, tmp_path / "b", 2)
                while not await rows(
                    database, "select 1 as one from public.tasks where id = %s and completed_at is not null", task
                ):
                    await asyncio.sleep(0.1)
        finally:
            for worker in (first, second):
                if worker is not None and worker.returncode is None:
                    worker.terminate()
                    await worker.wait()

        (ended,) = await rows(database, "select status, attempts, worker_id from public.tasks where id = %s", task)
        assert (ended["status"], ended["attempts"]) == ("completed", 1)
        statuses = await rows(
            database, "select status from public.tool_executions where task_id = %s order by step", task
        )
        assert [row["status"] for row in statuses] == ["completed", "completed", "in_doubt", "completed", "completed"]
        expected = tree(tmp_path / "expected")
        assert {"empty", "data/new/a.csv", "latest", "run.sh", "same.csv"} < set(expected)
        assert tree(tmp_path / "b" / "workspaces" / task) == expected
        # What the model saw there, before anything else ran.
        seen = await rows(
            database,
            "select content from messages where task_id = %s and role = 'tool' order by seq desc limit 1 offset 1",
            task,
        )
        looked = subprocess.run(
            ["bash", "-c", LOOK], cwd=tmp_path / "expected", check=True, capture_output=True, text=True
        )
        assert looked.stdout.strip() in seen[0]["content"]
        await database.execute("delete from auth.users where email like 'travel-%%'")


async def submit(database: psycopg.AsyncConnection[dict[str, Any]]) -> str:
    user = uuid.uuid4()
    await database.execute(
        "insert into auth.users (id, email) values (%s, %s)", [user, f"travel-{user.hex}@example.org"]
    )
    async with database.transaction():
        await database.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true),"
            " set_config('role', 'authenticated', true)",
            [json.dumps({"sub": str(user), "role": "authenticated"}), str(user)],
        )
        (task,) = await rows(database, "select id from public.submit_task('Travel.')")
    return str(task["id"])
