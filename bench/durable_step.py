"""What a durable step costs: a task of ten steps that do nothing, beside a bare loop and two peers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from agent_runtime.db.store import Store, open_store
from agent_runtime.interrupt import Interrupt
from agent_runtime.llm.chat import ChatMessage, ChatModel, OnDelta, ToolCall, Turn
from agent_runtime.records import Lease, RunContext
from agent_runtime.storage import Storage
from agent_runtime.task_run import TaskRunner
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from bench import plain, plain_steps
from bench.peers import missing
from bench.peers.dbos import open_workflows
from bench.peers.langgraph import open_graph
from bench.person import Person
from bench.plain_steps import Shape
from bench.postgres import Connection, Database, Pair, connect, open_pair, peer_database
from bench.queue import NotComparable, added, check_same, enqueue, recorded_rows
from bench.report import Line, Report, Steps
from bench.timing import Clock, timed_store
from bench.worker import NOWHERE, AlwaysHeld, settings_for

HOW = (
    "Tasks of {steps} steps one after the other, each step one call of a tool that does nothing; a task's claim, start "
    "and end are shared out over its steps. Ours: TaskRunner with the real Store and loop, and a model in this process "
    "that answers at once. Bare loop: plain SQL that writes the same rows (checked) in {commits} a step, as ours. "
    "DBOS: a workflow of as many steps that do nothing, in a process of its own, with its system database on this "
    "server. LangGraph: a graph of as many nodes, a thread for each run, its asynchronous Postgres checkpointer; "
    "«sync» has a step's checkpoint on record before the next begins, as ours and DBOS have; its default has not."
)
STEPS = 10
TOOL = '''
from pydantic import BaseModel

from agent_runtime.toolbox import ToolContext, ToolResult, tool


class Arguments(BaseModel):
    number: int


@tool(display_name="Nothing", category="measured", retry_class="pure")
async def nothing(_arguments: Arguments, _context: ToolContext) -> ToolResult:
    """Do nothing."""
    return ToolResult(content="done")
'''
BARE = "bare loop writing the same rows"

Peer = Callable[[int], Awaitable[float]]
"""Runs so many tasks, one after the other; the seconds that they took."""


@dataclass(frozen=True)
class Spent:
    """Milliseconds of each step."""

    bare: float
    database: float
    own: float
    cpu: float
    peers: dict[str, float]


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds per step."""
    rounds, tasks = (1, 1) if quick else (7, 10)
    steps.expect(rounds)
    async with AsyncExitStack() as closing:
        pair = await closing.enter_async_context(open_pair(durable=not quick))
        peers, left_out = await _open_peers(closing, pair)
        ours = await closing.enter_async_context(_open_ours(pair))
        # Imports, plans and caches, and what our commits look like.
        await ours.submit(1)
        shape = await _shape(pair, await ours.run(1))
        for run in peers.values():
            await run(1)
        spent = []
        for _ in range(rounds):
            spent.append(await _round(pair, ours, shape, peers, tasks))
            steps.done()
    how = HOW.format(steps=STEPS, commits="two commits" if shape.joined else "three commits")
    return Report("a durable step", " ".join([how, *left_out]), list(_lines(spent, peers)))


def _lines(spent: Sequence[Spent], peers: dict[str, Peer]) -> list[Line]:
    return [
        Line(BARE, "ms", [one.bare for one in spent]),
        Line("ours, in the database", "ms", [one.database for one in spent], against=(BARE,)),
        *(Line(name, "ms", [one.peers[name] for one in spent], against=(BARE,)) for name in peers),
        Line("ours, everything", "ms", [one.own for one in spent], against=(BARE, *peers)),
        Line("of it CPU time of this process", "ms", [one.cpu for one in spent]),
    ]


