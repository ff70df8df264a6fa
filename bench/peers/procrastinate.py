"""procrastinate: its worker, in processes for throughput and in this one for latency."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from multiprocessing.synchronize import Barrier
from typing import Any

import psycopg

Rates = Callable[[int], Awaitable[float]]
WARM_UP = 10
BARRIER_SECONDS = 60.0

_barrier: Barrier


@asynccontextmanager
async def open_rates(conninfo: str, workers: int) -> AsyncIterator[Rates]:
    """A function that has so many jobs worked off by workers of one job at a time, and gives the jobs per second."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(barrier,)) as pool:

        async def rate(jobs: int) -> float:
            async with _opened(conninfo) as app:
                await app.configure_task("nothing", queue="measured").batch_defer_async(*[{}] * jobs)
            spans = await asyncio.gather(*(loop.run_in_executor(pool, _drain, conninfo, n) for n in range(workers)))
            done = sum(count for count, _, _ in spans)
            assert done == jobs, f"procrastinate did {done} of {jobs} jobs"
            return jobs / (max(ended for _, _, ended in spans) - min(started for _, started, _ in spans))

        yield rate


@asynccontextmanager
async def open_arrivals(conninfo: str, arrivals: asyncio.Queue[float]) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """With an idle worker in this process: a function that defers a job and gives when its commit was sent.

    `arrivals` gets the moment at which the job's function is entered.
    """

    async def arrive() -> None:
        arrivals.put_nowait(time.monotonic())

    async with _opened(conninfo, arrive) as app, await psycopg.AsyncConnection.connect(conninfo) as connection:

        async def defer() -> float:
            await app.configure_task("nothing", queue="measured", connection=connection).defer_async()
            sent = time.monotonic()
            await connection.commit()
            return sent

        worker = asyncio.create_task(app.run_worker_async(queues=["measured"], install_signal_handlers=False))
        try:
            yield defer
        finally:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker


async def install(conninfo: str) -> None:
    """Its schema."""
    async with _opened(conninfo) as app:
        await app.schema_manager.apply_schema_async()


@asynccontextmanager
async def _opened(conninfo: str, task: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[Any]:
    from procrastinate import App, PsycopgConnector

    async def nothing() -> None:
        """Nothing."""

    app = App(connector=PsycopgConnector(conninfo=conninfo))
    app.task(name="nothing")(task or nothing)
    async with app.open_async():
        yield app


def _prepare(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _drain(conninfo: str, number: int) -> tuple[int, float, float]:
    """In a process of its own: how many jobs, and when it began and ended."""
    return asyncio.run(_drain_async(conninfo, number))


async def _drain_async(conninfo: str, number: int) -> tuple[int, float, float]:
    count, ended = 0, 0.0

    async def counted() -> None:
        nonlocal count, ended
        count, ended = count + 1, time.monotonic()

    async with _opened(conninfo, counted) as app:
        warm = f"warm_{number}"
        await app.configure_task("nothing", queue=warm).batch_defer_async(*[{}] * WARM_UP)
        options = {"wait": False, "install_signal_handlers": False, "listen_notify": False}
        await app.run_worker_async(queues=[warm], **options)
        count = 0
        await asyncio.to_thread(_barrier.wait, BARRIER_SECONDS)
        started = time.monotonic()
        await app.run_worker_async(queues=["measured"], **options)
        return count, started, max(started, ended)
