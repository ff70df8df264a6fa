"""How many tasks a second can be claimed and settled: the cost of the state machine, with nothing in between."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.synchronize import Barrier
from uuid import uuid4

from agent_runtime.db.store import open_store
from agent_runtime.records import Lease
from bench import plain
from bench.peers import dbos, missing, procrastinate
from bench.postgres import Pair, connect, open_pair, peer_database
from bench.queue import NotComparable, added, check_same, enqueue, recorded_rows
from bench.report import Line, Report, Steps

HOW = (
    "Each worker is a process with one connection and claims one task at a time. Bare loop: update … where id = "
    "(select … for no key update skip locked), then update to completed; no functions, triggers, audit or timeline. "
    "With records: it writes the audit's and the timeline's rows too. Two commits a task in these. procrastinate: its "
    "workers, each of one job at a time. DBOS: a queue of workflows that do nothing, polled every {polling:g} s, each "
    "process as many at once as it wants (its default), from the first start to the last end on record. Neither peer "
    "has an audit."
)
WORKERS = (1, 4)
PEOPLE = 20
WARM_UP = 10
"""Tasks for each process before the clock starts: a worker's session is long-lived and has its plans."""
BARRIER_SECONDS = 60.0

# A finished claim-and-settle, or False when nothing was pending.
Round = Callable[[], Awaitable[bool]]

VARIANTS = ("bare loop", "bare loop with records", "ours")
PEERS = {"procrastinate": procrastinate.open_rates, "dbos": dbos.open_rates}


async def measure(quick: bool, steps: Steps) -> Report:
    """Tasks per second."""
    rounds, tasks = (1, 12) if quick else (5, 600)
    steps.expect(rounds * len(WORKERS) * (len(VARIANTS) + 1))
    figures: dict[str, list[float]] = {}
    left_out = {name: line for name in PEERS if (line := missing(name))}
    async with open_pair(people=PEOPLE, durable=not quick) as pair:
        urls = {name: await peer_database(pair.postgres, name) for name in PEERS if name not in left_out}
        if "procrastinate" in urls:
            await procrastinate.install(urls["procrastinate"])
        for workers in WORKERS:
            async with AsyncExitStack() as closing:
                pool = closing.enter_context(_processes(workers))
                # The peers' processes take seconds to start: what only shows that it runs does without most of them.
                chosen = urls if workers == 1 or not quick else {}
                peers = {name: await closing.enter_async_context(PEERS[name](urls[name], workers)) for name in chosen}
                for _ in range(rounds):
                    for variant in VARIANTS:
                        rate = await _round(pair, pool, variant, workers, tasks)
                        figures.setdefault(_label(variant, workers), []).append(rate)
                        steps.done()
                    if workers > 1:
                        rate = await _round(pair, pool, "ours", workers, tasks, one_person=True)
                        figures.setdefault(_one_person(workers), []).append(rate)
                    for name, peer in peers.items():
                        figures.setdefault(_label(name, workers), []).append(await peer(tasks))
                    steps.done()
    how = " ".join([HOW.format(polling=dbos.POLLING_SECONDS), *left_out.values()])
    return Report("claim and settle", how, list(_lines(figures)))


def _lines(figures: dict[str, list[float]]) -> Iterator[Line]:
    for workers in WORKERS:
        bare, recorded, ours = (_label(variant, workers) for variant in VARIANTS)
        yield Line(bare, "tasks/s", figures[bare])
        yield Line(recorded, "tasks/s", figures[recorded], against=(bare,))
        peers = [peer for name in PEERS if (peer := _label(name, workers)) in figures]
        for peer in peers:
            yield Line(peer, "tasks/s", figures[peer], against=(bare,))
        yield Line(ours, "tasks/s", figures[ours], against=(bare, recorded, *peers))
    crowded = _one_person(WORKERS[-1])
    yield Line(crowded, "tasks/s", figures[crowded], against=(_label("ours", WORKERS[-1]),))


def _label(variant: str, workers: int) -> str:
    return f"{variant}, {workers} worker{'s' if workers > 1 else ''}"


def _one_person(workers: int) -> str:
    return f"{_label('ours', workers)}, all tasks of one person"


async def _round(
    pair: Pair, pool: ProcessPoolExecutor, variant: str, workers: int, tasks: int, *, one_person: bool = False
) -> float:
    database = pair.ours if variant == "ours" else pair.plain
    await enqueue(database, tasks + WARM_UP * workers, one_person=one_person)
    before = await recorded_rows(database)
    conninfo = database.worker if variant == "ours" else database.owner
    loop = asyncio.get_running_loop()
    spans = await asyncio.gather(*(loop.run_in_executor(pool, drain, variant, conninfo) for _ in range(workers)))
    if (done := sum(count for count, _, _ in spans)) != tasks:
        raise NotComparable(f"{variant}: {done} of {tasks} tasks were settled while the clock ran")
    _check_same_work(variant, added(before, await recorded_rows(database)), tasks + WARM_UP * workers)
    return tasks / (max(ended for _, _, ended in spans) - min(started for _, started, _ in spans))


def _check_same_work(variant: str, rows: dict[str, int], tasks: int) -> None:
    per_task = {"task_events": 3, "audit_logs": 2} if variant != "bare loop" else {}
    check_same(rows, {name: per_task.get(name, 0) * tasks for name in rows})


@contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    # A server that has imported everything forks them: neither this process's threads nor its imports are copied.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "bench.claim_settle"])
    barrier = context.Barrier(workers)
    with ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(barrier,)) as pool:
        yield pool


_barrier: Barrier


def _prepare(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier
    # Ctrl-C is for the process that waits for us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def drain(variant: str, conninfo: str) -> tuple[int, float, float]:
    """In a process of its own: claim and settle until nothing is pending. How many, and when it began and ended."""
    return asyncio.run(_OPEN[variant](conninfo))


async def _drain(once: Round) -> tuple[int, float, float]:
    for _ in range(WARM_UP):
        await once()
    await asyncio.to_thread(_barrier.wait, BARRIER_SECONDS)
    count, started = 0, time.monotonic()
    ended = started
    while await once():
        count, ended = count + 1, time.monotonic()
    return count, started, ended


async def _drain_ours(conninfo: str) -> tuple[int, float, float]:
    async with open_store(conninfo, uuid4(), connections=1, patience_seconds=10) as store:
        await store.register("measured", 1, "0", 1)

        async def once() -> bool:
            for task in await store.claim(1, 30):
                assert task.lease_token is not None, "a claimed task has a lease"
                lease = Lease(task_id=task.id, token=task.lease_token)
                await store.settle(lease, "completed", {"answer": "Done.", "files": []}, None)
                return True
            return False

        return await _drain(once)


async def _drain_bare(conninfo: str, claim: str = plain.CLAIM, settle: str = plain.SETTLE) -> tuple[int, float, float]:
    async with await connect(conninfo) as connection:
        worker = uuid4()
        await connection.execute(plain.REGISTER, [worker])

        async def once() -> bool:
            task = await (await connection.execute(claim, {"worker": worker})).fetchone()
            if task is None:
                return False
            await connection.execute(settle, {"task": task["id"], "lease": task["lease_token"]})
            return True

        return await _drain(once)


async def _drain_recorded(conninfo: str) -> tuple[int, float, float]:
    return await _drain_bare(conninfo, plain.CLAIM_WITH_RECORDS, plain.SETTLE_WITH_RECORDS)


_OPEN = {"bare loop": _drain_bare, "bare loop with records": _drain_recorded, "ours": _drain_ours}
