"""How fast a cancellation is obeyed: from a person's request until the work has stopped, wherever the task is."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psutil
import yaml

from agent_runtime.llm.scripted.server import ScriptedServer
from agent_runtime.task_run import TaskRunner
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import choose_sandbox
from bench.person import Person
from bench.postgres import Connection, connect, open_pair
from bench.queue import NotComparable
from bench.report import Line, Report, Steps
from bench.worker import running_worker, settings_for

HOW = (
    "{cancels} cancels in each state, one after the other, a real worker with its defaults in this process. From "
    "sending the commit of cancel_task as the person. In a model's answer: until its connection to the model server "
    "closes. In a tool: until each process of a sandboxed `sleep` is gone ({sandbox}). While waiting: until the commit "
    "is answered, for nothing runs. «On record»: until the task's row says cancelled, looked at every 2 ms."
)
PERCENTILES = (50, 95, 99)
SLEEP_SECONDS = 86_413
"""Of the tool: nobody else sleeps as long, so that its processes are known by it."""
LOOK_SECONDS = 0.002
SCRIPT = {
    "models": [{"name": "scripted", "capabilities": ["completion", "tools"], "context_length": 32_768}],
    "turns": [
        {"when": {"user_contains": "in the model"}, "answer": {"text": "never", "delay_seconds": 3600}},
        {
            "when": {"user_contains": "in a tool"},
            "answer": {"tool_calls": [{"name": "shell_exec", "arguments": {"command": f"sleep {SLEEP_SECONDS}"}}]},
        },
        {
            "when": {"user_contains": "while waiting"},
            "answer": {"tool_calls": [{"name": "message_ask", "arguments": {"question": "Which?"}}]},
        },
    ],
}

Stopped = Callable[[], Awaitable[bool]]


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    cancels = 2 if quick else 100
    steps.expect(3 * cancels)
    found: dict[str, list[float]] = {}
    async with AsyncExitStack() as closing:
        pair = await closing.enter_async_context(open_pair(durable=not quick))
        script = pair.folder / "script.yaml"
        await asyncio.to_thread(_write, script)
        server = await closing.enter_async_context(ScriptedServer(script=script))
        sandbox = await asyncio.to_thread(choose_sandbox, False)
        wire = Wire(server.base_url)
        settings = settings_for(pair.ours, pair.folder, model_url=await wire.listen(closing))
        registry = Registry.load([])
        await closing.enter_async_context(
            running_worker(
                settings, lambda store, storage, guard: TaskRunner(settings, store, storage, registry, sandbox, guard)
            )
        )
        person = await Person.sit_down(pair.ours)
        closing.push_async_callback(person.leave)
        eye = await closing.enter_async_context(await connect(pair.ours.owner))
        desk = Desk(person, eye, server, wire)
        for state, cancel in (("model", desk.in_model), ("tool", desk.in_tool), ("waiting", desk.waiting)):
            for _ in range(cancels):
                for what, milliseconds in (await cancel()).items():
                    found.setdefault(f"{state}, {what}", []).append(milliseconds)
                steps.done()
    lines = [
        Line(f"{name}, p{percentile}", "ms", [_percentile(samples, percentile)])
        for name, samples in found.items()
        for percentile in PERCENTILES
    ]
    return Report("from a cancellation to its end", HOW.format(cancels=cancels, sandbox=sandbox.name), lines)


class Wire:
    """Between the worker and its model server: it passes all on, and sees the worker's connections come and go."""

    def __init__(self, url: str) -> None:
        self._host, self._port = url.removeprefix("http://").rsplit(":", 1)
        self._open = 0

    async def listen(self, closing: AsyncExitStack) -> str:
        """Its own URL."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        await closing.enter_async_context(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def is_quiet(self) -> bool:
        """Whether the worker has no connection."""
        return self._open == 0

    async def _pass_on(self, worker: asyncio.StreamReader, to_worker: asyncio.StreamWriter) -> None:
        self._open += 1
        model, to_model = await asyncio.open_connection(self._host, self._port)
        answers = asyncio.create_task(_copy(model, to_worker))
        try:
            await _copy(worker, to_model)
        finally:
            self._open -= 1
            answers.cancel()
            to_model.close()
            to_worker.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await source.read(65_536):
            target.write(piece)
            await target.drain()


class Desk:
    """A person who submits a task, waits until it is where it shall be, and cancels it."""

    def __init__(self, person: Person, eye: Connection, server: ScriptedServer, wire: Wire) -> None:
        self._person, self._eye, self._wire = person, eye, wire
        # The server's own journal: asking for it over HTTP would be a connection more.
        self._journal = cast("Any", server)._server.config.app.state.journal

    async def in_model(self) -> dict[str, float]:
        earlier = len(self._journal.entries) and self._journal.entries[-1].number
        task, _ = await self._person.submit(prompt="Stop in the model.")

        async def asked() -> bool:
            entries = self._journal.entries
            return bool(entries) and entries[-1].path == "/api/chat" and entries[-1].number > earlier

        await _until("the model is asked", asked)
        return await self._cancel(task, self._wire.is_quiet)

    async def in_tool(self) -> dict[str, float]:
        task, _ = await self._person.submit(prompt="Stop in a tool.")
        processes: list[psutil.Process] = []

        async def runs() -> bool:
            processes[:] = await asyncio.to_thread(_sleeping)
            return any(process.name() == "sleep" for process in processes)

        async def gone() -> bool:
            # Not by the number alone, which another process may have by now.
            return not any(process.is_running() for process in processes)

        await _until("the tool runs", runs, 0.05)
        return await self._cancel(task, gone)

    async def waiting(self) -> dict[str, float]:
        task, _ = await self._person.submit(prompt="Stop while waiting.")
        await _until("the task waits", lambda: self._is(task, "waiting"))

        async def nothing() -> bool:
            return True

        return await self._cancel(task, nothing)

    async def _cancel(self, task: UUID, stopped: Stopped) -> dict[str, float]:
        sent = await self._person.cancel(task)
        await _until("the work stops", stopped)
        stopped_at = time.monotonic()
        await _until("the task is cancelled", lambda: self._is(task, "cancelled"))
        return {"stopped": (stopped_at - sent) * 1000, "on record": (time.monotonic() - sent) * 1000}

    async def _is(self, task: UUID, status: str) -> bool:
        found = await (await self._eye.execute("select status from public.tasks where id = %s", [task])).fetchone()
        return found is not None and found["status"] == status


async def _until(what: str, condition: Callable[[], Awaitable[bool]], look_seconds: float = LOOK_SECONDS) -> None:
    ends = time.monotonic() + 60
    while not await condition():
        if time.monotonic() > ends:
            raise NotComparable(f"waited for a minute in vain until {what}")
        await asyncio.sleep(look_seconds)


def _sleeping() -> list[psutil.Process]:
    """The processes of the tool: the sandbox's own, the shell, the sleep."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if str(SLEEP_SECONDS) in " ".join(process.info["cmdline"] or ()):
            found.append(process)
    return found


def _write(script: Path) -> None:
    script.write_text(yaml.safe_dump(SCRIPT), encoding="utf-8")


def _percentile(samples: list[float], percentile: int) -> float:
    return statistics.quantiles(samples, n=100, method="inclusive")[percentile - 1]
