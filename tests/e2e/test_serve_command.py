"""`agent-runtime serve` as a process: settings that are wrong, signals, and a stream that outlives the server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from agent_runtime.local import ports
from agent_runtime.local.web import WebProcess
from agent_runtime.person.client import Person
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK
from tests.web.live import Client, watching

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack


def serve(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    environment = {**kept, "HOME": str(folder), "AGENT_RUNTIME_WEB_BUNDLE": str(folder), **settings}
    return subprocess.run(
        [sys.executable, "-m", "agent_runtime", "serve", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


URL, KEY = {"SUPABASE_URL": "http://127.0.0.1:9"}, {"SUPABASE_PUBLISHABLE_KEY": "k"}
AWAY = {"DATABASE_URL": "postgresql://agent_worker:hunter2@127.0.0.1:9/postgres"}


@pytest.mark.parametrize(
    ("settings", "arguments", "named"),
    [
        ({}, (), "SUPABASE_URL is not set"),
        (URL, (), "SUPABASE_PUBLISHABLE_KEY is not set"),
        (URL | {"SUPABASE_PUBLISHABLE_KEY": "sb_secret_hunter2"}, (), "publishable key"),
        (URL | KEY | {"AGENT_RUNTIME_WEB_BUNDLE": "/nowhere"}, (), "AGENT_RUNTIME_WEB_BUNDLE"),
        (URL | KEY, ("--host", "198.51.100.7"), "cannot listen"),
        (URL | KEY | AWAY, ("--port", "0"), "does not answer"),
    ],
)
def test_what_is_wrong_is_one_line(
    settings: dict[str, str], arguments: tuple[str, ...], named: str, tmp_path: Path
) -> None:
    (tmp_path / "index.html").touch()
    ran = serve(tmp_path, *arguments, **settings)
    assert ran.returncode in (1, 2)
    assert named in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "hunter2" not in ran.stdout + ran.stderr


async def test_a_server_that_is_killed_or_stopped_loses_and_repeats_nothing_for_who_goes_on(
    stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "index.html").touch()
    session = await new_person(stack)
    async with Person(session, keep=False) as person:
        task = (await person.submit("Do it.")).id

        enough = asyncio.Event()

        async def write() -> None:
            while not enough.is_set():
                await person.answer(task, "More.")
            await person.cancel(task)

        port = ports.choose(None, taken=set())
        writing = asyncio.create_task(write())
        ids: list[int] = []
        for end in (signal.SIGKILL, signal.SIGTERM):
            async with _running(stack, tmp_path, port) as server:
                async with watching(server.url, task, session.access_token, after=ids[-1] if ids else None) as client:
                    await client.until_kind("caught_up")
                    await client.until_kind("task_event")
                    os.kill(server.child.pid, end)
                    reason = await _rest(client)
                    assert reason == ("shutdown" if end == signal.SIGTERM else None)
                    ids += client.ids
                stopped = time.monotonic()
                assert await server.child.wait() == (0 if end == signal.SIGTERM else -end)
                assert time.monotonic() - stopped < 30
        async with _running(stack, tmp_path, port) as server:
            async with watching(server.url, task, session.access_token, after=ids[-1]) as client:
                enough.set()
                await client.until(
                    lambda event: event.kind == "task_event" and event.data["payload"].get("status") == "cancelled"
                )
                ids += client.ids
            await writing
            async with httpx.AsyncClient(**LOOPBACK) as http:
                metrics = (await http.get(f"{server.url}/metrics")).text
            assert "agent_runtime_web_streams_opened_total 1\n" in metrics
        assert ids == [event.id for event in await person.events(task)]


async def _rest(client: Client) -> str | None:
    """Read until the stream breaks or ends; why."""
    try:
        end = await client.until_kind("end")
    except (httpx.HTTPError, AssertionError):
        return None
    reason: str = end.data["reason"]
    assert await client.next() is None
    return reason


@asynccontextmanager
async def _running(stack: Stack, folder: Path, port: int) -> AsyncIterator[WebProcess]:
    settings = {
        "DATABASE_URL": stack.worker_database_url,
        "SUPABASE_URL": stack.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
        # Whether a checkout's own build is fresh is not the question here.
        "AGENT_RUNTIME_WEB_BUNDLE": str(folder),
    }
    place = folder / uuid.uuid4().hex
    place.mkdir()
    server = WebProcess(settings, port=port, records=place, logs=place)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
