"""How long a task lies there before an idle worker has it: from the commit of its submission to the claim's answer."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

from agent_runtime.config import Settings
from agent_runtime.db.store import Store
from agent_runtime.interrupt import Interrupt
from agent_runtime.records import Lease, Task
from agent_runtime.storage import Storage
from agent_runtime.task_run import TaskRunner
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox import Refused
from bench import plain
from bench.person import Person
from bench.postgres import Database, connect, open_pair
from bench.report import Line, Report, Steps
from bench.worker import running_worker, settings_for

HOW = (
    "From sending the commit (so its own fsync counts) until the claim is answered; one task at a time, each to an "
    "idle worker. Ours: submit_task as a person, a real worker that listens. Bare: plain inserts with pg_notify, "
    "LISTEN, update … skip locked; no functions or triggers. Both in one process, with connections of their own, "
    "taking turns."
)
PAUSE_SECONDS = 0.02
PERCENTILES = (50, 95, 99)

Arrivals = asyncio.Queue[float]
"""When each claim was answered."""


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    rounds, tasks = (2, 5) if quick else (5, 200)
    steps.expect(rounds * tasks)
    found: dict[str, list[list[float]]] = {"bare loop": [], "ours": []}
    async with open_pair(durable=not quick) as pair, _ours(pair.ours, pair.folder) as ours, _bare(pair.plain) as bare:
        for _ in range(rounds):
            samples: dict[str, list[float]] = {"bare loop": [], "ours": []}
            for _ in range(tasks):
                for name, once in (("bare loop", bare), ("ours", ours)):
                    samples[name].append(await once())
                    await asyncio.sleep(PAUSE_SECONDS)
                steps.done()
            for name, milliseconds in samples.items():
                found[name].append(milliseconds)
    return Report("from submitted to claimed by an idle worker", HOW, _lines(found))


def _lines(found: dict[str, list[list[float]]]) -> list[Line]:
    lines = []
    for percentile in PERCENTILES:
        bare, ours = (f"{name}, p{percentile}" for name in found)
        lines.append(Line(bare, "ms", [_percentile(samples, percentile) for samples in found["bare loop"]]))
        lines.append(Line(ours, "ms", [_percentile(samples, percentile) for samples in found["ours"]], against=(bare,)))
    return lines


def _percentile(samples: list[float], percentile: int) -> float:
    return statistics.quantiles(samples, n=100, method="inclusive")[percentile - 1]


@asynccontextmanager
async def _ours(database: Database, folder: Path) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    arrivals: Arrivals = asyncio.Queue()
    settings = settings_for(database, folder)
    person = await Person.sit_down(database)

    async def once() -> float:
        _, sent = await person.submit()
        return (await _arrival(arrivals) - sent) * 1000

    try:
        async with running_worker(settings, lambda store, storage: _Arrival(settings, store, storage, arrivals)):
            await once()
            yield once
    finally:
        await person.leave()


async def _arrival(arrivals: Arrivals) -> float:
    async with asyncio.timeout(60):
        return await arrivals.get()


class _Arrival(TaskRunner):
    """Notes when a task came, and settles it."""

    def __init__(self, settings: Settings, store: Store, storage: Storage, arrivals: Arrivals) -> None:
        super().__init__(settings, store, storage, Registry([]), Refused("nothing runs here"))
        self._claims, self._arrivals = store, arrivals

    async def run(self, task: Task, lease: Lease, interrupt: Interrupt) -> None:
        arrived = time.monotonic()
        await self._claims.settle(lease, "completed", {"answer": "Done.", "files": []}, None)
        self._arrivals.put_nowait(arrived)


@asynccontextmanager
async def _bare(database: Database) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    arrivals: Arrivals = asyncio.Queue()
    listening = asyncio.Event()
    loop = asyncio.create_task(_listen_and_claim(database, arrivals, listening))

    async with await connect(database.owner) as connection:

        async def once() -> float:
            async with connection.transaction():
                await connection.execute(plain.ENQUEUE_CONVERSATIONS, {"count": 1, "one_person": True})
                await connection.execute(plain.ENQUEUE_TASKS)
                await connection.execute("select pg_notify('measured', '')")
                sent = time.monotonic()
            return (await _arrival(arrivals) - sent) * 1000

        try:
            await listening.wait()
            await once()
            yield once
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop


async def _listen_and_claim(database: Database, arrivals: Arrivals, listening: asyncio.Event) -> None:
    worker: UUID = uuid4()
    async with await connect(database.owner) as listener, await connect(database.owner) as connection:
        await connection.execute(plain.REGISTER, [worker])
        await listener.execute("listen measured")
        listening.set()
        async for _ in listener.notifies():
            task = await (await connection.execute(plain.CLAIM, {"worker": worker})).fetchone()
            assert task is not None, "a notification comes after its task"
            arrived = time.monotonic()
            await connection.execute(plain.SETTLE, {"task": task["id"], "lease": task["lease_token"]})
            arrivals.put_nowait(arrived)
