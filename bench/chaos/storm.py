"""The storm: many tasks on many workers. For a set time workers are killed or frozen, connections cut, and Postgres
is shut down in the hard way and started again. Then calm, until all tasks have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from rich.progress import Progress, TaskID

from agent_runtime.errors import Unavailable
from agent_runtime.local.processes import Child, last_words
from bench.chaos import effects
from bench.chaos.invariants import Task, Violation, read_tasks, violations
from bench.chaos.stage import Stage
from bench.chaos.stories import STORM

LEASE_SECONDS = 2.5
CONCURRENCY = 4
TOOL_SECONDS = 0.15
MAX_ATTEMPTS = 10_000
"""Each crash counts as an attempt, and here crashes are no fault of the task."""
FILING_SHARE = 0.7
"""The tasks are submitted during so much of the storm, so that it always has something to hit."""
BATCHES = 20
STANDSTILL_SECONDS = 120.0
"""A task that waits for a service comes back after 30 seconds; when so long nothing ends, nothing will."""
POLL_SECONDS = 0.5

KILL, FREEZE, CUT, RESTART = "worker killed", "worker frozen", "connections cut", "Postgres restarted"
API_CRASHED = "Supabase API crashed by that and started again"
WEATHER = {KILL: 5, FREEZE: 4, CUT: 3, RESTART: 1}
EVERY_SECONDS = 1.0
"""On average so much between two disturbances; less in a short storm, so that it has several of each kind."""
START_SECONDS = 60.0


@dataclass(frozen=True)
class Size:
    """How much."""

    tasks: int
    workers: int
    seconds: float
    hurry: bool = False
    """When it is calm, tasks that wait before they try a service again are made due at once."""

    def __str__(self) -> str:
        return f"{self.tasks} tasks, {self.workers} workers, {self.seconds:g} s"


@dataclass(frozen=True)
class StormReport:
    """What was done, what became of the tasks, and what does not hold."""

    size: Size
    seed: int
    done: Counter[str]
    tasks: Sequence[Task]
    violations: Sequence[Violation]
    gave_up: Sequence[str]
    """Workers that ended by themselves, with their last words."""
    calm_seconds: float
    """From the end of the storm to the end of the last task."""

    @property
    def failed(self) -> bool:
        return bool(self.violations or self.gave_up)


class Fleet:
    """Worker processes: the real `agent-runtime run`, each started again when it is gone."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._workers: dict[int, Child] = {}
        self._thaws: dict[int, asyncio.TimerHandle] = {}
        self._closing = False
        self._keepers: list[asyncio.Task[None]] = []
        self.gave_up: list[str] = []
        self.not_started = 0
        """Workers that found no Postgres when they started; whoever runs them starts them again."""

    def open(self, workers: int) -> None:
        """Each worker has somebody who starts it again."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(workers)]

    async def until_all_started(self) -> None:
        """Each of them works."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                if sum(map(_has_started, self._workers.values())) == len(self._keepers):
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def close(self) -> None:
        """Thaw all, and stop them."""
        self._closing = True
        self.thaw_all()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))

    @property
    def awake(self) -> list[int]:
        """The workers that run and are not frozen."""
        return [
            number
            for number, worker in self._workers.items()
            if worker.returncode is None and number not in self._thaws
        ]

    def kill(self, number: int) -> None:
        self._signal(number, signal.SIGKILL)

    def freeze(self, number: int, seconds: float) -> None:
        """Stop the process, and let it go on after so long as if nothing had been."""
        self._signal(number, signal.SIGSTOP)
        self._thaws[number] = asyncio.get_running_loop().call_later(seconds, self._thaw, number)

    def thaw_all(self) -> None:
        for number in list(self._thaws):
            self._thaw(number)

    def _thaw(self, number: int) -> None:
        self._thaws.pop(number).cancel()
        self._signal(number, signal.SIGCONT)

    def _signal(self, number: int, what: signal.Signals) -> None:
        worker = self._workers[number]
        if worker.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, what)

    async def _keep(self, number: int) -> None:
        while not self._closing:
            worker = await self._stage.start_worker(
                f"worker-{number}",
                ["-m", "agent_runtime", "run", "--concurrency", str(CONCURRENCY)],
                AGENT_RUNTIME_LEASE_SECONDS=str(LEASE_SECONDS),
                AGENT_RUNTIME_POLL_SECONDS="1",
                **{effects.TOOL_SECONDS: str(TOOL_SECONDS)},
            )
            self._workers[number] = worker
            code = await worker.wait()
            if code == -signal.SIGKILL:
                continue
            if _has_started(worker):
                self.gave_up.append(f"worker-{number} ended by itself with {code}: {last_words(worker.log)}")
            else:
                self.not_started += 1


