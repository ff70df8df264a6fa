"""DBOS in processes of its own: its workflows, and its queue with its workers.

Its state is the process's, its threads poll, and it logs; none of that shall touch what else is measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from bench.postgres import connect, url_of

Runs = Callable[[int], Awaitable[float]]

Rates = Callable[[int], Awaitable[float]]
POLLING_SECONDS = 0.01
"""Of its queue's workers; its default is a second."""
QUEUE = "measured"
VERSION = "1"

ENDED = """
select count(*) filter (where status = 'SUCCESS') as ended,
       coalesce(max(completed_at) - min(started_at_epoch_ms), 0)::float / 1000 as seconds
from dbos.workflow_status where workflow_uuid = any(%s)
"""

_workflow: Any


@asynccontextmanager
async def open_workflows(conninfo: str, steps: int) -> AsyncIterator[Runs]:
    """A function that runs so many workflows, one after the other, and gives the seconds."""
    context = multiprocessing.get_context("spawn")
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, context, initializer=_launch, initargs=(url_of(conninfo), steps)) as pool:
        try:
            yield lambda runs: loop.run_in_executor(pool, _run, runs)
        finally:
            await loop.run_in_executor(pool, _destroy)


def _launch(url: str, steps: int) -> None:
    global _workflow
    from dbos import DBOS

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def nothing(number: int) -> str:
        return "done"

    step = DBOS.step(name="nothing")(nothing)

    def work() -> list[str]:
        return [step(number) for number in range(steps)]

    _workflow = DBOS.workflow(name="measured")(work)
    DBOS(config=settings(url))
    DBOS.launch()


def settings(url: str) -> Any:
    """With its defaults, but for what only costs: the admin server and the log."""
    return {"name": "measured", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"}


def _run(runs: int) -> float:
    started = time.perf_counter()
    for _ in range(runs):
        _workflow()
    return time.perf_counter() - started


def _destroy() -> None:
    from dbos import DBOS

    DBOS.destroy()


@asynccontextmanager
async def open_rates(conninfo: str, workers: int) -> AsyncIterator[Rates]:
    """A function that has so many queued workflows worked off by the processes, and gives the workflows per second."""
    from dbos import DBOSClient

    url = url_of(conninfo)
    await asyncio.to_thread(_make_queue, url)
    client = await asyncio.to_thread(lambda: DBOSClient(system_database_url=url))

    async def rate(workflows: int) -> float:
        ids = await asyncio.to_thread(_enqueue, client, workflows)
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        processes = [context.Process(target=_work, args=(url, stop), daemon=True) for _ in range(workers)]
        for process in processes:
            process.start()
        try:
            return await _rate(conninfo, ids)
        finally:
            stop.set()
            for process in processes:
                await asyncio.to_thread(process.join, 30)

    try:
        yield rate
    finally:
        await asyncio.to_thread(client.destroy)


def _enqueue(client: Any, workflows: int) -> list[str]:
    options = {"queue_name": QUEUE, "workflow_name": "measured", "app_version": VERSION}
    return [client.enqueue(options).workflow_id for _ in range(workflows)]


async def _rate(conninfo: str, ids: list[str]) -> float:
    """Of those workflows, by the database's own clock, when all have ended."""
    async with await connect(conninfo) as connection, asyncio.timeout(300):
        while True:
            found = await (await connection.execute(ENDED, [ids])).fetchone()
            assert found is not None, "a count gives a row"
            if found["ended"] == len(ids):
                return float(len(ids) / max(found["seconds"], 0.001))
            # Seldom, so that looking costs nothing.
            await asyncio.sleep(0.2)


def _make_queue(url: str) -> None:
    """In this process, and gone when the queue is on record."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_register, args=(url,))
    process.start()
    process.join(60)
    assert process.exitcode == 0, "DBOS made its queue"


def _register(url: str) -> None:
    from dbos import DBOS

    DBOS(config=settings(url))
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=POLLING_SECONDS)
    DBOS.destroy()


def _work(url: str, stop: Any) -> None:
    """A process of its own, until it is told to stop."""
    from dbos import DBOS

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def nothing() -> str:
        return "done"

    DBOS.workflow(name="measured")(nothing)
    DBOS(config={**settings(url), "application_version": VERSION})
    DBOS.launch()
    stop.wait()
    DBOS.destroy()
