"""Kill everywhere: a worker process is killed at each point of a run, for each retry class, and another one resumes.

First a rehearsal writes down which places a run passes, so that the points follow the product. Then for each point a
victim takes a task of that class and dies there. Then the leases are made to run out, and one ordinary worker with a
folder of its own finishes everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent_runtime.errors import AgentRuntimeError
from agent_runtime.local.processes import last_words
from agent_runtime.toolbox.definition import RetryClass
from bench.chaos import effects, stories
from bench.chaos.effects import CLASSES
from bench.chaos.invariants import Task, Violation, read_tasks, violations
from bench.chaos.stage import ROOT, Stage
from bench.chaos.stories import Story
from bench.chaos.victim import DIED, PASSED, Order
from bench.report import Steps

LONG_LEASE_SECONDS = 3600
"""So that nobody rescues a task before all victims are dead."""
RESCUE_SECONDS = 300.0
POLL_SECONDS = 0.1

QUICK: dict[RetryClass, tuple[str, ...]] = {
    "pure": ("after record_turn 1",),
    "idempotent": ("after effect 2",),
    "keyed": ("after effect 1",),
    "unsafe": ("before effect 3", "after effect 1", "after finish_execution 2"),
}


class NotRehearsed(AgentRuntimeError):
    """The harness cannot go on."""


@dataclass(frozen=True)
class Point:
    """Where a victim dies: `before` or `after` the n-th time that its run passes a place."""

    moment: str
    place: str
    number: int

    def __str__(self) -> str:
        return f"{self.moment} {self.place} {self.number}"


NO_TASK_YET = Point("before", "claim", 1)


@dataclass(frozen=True)
class Kill:
    """A victim's order."""

    story: Story
    retry_class: RetryClass
    point: Point


@dataclass(frozen=True)
class Killed:
    """What became of the task that a victim held; None where it died before it held one."""

    kill: Kill
    task: Task | None


@dataclass(frozen=True)
class KillReport:
    """All kills, and what does not hold."""

    kills: Sequence[Killed]
    violations: Sequence[Violation]
    not_reached: Sequence[str]

    @property
    def failed(self) -> bool:
        return bool(self.violations or self.not_reached)


async def kill_everywhere(stage: Stage, steps: Steps, *, quick: bool) -> KillReport:
    """Every point of every class, or with `quick` a handful."""
    # Each sender imports what a worker does: more than one cost a handful of victims more than they save.
    async with _Victims(stage, steps, 1 if quick else max(2, os.cpu_count() or 1)) as victims:
        told = [make(name) for name in CLASSES for make in ((stories.walk,) if quick else (stories.walk, stories.ask))]
        rehearsed = await _rehearse(stage, victims, told)
        kills = [kill for kill in _plan(rehearsed) if not quick or str(kill.point) in QUICK[kill.retry_class]]
        steps.expect(len(kills) + 1)
        # Those that die before they claim leave their task to whoever comes, so they come last.
        for late in (False, True):
            for story in rehearsed:
                chosen = [kill for kill in kills if kill.story == story and _claims_nothing(kill) == late]
                await victims.die(story, chosen)
    await _rescue(stage)
    steps.done()
    tasks = await read_tasks(stage, "walk", "ask")
    found = await violations(stage, tasks, filed=len(kills) + len(rehearsed))
    deaths = victims.deaths()
    by_id = {task.id: task for task in tasks}
    killed = [Killed(kill, by_id.get(deaths.get(kill, ""))) for kill in kills]
    astray = [
        f"the victim for {one.kill.point} took a task of {one.task.story.prompt}"
        for one in killed
        if one.task and one.task.story != one.kill.story
    ]
    return KillReport(killed, found, [*victims.not_reached, *astray])


async def _rehearse(stage: Stage, victims: _Victims, told: Sequence[Story]) -> dict[Story, list[Point]]:
    """The points that a run of each story passes, in their order."""
    for story in told:
        await stage.submit(story, 1, "rehearsal")
    await victims.rehearse()
    passed: defaultdict[str, list[Point]] = defaultdict(list)
    for line in effects.read_lines(stage.world / PASSED):
        task, moment, place, number = line.split()
        passed[task].append(Point(moment, place, int(number)))
    titles = {row["title"]: str(row["id"]) for row in await stage.rows("select id, title from public.tasks")}
    return {story: passed[titles[f"{story.prompt} rehearsal"]] for story in told}


