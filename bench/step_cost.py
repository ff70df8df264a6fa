"""What a step costs that is neither the model's nor a tool's: the runtime's own time."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import yaml
from psycopg.types.json import Jsonb

from agent_runtime.config import Settings
from agent_runtime.db.store import Store
from agent_runtime.local import ports
from agent_runtime.local.model_server import ScriptedModelServer
from agent_runtime.storage import Storage
from agent_runtime.toolbox.registry import Registry
from bench import plain, plain_steps
from bench.person import Person
from bench.postgres import Connection, Database, Pair, connect, open_pair
from bench.queue import NotComparable, added, check_same, enqueue, recorded_rows
from bench.report import Line, Report, Steps
from bench.timing import Clock, TimedRunner, timed_store
from bench.worker import running_worker, settings_for

HOW = (
    "One task of {steps} steps, each one call of a tool that does nothing; its start and its end are shared out over "
    "them. Ours: a real worker in this process, the scripted model server in another. Own cost: all time but what the "
    "model server says that it took and what the tool took. Bare loop: plain SQL that writes the same rows (checked) "
    "in three commits a step, as ours; no model."
)

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

WHAT_IS_ON_RECORD = """
select t.status, t.error_message, (t.usage ->> 'steps')::int as steps,
       coalesce((t.usage ->> 'model_seconds')::float, 0) as model,
       (
         select coalesce(sum(e.execution_time_ms), 0) / 1000.0 from public.tool_executions e where e.task_id = t.id
       )::float as tools
from public.tasks t
where t.id = %s
"""


@dataclass(frozen=True)
class Spent:
    """Milliseconds of each step."""

    bare: float
    wall: float
    own: float
    database: float
    model_client: float
    cpu: float

    @property
    def rest(self) -> float:
        return self.own - self.database - self.model_client


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds per step."""
    rounds, count = (2, 3) if quick else (7, 40)
    steps.expect(rounds)
    spent = []
    async with open_pair(durable=not quick) as pair:
        tools = await asyncio.to_thread(_write_tool, pair.folder)
        registry = Registry.load([tools])
        for database in (pair.ours, pair.plain):
            await _register(database, registry)
        model = await _serve_model(pair.folder, count)
        try:
            settings = settings_for(pair.ours, pair.folder, model_url=model.url, tools=tools)
            for _ in range(rounds):
                spent.append(await _round(pair, settings, registry, count))
                steps.done()
        finally:
            await model.stop()
    return Report("the runtime's own cost per step", HOW.format(steps=count), _lines(spent))


def _lines(spent: list[Spent]) -> list[Line]:
    bare = "bare loop writing the same rows"
    return [
        Line(bare, "ms", [one.bare for one in spent]),
        Line("ours, wall time", "ms", [one.wall for one in spent]),
        Line("ours, own cost", "ms", [one.own for one in spent], against=(bare,)),
        Line("of it the database", "ms", [one.database for one in spent], against=(bare,)),
        Line("of it the model's client and HTTP", "ms", [one.model_client for one in spent]),
        Line("of it everything else", "ms", [one.rest for one in spent]),
        Line("CPU time of the worker's process", "ms", [one.cpu for one in spent]),
    ]


def _write_tool(folder: Path) -> Path:
    tools = folder / "tools"
    tools.mkdir()
    (tools / "nothing.py").write_text(TOOL, encoding="utf-8")
    return tools


async def _register(database: Database, registry: Registry) -> None:
    async with await connect(database.owner) as connection:
        await connection.execute("select * from public.sync_tools(%s)", [Jsonb(registry.declarations())])
        await connection.execute("update public.tools set is_enabled = true where name = 'nothing'")
        await connection.execute(
            "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public)"
            " values ('Measured', 'Work.', 'scripted', '{nothing}', true)"
        )


