"""Where chaos takes place: an embedded stack, durable, with our tools, an agent, people, and worker processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from agent_runtime.local.processes import Child, Program
from agent_runtime.local.stack import Stack
from agent_runtime.toolbox.registry import Registry
from bench.chaos import effects
from bench.chaos.stories import ANSWER, Story, script
from bench.postgres import open_folder

Row = dict[str, Any]

ROOT = Path(__file__).parents[2]
TOOLS = Path(__file__).parent / "tools"
AGENT = "Chaos"
DATABASE_PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.2

ACT_AS = (
    "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true),"
    " set_config('role', 'authenticated', true)"
)


@dataclass(frozen=True)
class Stage:
    """A running stack and what the harness needs of it."""

    stack: Stack
    folder: Path
    people: Sequence[uuid.UUID]

    @property
    def world(self) -> Path:
        """The folder of the effects."""
        return self.folder / "world"

    async def rows(self, query: str, *parameters: Any) -> list[Row]:
        """As the owner of the database. Waits while Postgres is away."""
        async with asyncio.timeout(DATABASE_PATIENCE_SECONDS):
            while True:
                try:
                    async with await self._connect() as connection:
                        cursor = await connection.execute(query, parameters)
                        return await cursor.fetchall() if cursor.description else []
                except psycopg.OperationalError:
                    await asyncio.sleep(RETRY_SECONDS)

    async def submit(self, story: Story, count: int, batch: str) -> None:
        """As people, in turn, each through `submit_task`. `batch` names the tasks; a second time it submits no more."""
        async with asyncio.timeout(DATABASE_PATIENCE_SECONDS):
            while True:
                try:
                    async with await self._connect() as connection:
                        await self._submit(connection, story, count, batch)
                        return
                except psycopg.OperationalError:
                    await asyncio.sleep(RETRY_SECONDS)

    async def _submit(self, connection: psycopg.AsyncConnection[Row], story: Story, count: int, batch: str) -> None:
        for number, person in enumerate(self.people):
            share = range(number, count, len(self.people))
            if not share:
                return
            async with connection.transaction():
                await connection.execute(ACT_AS, [_claims(person), str(person)])
                for task in share:
                    await connection.execute(
                        "select public.submit_task(%s, p_agent => %s, p_title => %s, p_idempotency_key => %s)",
                        [story.prompt, AGENT, f"{story.prompt} {batch}", f"{story.prompt} {batch} {task}"],
                    )

    async def answer_all(self) -> int:
        """Answer each question that a task waits for. Returns how many."""
        waiting = await self.rows("select id, user_id from public.tasks where status = 'waiting'")
        async with await self._connect() as connection:
            for task in waiting:
                async with connection.transaction():
                    await connection.execute(ACT_AS, [_claims(task["user_id"]), str(task["user_id"])])
                    await connection.execute("select public.answer_task(%s, %s)", [task["id"], ANSWER])
        return len(waiting)

    async def start_worker(self, name: str, program: Sequence[str], **settings: str) -> Child:
        """A worker process with a folder of its own, as on a machine of its own. `program` are Python's arguments."""
        home = self.home(name)
        environment = {**os.environ, **self.worker_environment(home), **settings}
        argv = [sys.executable, *program]
        return await Child.start(
            Program(name=name, argv=argv, environment=environment, cwd=home), records=home, logs=home
        )

    def home(self, name: str) -> Path:
        """The folder of a worker, its workspaces and its log."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return home

    def worker_environment(self, home: Path) -> dict[str, str]:
        """The settings of a worker of this stage."""
        return {
            **self.stack.worker_environment,
            "PYTHONPATH": str(ROOT),
            "AGENT_RUNTIME_WORKSPACE_ROOT": str(home / "workspaces"),
            "AGENT_RUNTIME_TOOLS_PATH": json.dumps([str(TOOLS)]),
            "AGENT_RUNTIME_LOG_FORMAT": "json",
            effects.FOLDER: str(self.world),
        }

    async def _connect(self) -> psycopg.AsyncConnection[Row]:
        return await psycopg.AsyncConnection.connect(
            self.stack.database_url, autocommit=True, row_factory=dict_row, connect_timeout=10
        )


@asynccontextmanager
async def open_stage(*, people: int) -> AsyncIterator[Stage]:
    """Durable: an immediate shutdown of Postgres must lose nothing that was committed."""
    async with open_folder() as folder:
        path = folder / "script.yaml"
        path.write_text(yaml.safe_dump(script()), encoding="utf-8")
        (folder / "world" / "keys").mkdir(parents=True)
        async with Stack(folder / "stack", look_for_ollama=False, script=path) as stack:
            stage = Stage(stack, folder, [uuid.uuid4() for _ in range(people)])
            await _prepare(stage)
            yield stage


def keep(stage: Stage) -> Path:
    """Move the workers' logs and the effects away before the folder goes, for whoever looks into a failure."""
    kept = Path(tempfile.mkdtemp(prefix="agent-runtime-chaos-"))
    for file in [*stage.folder.glob("*/*.log*"), *stage.world.glob("*"), *stage.folder.glob("stack/logs/*")]:
        if file.is_file():
            file.rename(kept / f"{file.parent.name}-{file.name}")
    return kept


async def _prepare(stage: Stage) -> None:
    tools = [tool for tool in Registry.load([TOOLS]).declarations() if tool["category"] == "chaos"]
    await stage.rows("select * from public.sync_tools(%s)", Jsonb(tools))
    await stage.rows("update public.tools set is_enabled = true where category = 'chaos'")
    await stage.rows(
        "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public)"
        " values (%s, 'Work.', 'default', %s, true)",
        AGENT,
        [tool["name"] for tool in tools],
    )
    # Dead workers' tasks count as running until they are rescued, and all of them are left to be rescued at once.
    await stage.rows(
        "update public.system_config set config_value = '100000' where config_key = 'max_concurrent_tasks'"
    )
    for number, person in enumerate(stage.people):
        await stage.rows("insert into auth.users (id, email) values (%s, %s)", person, f"chaos-{number}@example.org")


def _claims(person: uuid.UUID) -> str:
    return json.dumps({"sub": str(person), "role": "authenticated"})
