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

from bench.postgres import url_of

Runs = Callable[[int], Awaitable[float]]

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
