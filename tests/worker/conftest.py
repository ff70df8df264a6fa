"""A person with a task, a worker in this process, and a scripted model: what the worker's tests are made of.

desk      submits tasks as a person, and looks at what became of them
script    writes a script for the model server and serves it
work      runs a real worker until nothing is pending
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import pytest_asyncio
import yaml
from psycopg.rows import dict_row

from agent_runtime.config import Settings
from agent_runtime.llm.scripted.server import ScriptedServer
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Sandbox, choose_sandbox
from agent_runtime.worker import Worker, open_worker
from tests.conftest import CLEAR_THE_QUEUE

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

Row = dict[str, Any]


class Desk:
    """A person's desk: files tasks through submit_task under row-level security, reads rows as the owner."""

    def __init__(self, connection: psycopg.AsyncConnection[Row], user: uuid.UUID) -> None:
        self.connection = connection
        self.user = user

    async def submit(self, prompt: str = "Do it.", **named: Any) -> uuid.UUID:
        """`named` are submit_task's other parameters, without p_."""
        arguments = {"p_prompt": prompt} | {f"p_{name}": value for name, value in named.items()}
        text = ", ".join(f"{name} => %({name})s" for name in arguments)
        task = await self.as_person(f"select * from public.submit_task({text})", arguments)
        found: uuid.UUID = task[0]["id"]
        return found

    async def as_person(self, statement: str, parameters: Any = None) -> list[Row]:
        claims = json.dumps({"sub": str(self.user), "role": "authenticated"})
        async with self.connection.transaction():
            await self.connection.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true),"
                " set_config('role', 'authenticated', true)",
                [claims, str(self.user)],
            )
            cursor = await self.connection.execute(statement, parameters)
            return await cursor.fetchall()

    async def rows(self, statement: str, *parameters: Any) -> list[Row]:
        cursor = await self.connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description else []

    async def task(self, task_id: uuid.UUID) -> Row:
        return (await self.rows("select * from public.tasks where id = %s", task_id))[0]

    async def executions(self, task_id: uuid.UUID) -> list[Row]:
        return await self.rows(
            "select e.*, t.name as tool_name from public.tool_executions e join public.tools t on t.id = e.tool_id"
            " where task_id = %s order by step, call_index",
            task_id,
        )

    async def messages(self, task_id: uuid.UUID, role: str) -> list[str]:
        found = await self.rows(
            "select content from public.messages where task_id = %s and role = %s order by seq", task_id, role
        )
        return [row["content"] for row in found]


class Office:
    """Everything a worker needs: settings of the shared stack, a model server of this test, a sandbox."""

    def __init__(self, stack: Stack, folder: Path, sandbox: Sandbox, closing: AsyncExitStack) -> None:
        self.stack = stack
        self.folder = folder
        self.model_url = "http://127.0.0.1:9"
        self.tools_path: list[Path] = []
        self.storage_url = stack.supabase_url
        self.workspace_root = folder / "workspaces"
        self._sandbox = sandbox
        self._closing = closing

    async def serve(self, *turns: Row, capabilities: tuple[str, ...] = ("completion", "tools")) -> ScriptedServer:
        """Serve a model that follows these turns."""
        models = [{"name": "scripted", "capabilities": list(capabilities), "context_length": 32768}]
        path = self.folder / f"{uuid.uuid4().hex}.yaml"
        path.write_text(yaml.safe_dump({"models": models, "turns": list(turns)}))
        server = await self._closing.enter_async_context(ScriptedServer(script=path))
        self.model_url = server.base_url
        return server

    async def serve_steps(self, *answers: Row) -> ScriptedServer:
        """Serve a model that gives these answers, one after the other, to every task."""
        return await self.serve({"steps": list(answers)})

    def settings(self, **more: Any) -> Settings:
        return Settings(
            **{
                "DATABASE_URL": self.stack.worker_database_url,
                "SUPABASE_URL": self.storage_url,
                "SUPABASE_SECRET_KEY": self.stack.secret_key,
                "vault_key": self.stack.secrets.vault_key,
                "model_url": self.model_url,
                "model": "scripted",
                "model_attempts": 1,
                "storage_patience_seconds": 0.1,
                "workspace_root": self.workspace_root,
                "tools_path": self.tools_path,
                **more,
            },
        )

    async def worker(self, closing: AsyncExitStack, **more: Any) -> Worker:
        settings = self.settings(**more)
        registry = Registry.load(settings.tools_path)
        return await closing.enter_async_context(open_worker(settings, registry, self._sandbox))

    async def work(self, **more: Any) -> None:
        """Run a worker until nothing is pending."""
        async with AsyncExitStack() as closing:
            await (await self.worker(closing, **more)).run(drain=True)


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return choose_sandbox(allow_unsandboxed=False)


@pytest_asyncio.fixture
async def office(stack: Stack, tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Office]:
    async with AsyncExitStack() as closing:
        yield Office(stack, tmp_path, sandbox, closing)


@pytest_asyncio.fixture
async def desk(stack: Stack) -> AsyncIterator[Desk]:
    async with open_desk(stack) as desk:
        yield desk


@asynccontextmanager
async def open_desk(stack: Stack) -> AsyncIterator[Desk]:
    async with await psycopg.AsyncConnection.connect(
        stack.database_url, autocommit=True, row_factory=dict_row
    ) as connection:
        await connection.execute(CLEAR_THE_QUEUE)
        user = uuid.uuid4()
        await connection.execute(
            "insert into auth.users (id, email) values (%s, %s)", [user, f"{user.hex}@example.org"]
        )
        seated = Desk(connection, user)
        yield seated
        # A test may have had to connect anew.
        async with seated.connection as last:
            await last.execute("delete from auth.users where id = %s", [user])


def call(name: str, **arguments: Any) -> Row:
    """An answer of the model with one tool call."""
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


def calls(*answers: Row) -> Row:
    """An answer of the model with several tool calls."""
    return {"tool_calls": [made for answer in answers for made in answer["tool_calls"]]}


DONE = call("task_complete", answer="Done.")


@asynccontextmanager
async def working(office: Office, **more: object) -> AsyncIterator[Worker]:
    """A worker that works beside the test until the block ends."""
    async with AsyncExitStack() as closing:
        worker = await office.worker(closing, **more)
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await running


async def see(desk: Desk, condition: str, *parameters: object) -> None:
    """Wait until a query over the database finds a row; each change of a task or an execution wakes the look."""
    # Long, for a machine that is busy.
    async with asyncio.timeout(60):
        while not await desk.rows(f"select 1 as one where {condition}", *parameters):
            await asyncio.sleep(0.02)