async def _open_peers(closing: AsyncExitStack, pair: Pair) -> tuple[dict[str, Peer], list[str]]:
    peers: dict[str, Peer] = {}
    left_out = [missing(name) for name in ("dbos", "langgraph-checkpoint-postgres")]
    if not left_out[0]:
        conninfo = await peer_database(pair.postgres, "dbos")
        peers["DBOS"] = await closing.enter_async_context(open_workflows(conninfo, STEPS))
    if not left_out[1]:
        conninfo = await peer_database(pair.postgres, "langgraph")
        graph = await closing.enter_async_context(open_graph(conninfo, STEPS))
        peers["LangGraph, sync"] = lambda runs: graph(runs, "sync")
        peers["LangGraph, its default"] = lambda runs: graph(runs, "async")
    return peers, [line for line in left_out if line]


async def _round(pair: Pair, ours: Ours, shape: Shape, peers: dict[str, Peer], tasks: int) -> Spent:
    before = await recorded_rows(pair.plain)
    bare = await _run_bare(pair.plain, shape, tasks)
    by_bare = added(before, await recorded_rows(pair.plain))
    await ours.submit(tasks)
    before = await recorded_rows(pair.ours)
    clock = await ours.run(tasks)
    check_same(added(before, await recorded_rows(pair.ours)), by_bare)
    milliseconds = 1000 / STEPS / tasks
    return Spent(
        bare=bare * milliseconds,
        database=clock.database * milliseconds,
        own=clock.wall * milliseconds,
        cpu=clock.cpu * milliseconds,
        peers={name: await run(tasks) * milliseconds for name, run in peers.items()},
    )


# -- ours --------------------------------------------------------------------------------------------------------------


class Ours:
    """A runner with its store, and somebody who submits tasks for it."""

    def __init__(self, pair: Pair, registry: Registry, person: Person, store: Store, storage: Storage) -> None:
        self._database, self._registry, self._person = pair.ours, registry, person
        self._store, self._storage = store, storage
        self._settings = settings_for(pair.ours, pair.folder)

    async def submit(self, tasks: int) -> None:
        for _ in range(tasks):
            await self._person.submit("Measured")

    async def run(self, tasks: int) -> Clock:
        """Claim and run so many that were submitted, one after the other."""
        clock = Clock()
        store = timed_store(self._store, clock)
        runner = InstantRunner(
            self._settings, store, self._storage, self._registry, Refused("nothing runs here"), AlwaysHeld()
        )
        for _ in range(tasks):
            cpu = time.process_time()
            with clock.counting("wall"):
                task = await self._run_one(store, runner)
            clock.cpu += time.process_time() - cpu
            await self._check(task)
        return clock

    async def _run_one(self, store: Store, runner: TaskRunner) -> UUID:
        (task,) = await store.claim(1, 30)
        assert task.lease_token is not None, "a claimed task has a lease"
        await runner.run(task, Lease(task_id=task.id, token=task.lease_token), Interrupt())
        return task.id

    async def _check(self, task: UUID) -> None:
        async with await connect(self._database.owner) as connection:
            found = await (
                await connection.execute(
                    "select status, error_message, (usage ->> 'steps')::int as steps from public.tasks where id = %s",
                    [task],
                )
            ).fetchone()
        if found is None or (found["status"], found["steps"]) != ("completed", STEPS):
            raise NotComparable(f"the task did not end as it should: {found}")


class InstantRunner(TaskRunner):
    """Runs tasks with a model that costs nothing."""

    async def _open_model(self, context: RunContext) -> ChatModel:
        return InstantModel()


class InstantModel:
    """Calls `nothing` at each step, and completes the task at the last."""

    name = "instant"

    def __init__(self) -> None:
        self._step = 0

    async def sees(self) -> bool:
        return False

    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[dict[str, Any]], on_delta: OnDelta | None = None
    ) -> Turn:
        self._step += 1
        arguments: dict[str, Any] = {"number": self._step} if self._step < STEPS else {"answer": "Done."}
        name = "nothing" if self._step < STEPS else "task_complete"
        call = ToolCall(id=f"call_{self._step}", name=name, arguments=arguments)
        return Turn(model=self.name, tool_calls=(call,))