async def storm(stage: Stage, size: Size, seed: int, progress: Progress) -> StormReport:
    """Let it blow, then wait for the calm, then look at everything."""
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    bar = progress.add_task("storm", total=size.tasks)
    async with _open_fleet(stage, size.workers) as fleet:
        await fleet.until_all_started()
        filing = asyncio.create_task(_file(stage, size))
        watching = asyncio.create_task(_watch(stage, progress, bar))
        serving = asyncio.create_task(_keep_api(stage, done))
        try:
            await _blow(stage, fleet, dice, done, size.seconds)
            fleet.thaw_all()
            await filing
            progress.update(bar, description="calm")
            began = time.monotonic()
            await _until_all_ended(stage, size)
            calm_seconds = time.monotonic() - began
        finally:
            for task in (filing, watching, serving):
                task.cancel()
            await asyncio.gather(filing, watching, serving, return_exceptions=True)
    done["worker found no Postgres at its start"] = fleet.not_started
    tasks = await read_tasks(stage, "storm")
    found = await violations(stage, tasks, filed=size.tasks)
    return StormReport(size, seed, done, tasks, found, fleet.gave_up, calm_seconds)


@asynccontextmanager
async def _open_fleet(stage: Stage, workers: int) -> AsyncIterator[Fleet]:
    fleet = Fleet(stage)
    fleet.open(workers)
    try:
        yield fleet
    finally:
        await fleet.close()


def _has_started(worker: Child) -> bool:
    return "worker started" in worker.log.read_text(encoding="utf-8", errors="replace")


async def _file(stage: Stage, size: Size) -> None:
    batches = min(BATCHES, size.tasks, math.ceil(size.seconds))
    for batch in range(batches):
        await stage.submit(STORM, len(range(batch, size.tasks, batches)), str(batch))
        await stage.rows(
            "update public.tasks set max_attempts = %s where title = %s", MAX_ATTEMPTS, f"{STORM.prompt} {batch}"
        )
        await asyncio.sleep(size.seconds * FILING_SHARE / batches)


async def _blow(stage: Stage, fleet: Fleet, dice: random.Random, done: Counter[str], seconds: float) -> None:
    ends = time.monotonic() + seconds
    # Each kind at least once, also in a short storm; then as the dice fall.
    pause = min(EVERY_SECONDS, seconds / (4 * len(WEATHER)))
    due = list(WEATHER)
    dice.shuffle(due)
    while True:
        await asyncio.sleep(dice.uniform(0, 2 * pause))
        if time.monotonic() >= ends:
            return
        what = due.pop() if due else dice.choices(list(WEATHER), list(WEATHER.values()))[0]
        number, share = dice.random(), dice.random()
        if what in (KILL, FREEZE):
            if not (awake := fleet.awake):
                due.append(what)
                continue
            chosen = awake[int(number * len(awake))]
            if what == KILL:
                fleet.kill(chosen)
            else:
                fleet.freeze(chosen, LEASE_SECONDS * (1.2 + 1.3 * share))
        elif what == CUT:
            done["connections cut, each"] += await _cut(stage, share)
        else:
            await _restart_postgres(stage)
        done[what] += 1


async def _cut(stage: Stage, share: float) -> int:
    """Cut so many of the connections of the workers and of the API. Returns how many."""
    with contextlib.suppress(psycopg.OperationalError):
        async with await psycopg.AsyncConnection.connect(
            stage.stack.postgres.superuser_conninfo, autocommit=True
        ) as connection:
            cursor = await connection.execute(
                "select count(*) filter (where pg_terminate_backend(a.pid)) from pg_stat_activity a"
                " where a.usename in ('agent_worker', 'supabase_api') and random() < %s",
                [0.3 + 0.7 * share],
            )
            row = await cursor.fetchone()
            return int(row[0]) if row else 0
    return 0


async def _restart_postgres(stage: Stage) -> None:
    """The immediate shutdown: no checkpoint, every session dies where it is; the start recovers from the log."""
    server = stage.stack.postgres
    os.kill(server.child.pid, signal.SIGQUIT)
    await server.child.wait()
    await server.start()


async def _keep_api(stage: Stage, done: Counter[str]) -> None:
    """Start the API again when it ends, as `agent-runtime up` does: its driver dies of some cut connections."""
    while True:
        await stage.stack.api.child.wait()
        done[API_CRASHED] += 1
        while True:
            try:
                await stage.stack.api.start()
                break
            except Unavailable:
                await asyncio.sleep(POLL_SECONDS)


async def _watch(stage: Stage, progress: Progress, bar: TaskID) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        progress.update(bar, completed=await _ended(stage))


async def _until_all_ended(stage: Stage, size: Size) -> None:
    """Returns too when nothing ends any more; the checks name what has not ended."""
    last, at = -1, time.monotonic()
    while (ended := await _ended(stage)) < size.tasks:
        if size.hurry:
            await stage.rows("update public.tasks set run_after = now() where status = 'pending' and run_after > now()")
        if ended != last:
            last, at = ended, time.monotonic()
        elif time.monotonic() - at > STANDSTILL_SECONDS:
            return
        await asyncio.sleep(POLL_SECONDS)


async def _ended(stage: Stage) -> int:
    rows = await stage.rows(
        "select count(*) as ended from public.tasks where title like 'storm %%' and completed_at is not null"
    )
    return int(rows[0]["ended"])
