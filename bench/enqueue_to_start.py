"""How long a task lies there before an idle worker has it: from the commit of its submission to the claim's answer."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

from agent_runtime.config import Settings
from agent_runtime.db.store import Store
from agent_runtime.interrupt import Interrupt
from agent_runtime.lease import LeaseGuard
from agent_runtime.records import Lease, Task
from agent_runtime.storage import Storage
from agent_runtime.task_run import TaskRunner
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from bench import plain
from bench.peers import missing
from bench.peers import procrastinate as procrastinate_peer
from bench.person import Person
from bench.postgres import Database, Pair, connect, open_pair, peer_database
from bench.report import Line, Report, Steps
from bench.worker import running_worker, settings_for

HOW = (
    "From sending the commit (so its own fsync counts) until the claim is answered; one task at a time, each to an "
    "idle worker. Ours: submit_task as a person, a real worker that listens. Bare: plain inserts with pg_notify, "
    "LISTEN, update … skip locked; no functions or triggers. procrastinate: defer in a transaction, its worker "
    "with its defaults, until the job's function is entered. All in one process, with connections of their own, taking "
    "turns."
)
PAUSE_SECONDS = 0.02
PERCENTILES = (50, 95, 99)

Arrivals = asyncio.Queue[float]
"""When each claim was answered."""


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    rounds, tasks = (2, 5) if quick else (5, 200)
    steps.expect(rounds * tasks)
    found: dict[str, list[list[float]]] = {}
    left_out = missing("procrastinate")
    async with AsyncExitStack() as closing:
        pair = await closing.enter_async_context(open_pair(durable=not quick))
        systems = {
            "bare loop": await closing.enter_async_context(_bare(pair.plain)),
            "ours": await closing.enter_async_context(_ours(pair.ours, pair.folder)),
        }
        if not left_out:
            systems["procrastinate"] = await closing.enter_async_context(_procrastinate(pair))
        for _ in range(rounds):
            samples: dict[str, list[float]] = {name: [] for name in systems}
            for _ in range(tasks):
                for name, once in systems.items():
                    samples[name].append(await once())
                    await asyncio.sleep(PAUSE_SECONDS)
                steps.done()
            for name, milliseconds in samples.items():
                found.setdefault(name, []).append(milliseconds)
    how = f"{HOW} {left_out}" if left_out else HOW
    return Report("from submitted to claimed by an idle worker", how, _lines(found))


def _lines(found: dict[str, list[list[float]]]) -> list[Line]:
    lines = []
    for percentile in PERCENTILES:
        bare = f"bare loop, p{percentile}"
        for name, rounds in found.items():
            figures = [_percentile(samples, percentile) for samples in rounds]
            lines.append(Line(f"{name}, p{percentile}", "ms", figures, against=() if name == "bare loop" else (bare,)))
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
        async with running_worker(
            settings, lambda store, storage, guard: _Arrival(settings, store, storage, guard, arrivals)
        ):
            await once()
            yield once
    finally:
        await person.leave()


async def _arrival(arrivals: Arrivals) -> float:
    async with asyncio.timeout(60):
        return await arrivals.get()


class _Arrival(TaskRunner):
    """Notes when a task came, and settles it."""

    def __init__(
        self, settings: Settings, store: Store, storage: Storage, guard: LeaseGuard, arrivals: Arrivals
    ) -> None:
        super().__init__(settings, store, storage, Registry([]), Refused("nothing runs here"), guard)
        self._claims, self._arrivals = store, arrivals

    async def run(self, task: Task, lease: Lease, interrupt: Interrupt) -> None:
        arrived = time.monotonic()
        await self._claims.settle(lease, "completed", {"answer": "Done.", "files": []}, None)
        self._arrivals.put_nowait(arrived)


@asynccontextmanager
async def _procrastinate(pair: Pair) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    conninfo = await peer_database(pair.postgres, "procrastinate")
    await procrastinate_peer.install(conninfo)
    arrivals: Arrivals = asyncio.Queue()
    async with procrastinate_peer.open_arrivals(conninfo, arrivals) as defer:

        async def once() -> float:
            sent = await defer()
            return (await _arrival(arrivals) - sent) * 1000

        await once()
        yield once


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