@asynccontextmanager
async def _open_ours(pair: Pair) -> AsyncIterator[Ours]:
    registry = await asyncio.to_thread(_load_tools, pair.folder / "tools")
    for database in (pair.ours, pair.plain):
        await _register(database, registry)
    async with (
        Storage(NOWHERE, "none") as storage,
        open_store(pair.ours.worker, uuid4(), connections=2, patience_seconds=10) as store,
    ):
        await store.register("measured", 1, "0", 1)
        person = await Person.sit_down(pair.ours)
        try:
            yield Ours(pair, registry, person, store, storage)
        finally:
            await person.leave()


def _load_tools(folder: Path) -> Registry:
    folder.mkdir()
    (folder / "nothing.py").write_text(TOOL, encoding="utf-8")
    return Registry.load([folder])


async def _register(database: Database, registry: Registry) -> None:
    """The tool, and an agent that has it."""
    async with await connect(database.owner) as connection:
        await connection.execute("select * from public.sync_tools(%s)", [Jsonb(registry.declarations())])
        await connection.execute("update public.tools set is_enabled = true where name = 'nothing'")
        await connection.execute(
            "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public)"
            " values ('Measured', 'Work.', 'instant', '{nothing}', true)"
        )


# -- the bare loop -----------------------------------------------------------------------------------------------------


async def _shape(pair: Pair, clock: Clock) -> Shape:
    """How our runtime writes a step, seen in a first run, so that the bare loop can do the same."""
    async with await connect(pair.ours.owner) as connection:
        found = await (await connection.execute(plain_steps.USAGE_IS_AUDITED)).fetchone()
    assert found is not None, "a count gives a row"
    return Shape(joined=clock.calls["start_execution"] < STEPS / 2, usage_is_audited=found["count"] > 0)


async def _run_bare(database: Database, shape: Shape, tasks: int) -> float:
    """Seconds of so many tasks."""
    await enqueue(database, tasks)
    seconds = 0.0
    async with await connect(database.owner) as connection:
        worker = uuid4()
        await connection.execute(plain.REGISTER, [worker])
        for _ in range(tasks):
            started = time.perf_counter()
            task = await (await connection.execute(plain.CLAIM_WITH_RECORDS, {"worker": worker})).fetchone()
            assert task is not None, "one was enqueued"
            for step in range(1, STEPS + 1):
                await _bare_step(connection, shape, task, step, "nothing" if step < STEPS else "task_complete")
            await connection.execute(plain.SETTLE_WITH_RECORDS, {"task": task["id"], "lease": task["lease_token"]})
            seconds += time.perf_counter() - started
    return seconds


async def _bare_step(connection: Connection, shape: Shape, task: dict[str, Any], step: int, tool: str) -> None:
    call_id, arguments = f"call_{step}", {"number": step}
    usage = {"steps": step, "tool_calls": step, "prompt_tokens": 500 * step, "output_tokens": 10 * step}
    values: dict[str, Any] = {
        "task": task["id"],
        "lease": task["lease_token"],
        "tool": tool,
        "step": step,
        "call_id": call_id,
        "arguments": Jsonb(arguments),
        "usage": Jsonb(usage),
    }
    calls = Jsonb([{"id": call_id, "name": tool, "arguments": arguments}])
    metadata = {"model": "instant", "finish": "stop", "usage": usage, "step": step}
    turn = {**values, "calls": calls, "metadata": Jsonb(metadata)}
    recorded = await (await connection.execute(shape.turn, turn)).fetchone()
    assert recorded is not None, "the lease is held"
    values["execution"] = recorded["execution_id"]
    if not shape.joined:
        await connection.execute(shape.start, values)
    output = Jsonb({"content": "done", "data": {}, "effect": None})
    metadata = {
        "tool": tool,
        "execution_id": json.dumps(str(recorded["execution_id"])),
        "step": step,
        "status": "completed",
    }
    await connection.execute(shape.finish, {**values, "output": output, "metadata": Jsonb(metadata)})