def _plan(rehearsed: dict[Story, list[Point]]) -> list[Kill]:
    kills = []
    for story, points in rehearsed.items():
        retry_class = next(made for made in CLASSES if story.prompt.endswith(f" {made}"))
        if story.asks:
            # What comes before is in the other story.
            points = [point for point in points if point.place == "suspend"]
        else:
            # Before it holds a task, a worker's claims are none of the run's.
            points = [NO_TASK_YET, *(point for point in points if (point.moment, point.place) != ("before", "claim"))]
        kills += [Kill(story, retry_class, point) for point in points]
    return kills


class _Victims:
    """Sends victims to their points, so many at a time, and knows where each died."""

    def __init__(self, stage: Stage, steps: Steps, at_a_time: int) -> None:
        self._stage, self._steps, self._at_a_time = stage, steps, at_a_time
        self._pids: dict[int, Kill] = {}
        self._idle: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
        self._senders: list[asyncio.subprocess.Process] = []
        self.not_reached: list[str] = []

    async def __aenter__(self) -> _Victims:
        for _ in range(self._at_a_time):
            sender = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.chaos.victim"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
            self._senders.append(sender)
            self._idle.put_nowait(sender)
        return self

    async def __aexit__(self, *_: object) -> None:
        for sender in self._senders:
            with contextlib.suppress(ProcessLookupError):
                sender.kill()
            await sender.wait()

    async def rehearse(self) -> None:
        """One worker that dies nowhere takes all there is."""
        _, code, log = await self._send("rehearsal", "rehearse")
        if code:
            raise NotRehearsed(f"the rehearsal ended with {code}: {last_words(log)}")

    async def die(self, story: Story, kills: Sequence[Kill]) -> None:
        """One task for each; whichever victim takes it, it is of the same story."""
        if not kills:
            return
        await self._stage.submit(story, len(kills), "late" if _claims_nothing(kills[0]) else "kill")
        async with asyncio.TaskGroup() as group:
            for kill in kills:
                group.create_task(self._one(kill))

    def deaths(self) -> dict[Kill, str]:
        """The task that each victim held."""
        found = {}
        for line in effects.read_lines(self._stage.world / DIED):
            pid, task, _point = line.split(" ", 2)
            found[self._pids[int(pid)]] = task
        return found

    async def _one(self, kill: Kill) -> None:
        name = f"{kill.story.prompt} {kill.point}".replace(" ", "-")
        pid, code, log = await self._send(name, str(kill.point))
        self._pids[pid] = kill
        if code != -signal.SIGKILL:
            self.not_reached.append(f"{name}: ended with {code}: {last_words(log)}")
        self._steps.done()

    async def _send(self, name: str, point: str) -> tuple[int, int, Path]:
        """The process id and the exit code of the worker, and its log."""
        home = self._stage.home(name)
        environment = {
            **self._stage.worker_environment(home),
            "AGENT_RUNTIME_LEASE_SECONDS": str(LONG_LEASE_SECONDS),
        }
        sender = await self._idle.get()
        try:
            assert sender.stdin, "a pipe"
            assert sender.stdout, "a pipe"
            sender.stdin.write(f"{json.dumps(asdict(Order(point, environment, str(home))))}\n".encode())
            answer = await sender.stdout.readline()
        finally:
            self._idle.put_nowait(sender)
        pid, code = map(int, answer.split())
        return pid, code, home / "worker.log"


async def _rescue(stage: Stage) -> None:
    """The leases run out, and an ordinary worker goes on, until nothing is open or nothing more ends."""
    await stage.rows("update public.tasks set lease_expires_at = '-infinity' where status = 'running'")
    worker = await stage.start_worker("rescuer", ["-m", "agent_runtime", "run", "--concurrency", "8"])
    try:
        async with asyncio.timeout(RESCUE_SECONDS):
            while await stage.rows("select 1 as open from public.tasks where completed_at is null limit 1"):
                worker.check_running()
                await stage.answer_all()
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        pass  # what has not ended is found by the checks
    finally:
        await worker.stop()


def _claims_nothing(kill: Kill) -> bool:
    return kill.point == NO_TASK_YET