async def _serve_model(folder: Path, count: int) -> ScriptedModelServer:
    answers = [_calling("nothing", number=number) for number in range(count - 1)]
    answers.append(_calling("task_complete", answer="Done."))
    card = {"name": "scripted", "capabilities": ["completion", "tools"], "context_length": 32_768}
    script = folder / "script.yaml"
    content = yaml.safe_dump({"models": [card], "turns": [{"steps": answers}]})
    await asyncio.to_thread(script.write_text, content, encoding="utf-8")
    server = ScriptedModelServer(port=ports.choose(None, taken=set()), records=folder, logs=folder, script=script)
    await server.start()
    return server


def _calling(name: str, **arguments: object) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


async def _round(pair: Pair, settings: Settings, registry: Registry, count: int) -> Spent:
    await enqueue(pair.plain, 1)
    before = await recorded_rows(pair.plain)
    bare = await _run_bare(pair.plain, count)
    by_bare = added(before, await recorded_rows(pair.plain))

    person = await Person.sit_down(pair.ours)
    try:
        task, _ = await person.submit("Measured")
    finally:
        await person.leave()
    before = await recorded_rows(pair.ours)
    clock = await _run_ours(settings, registry)
    check_same(added(before, await recorded_rows(pair.ours)), by_bare)

    model, tools = await _not_ours(pair.ours, task, count)
    milliseconds = 1000 / count
    return Spent(
        bare=bare * milliseconds,
        wall=clock.wall * milliseconds,
        own=(clock.wall - model - tools) * milliseconds,
        database=clock.database * milliseconds,
        model_client=(clock.model_client - model) * milliseconds,
        cpu=clock.cpu * milliseconds,
    )


async def _run_ours(settings: Settings, registry: Registry) -> Clock:
    clock = Clock()
    runners: list[TimedRunner] = []

    def make_runner(store: Store, storage: Storage) -> TimedRunner:
        runners.append(TimedRunner(settings, store, storage, registry, clock))
        return runners[0]

    async with running_worker(settings, make_runner, lambda store: timed_store(store, clock)), asyncio.timeout(300):
        await runners[0].ended.wait()
    return clock


async def _not_ours(database: Database, task: UUID, count: int) -> tuple[float, float]:
    """Seconds of the model and of the tools, as they are on record."""
    async with await connect(database.owner) as connection:
        found = await (await connection.execute(WHAT_IS_ON_RECORD, [task])).fetchone()
    assert found is not None, "the task was submitted above"
    if (found["status"], found["steps"]) != ("completed", count):
        raise NotComparable(f"the task is {found['status']} after {found['steps']} steps: {found['error_message']}")
    return found["model"], found["tools"]


async def _run_bare(database: Database, count: int) -> float:
    """Seconds, from after the claim to the end, like a runner's."""
    async with await connect(database.owner) as connection:
        worker = uuid4()
        await connection.execute(plain.REGISTER, [worker])
        task = await (await connection.execute(plain.CLAIM_WITH_RECORDS, {"worker": worker})).fetchone()
        assert task is not None, "one was enqueued"
        started = time.perf_counter()
        for step in range(1, count + 1):
            await _bare_step(connection, task, step, "nothing" if step < count else "task_complete")
        await connection.execute(plain.SETTLE_WITH_RECORDS, {"task": task["id"], "lease": task["lease_token"]})
        return time.perf_counter() - started


async def _bare_step(connection: Connection, task: dict[str, Any], step: int, tool: str) -> None:
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
    metadata = {"model": "scripted", "finish": "stop", "usage": usage, "step": step}
    turn = {**values, "calls": calls, "metadata": Jsonb(metadata)}
    recorded = await (await connection.execute(plain_steps.TURN, turn)).fetchone()
    assert recorded is not None, "the lease is held"
    values["execution"] = recorded["execution_id"]
    await connection.execute(plain_steps.START, values)
    output = Jsonb({"content": "done", "data": {}, "effect": None})
    metadata = {
        "tool": tool,
        "execution_id": json.dumps(str(recorded["execution_id"])),
        "step": step,
        "status": "completed",
    }
    await connection.execute(plain_steps.FINISH, {**values, "output": output, "metadata": Jsonb(metadata)})
