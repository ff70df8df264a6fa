"""Twenty tasks with real tools at once: are all leases renewed in time while commands and browsers want the CPU?"""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import yaml
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from agent_runtime.local.model_server import STAND_IN
from agent_runtime.local.stack import Stack
from agent_runtime.local.worker import WorkerProcess
from bench.postgres import open_folder
from bench.queue import NotComparable
from bench.report import Line, Report, Steps

HOW = (
    "A worker with its default settings but for {tasks} tasks at a time, leases of {lease:g} s, on the embedded stack. "
    "Each task runs a sandboxed command that computes for two seconds, counts in a Python of its own, writes a file "
    "and searches it; every fifth opens a page in a browser of its own. A renewal is due when two thirds of the lease "
    "are left. «Least left»: of all renewals, by the database's clock. Missed: renewed with less than a third left, "
    "when the next one was due. Lost: the lease ended, and somebody else could take the task."
)
LEASE_SECONDS = 30.0
TASKS = 20
PATIENCE_SECONDS = 900.0
TOOLS = ("shell_exec", "python_exec", "file_write", "file_grep", "browser_navigate", "task_complete")
BUSY = 'python3 -c "import time; e = time.process_time() + 2\nwhile time.process_time() < e: sum(range(1000))"'

WATCH = """
create table public.measured_renewals (task uuid not null, left_seconds double precision not null);
create function public.measure_renewal() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into public.measured_renewals values (new.id, extract(epoch from old.lease_expires_at - clock_timestamp()));
  return null;
end $$;
create trigger measure_renewal after update of lease_expires_at on public.tasks for each row
when (new.lease_token = old.lease_token and new.lease_expires_at > old.lease_expires_at)
execute function public.measure_renewal();
"""


async def measure(quick: bool, steps: Steps) -> Report:
    """Seconds and counts."""
    rounds, tasks = (1, 2) if quick else (3, TASKS)
    steps.expect(2 * rounds)
    found: dict[str, list[float]] = {}
    with _served() as page:
        for _ in range(rounds):
            for count in (1, tasks):
                for what, value in (await _round(count, page, quick)).items():
                    found.setdefault(f"{_tasks(count)}: {what}", []).append(value)
                steps.done()
    alone, together = _tasks(1), _tasks(tasks)
    lines = [
        Line(f"{alone}: until all are done", "s", found[f"{alone}: until all are done"]),
        Line(
            f"{together}: until all are done", "s", found[f"{together}: until all are done"],
            against=(f"{alone}: until all are done",),
        ),
        Line(f"{together}: renewals", "", found[f"{together}: renewals"]),
        Line(f"{together}: least left at a renewal", "s", found[f"{together}: least left at a renewal"]),
        Line(f"{together}: renewals missed", "", found[f"{together}: renewals missed"], limit=0),
        Line(f"{together}: leases lost", "", found[f"{together}: leases lost"], limit=0),
    ]  # fmt: skip
    return Report("tasks with tools at once", HOW.format(tasks=tasks, lease=LEASE_SECONDS), lines)


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


async def _round(count: int, page: str, quick: bool) -> dict[str, float]:
    async with open_folder() as folder:
        script = folder / "script.yaml"
        script.write_text(yaml.safe_dump(_script(page)), encoding="utf-8")
        async with Stack(folder / "stack", look_for_ollama=False, script=script, durable=not quick) as stack:
            desk = _Desk(stack.database_url)
            await desk.prepare(page)
            worker = WorkerProcess(
                {
                    **stack.worker_environment,
                    "AGENT_RUNTIME_WORKSPACE_ROOT": str(folder / "workspaces"),
                    "AGENT_RUNTIME_CONCURRENCY": str(count),
                    "AGENT_RUNTIME_LEASE_SECONDS": str(LEASE_SECONDS),
                    "AGENT_RUNTIME_LOG_FORMAT": "json",
                },
                database_url=stack.database_url,
                records=folder,
                logs=folder,
            )
            await worker.start()
            try:
                return await desk.run(count, page)
            finally:
                await worker.stop()


