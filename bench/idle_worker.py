"""What a worker costs that has nothing to do."""

from __future__ import annotations

import asyncio
import time

import psutil

from agent_runtime.local.worker import WorkerProcess
from bench.postgres import Pair, open_pair
from bench.report import Line, Report, Steps
from bench.worker import NOWHERE

HOW = (
    "CPU time of a real `agent-runtime run` with its default settings and nothing pending, and of all of Postgres "
    "meanwhile, as a share of {seconds:g} s."
)
MARK_PERCENT = 1.0
SETTLING_SECONDS = 5.0


async def measure(quick: bool, steps: Steps) -> Report:
    """Per cent of one core."""
    rounds, seconds = (2, 1.0) if quick else (3, 30.0)
    steps.expect(rounds)
    worker_shares, postgres_shares = [], []
    async with open_pair(durable=not quick) as pair:
        worker = _worker(pair)
        await worker.start()
        try:
            # Its first claims, and the imports that they bring, are not idling.
            await asyncio.sleep(0.5 if quick else SETTLING_SECONDS)
            for _ in range(rounds):
                shares = await _shares(worker.child.pid, pair.postgres.child.pid, seconds)
                worker_shares.append(shares[0])
                postgres_shares.append(shares[1])
                steps.done()
        finally:
            await worker.stop()
    lines = [
        Line("the worker's process", "% of a core", worker_shares, limit=MARK_PERCENT),
        Line("Postgres, with all its processes", "% of a core", postgres_shares),
    ]
    return Report("an idle worker", HOW.format(seconds=seconds), lines)


def _worker(pair: Pair) -> WorkerProcess:
    settings = {
        "DATABASE_URL": pair.ours.worker,
        "SUPABASE_URL": NOWHERE,
        "SUPABASE_SECRET_KEY": "none",
        "AGENT_RUNTIME_MODEL_URL": NOWHERE,
        "AGENT_RUNTIME_WORKSPACE_ROOT": str(pair.folder / "workspaces"),
    }
    return WorkerProcess(settings, database_url=pair.ours.owner, records=pair.folder, logs=pair.folder)


async def _shares(worker: int, postgres: int, seconds: float) -> tuple[float, float]:
    before, started = (_cpu_seconds(worker), _cpu_seconds(postgres)), time.monotonic()
    await asyncio.sleep(seconds)
    after, lasted = (_cpu_seconds(worker), _cpu_seconds(postgres)), time.monotonic() - started
    return (after[0] - before[0]) / lasted * 100, (after[1] - before[1]) / lasted * 100


def _cpu_seconds(pid: int) -> float:
    """Of a process and its children, those that ended included."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    total: float = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