class _Desk:
    """The owner of the database, who submits as a person and reads what was measured."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._person = uuid4()

    async def prepare(self, page: str) -> None:
        await self._rows(WATCH)
        await self._rows("insert into auth.users (id, email) values (%s, 'measured@example.org')", self._person)
        await self._rows(
            "insert into public.agents"
            " (name, system_prompt, model_name, tools_enabled, standing_permissions, is_public)"
            " values ('Measured', 'Work.', 'default', %s, %s, true)",
            list(TOOLS),
            ["shell_exec", "python_exec"],
        )
        await self._rows(
            "update public.tools set is_enabled = true, requires_confirmation = false where name = any(%s)", list(TOOLS)
        )
        await self._rows(
            "update public.system_config set config_value = '1000' where config_key = 'max_concurrent_tasks'"
        )
        await self._rows(
            "update public.tenants set settings = settings || jsonb_build_object('allow_hosts', %s)"
            " where id = (select tenant_id from public.users where id = %s)",
            Jsonb([page.removeprefix("http://")]), self._person,
        )  # fmt: skip

    async def run(self, count: int, page: str) -> dict[str, float]:
        started = time.monotonic()
        for number in range(count):
            await self._submit(f"Work, and look at {page}." if number % 5 == 4 else "Work.")
        await self._until_done()
        lasted = time.monotonic() - started
        (renewals,) = await self._rows(
            "select count(*) as all, count(*) filter (where left_seconds < %s) as missed, min(left_seconds) as least"
            " from public.measured_renewals",
            LEASE_SECONDS / 3,
        )
        (ends,) = await self._rows(
            "select count(*) filter (where status <> 'completed') as failed, sum(attempts) as lost,"
            " (select string_agg(distinct t.name || ' ' || coalesce(e.error_message, ''), '; ')"
            "  from public.tool_executions e join public.tools t on t.id = e.tool_id"
            "  where e.status <> 'completed') as calls"
            " from public.tasks"
        )
        if ends["failed"] or ends["calls"]:
            raise NotComparable(f"{ends['failed']} tasks failed; calls: {ends['calls']}")
        return {
            "until all are done": lasted,
            "renewals": float(renewals["all"]),
            "least left at a renewal": float(renewals["least"] or 0),
            "renewals missed": float(renewals["missed"]),
            "leases lost": float(ends["lost"]),
        }

    async def _submit(self, prompt: str) -> None:
        claims = json.dumps({"sub": str(self._person), "role": "authenticated"})
        async with await self._connect() as connection, connection.transaction():
            await connection.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('role', 'authenticated', true)", [claims]
            )
            await connection.execute("select public.submit_task(%s, p_agent => 'Measured')", [prompt])

    async def _until_done(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                (left,) = await self._rows(
                    "select count(*) as tasks from public.tasks where status in ('pending', 'running')"
                )
                if not left["tasks"]:
                    return
                await asyncio.sleep(0.5)

    async def _rows(self, query: LiteralString, *parameters: Any) -> list[dict[str, Any]]:
        async with await self._connect() as connection:
            cursor = await connection.execute(query, parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def _connect(self) -> psycopg.AsyncConnection[dict[str, Any]]:
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, row_factory=dict_row)


def _script(page: str) -> dict[str, Any]:
    def calls(name: str, **arguments: Any) -> dict[str, Any]:
        return {"tool_calls": [{"name": name, "arguments": arguments}]}

    work = [
        calls("shell_exec", command=BUSY),
        calls("python_exec", code="sum(n * n for n in range(1_000_000))"),
        calls("file_write", path="notes.txt", content="a line\n" * 1_000),
        calls("file_grep", pattern="line"),
    ]
    done = calls("task_complete", answer="Done.")
    return {
        "models": [{"name": STAND_IN, "capabilities": ["completion", "tools"], "context_length": 32_768}],
        "turns": [
            {"when": {"user_contains": "look at"}, "steps": [*work, calls("browser_navigate", url=page), done]},
            {"when": {"user_contains": "Work"}, "steps": [*work, done]},
        ],
    }


@contextmanager
def _served() -> Iterator[str]:
    """A site of one page."""
    with (
        tempfile.TemporaryDirectory() as folder,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Pages, directory=folder)) as server,
    ):
        Path(folder, "index.html").write_text("<title>A page</title><h1>A page</h1>" + "<p>words</p>" * 100)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return
