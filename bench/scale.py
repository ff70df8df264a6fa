"""How big: claims beside a million finished tasks and after churn, thousands that wait, hundreds that run at once."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import uuid4

import psutil
import yaml
from psycopg.conninfo import make_conninfo

from agent_runtime.db.store import Store, open_store
from agent_runtime.local import ports
from agent_runtime.local.model_server import ScriptedModelServer
from agent_runtime.local.worker import WorkerProcess
from agent_runtime.records import Lease
from bench.person import Person
from bench.postgres import Connection, Database, Pair, connect, open_pair
from bench.queue import NotComparable, enqueue
from bench.report import Line, Report, Steps, Unit
from bench.worker import NOWHERE

HOW = (
    "Claims: through Store, one task at a time, each settled at once; the figure is the claim alone, of {claims} in "
    "each round. Finished rows are put in by SQL and vacuumed. Churn: {churned:,} tasks made, claimed and ended by "
    "SQL with autovacuum off; «pinned»: while another transaction that began before keeps every dead row. Idle "
    "worker: a real `agent-runtime run` for {seconds:g} s; transactions are the whole database's. Running at once: "
    "{running} tasks of 20 people in one worker process, each waiting for its model most of the time; a lease lasts "
    "{lease:g} s and is renewed each third of it, so one older than two thirds has missed a renewal. What a claim "
    "with its settling touched. {plan}."
)
LEASE_SECONDS = 9.0
MEMORY_LIMIT_MB = 400
PEOPLE = 20
UNITS: dict[str, Unit] = {"memory": "MB", "connections": "", "transactions": "per s", "CPU time": "% of a core"}

# Triggers and foreign keys are skipped: these rows are there, nobody made them.
FILL = """
insert into public.tasks (
  conversation_id, title, description, status, tenant_id, user_id, agent_id, result, progress_percentage, created_at,
  started_at, completed_at, updated_at
)
select c.id, 'Measured', 'Do it.', 'completed', c.tenant_id, c.user_id, c.agent_id, '{"answer": "Done.", "files": []}',
       100, now() - interval '30 days' + i * interval '1 second', now(), now(), now()
from generate_series(1, %(count)s) i
cross join (select * from public.conversations order by id limit 1) c
"""
FILL_WAITING = """
insert into public.tasks (conversation_id, title, description, status, wait_reason, tenant_id, user_id, agent_id)
select c.id, 'Measured', 'Do it.', 'waiting', 'answer', c.tenant_id, c.user_id, c.agent_id
from generate_series(1, %(count)s) i
cross join (select * from public.conversations order by id limit 1) c
"""
# What a task's life leaves behind: three versions of its row, and what pointed at the first two.
CHURN: tuple[LiteralString, ...] = (
    """
    insert into public.tasks (conversation_id, title, description, tenant_id, user_id, agent_id, created_at)
    select c.id, 'Churned', 'Do it.', c.tenant_id, c.user_id, c.agent_id, now() - interval '1 day' + i * interval '1 ms'
    from generate_series(1, %(count)s) i
    cross join (select * from public.conversations order by id limit 1) c
    """,
    """
    update public.tasks set status = 'running', lease_token = gen_random_uuid(), lease_expires_at = now()
    where title = 'Churned' and status = 'pending'
    """,
    """
    update public.tasks set status = 'completed', lease_token = null, lease_expires_at = null, completed_at = now()
    where title = 'Churned' and status = 'running'
    """,
)
TOUCHED = """
select coalesce((select sum(seq_scan) from pg_stat_user_tables where relname = 'tasks'), 0) as sequential,
       (
         select coalesce(jsonb_object_agg(indexrelname, jsonb_build_array(idx_scan, idx_tup_read)), '{}')
         from pg_stat_user_indexes where relname = 'tasks'
       ) as indexes
"""


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds of a claim, megabytes and seconds."""
    sizes = (100, 1_000) if quick else (1_000, 100_000, 1_000_000)
    rounds, claims, churned, waiting = (1, 5, 200, 100) if quick else (3, 100, 50_000, 5_000)
    running, seconds = (20, 1.0) if quick else (200, 20.0)
    steps.expect(len(sizes) + 5)
    lines: list[Line] = []
    async with open_pair(people=PEOPLE, durable=not quick) as pair, _superuser(pair) as eye:
        claiming = Claiming(pair.ours, eye, rounds, claims)
        async for line in claiming.beside_finished(sizes):
            lines.append(line)
            steps.done()
        async for line in claiming.after_churn(churned, f"{sizes[-1]:,} finished"):
            lines.append(line)
            steps.done()
        plan = "; ".join(claiming.plans)
    async with open_pair(people=PEOPLE, durable=not quick) as pair, _superuser(pair) as eye:
        lines += await _idle(pair, eye, waiting, seconds)
        steps.done(2)
        lines += await _at_once(pair, eye, running, quick)
        steps.done()
    how = HOW.format(claims=claims, churned=churned, seconds=seconds, running=running, lease=LEASE_SECONDS, plan=plan)
    return Report("a big queue and a full worker", how, lines)


@asynccontextmanager
async def _superuser(pair: Pair) -> AsyncIterator[Connection]:
    async with await connect(make_conninfo(pair.postgres.superuser_conninfo, dbname="ours")) as connection:
        yield connection


async def _without_triggers(eye: Connection, statement: LiteralString, **parameters: object) -> None:
    async with eye.transaction():
        await eye.execute("set local session_replication_role = replica")
        await eye.execute(statement, parameters)


# -- claims ------------------------------------------------------------------------------------------------------------


class Claiming:
    """Claims, timed, beside more and more rows that are none of their business."""

    def __init__(self, database: Database, eye: Connection, rounds: int, claims: int) -> None:
        self._database, self._eye, self._rounds, self._claims = database, eye, rounds, claims
        self._first: str | None = None
        self.plans: list[str] = []
        """For each line: which indexes of tasks a claim with its settling touched, and how many entries were read."""

    async def beside_finished(self, sizes: tuple[int, ...]) -> AsyncIterator[Line]:
        await enqueue(self._database, 1)
        there = 0
        for size in sizes:
            await _without_triggers(self._eye, FILL, count=size - there)
            there = size
            await self._eye.execute("vacuum (analyze) public.tasks")
            yield await self._line(f"claim beside {size:,} finished tasks")

    async def after_churn(self, churned: int, beside: str) -> AsyncIterator[Line]:
        await self._eye.execute("alter table public.tasks set (autovacuum_enabled = false)")
        await self._churn(churned)
        yield await self._line(f"claim after churn, {beside}")
        pinning = await connect(make_conninfo(self._database.owner))
        async with pinning:
            await pinning.execute("begin isolation level repeatable read")
            await pinning.execute("select txid_current(), count(*) from public.tools")
            await self._churn(churned)
            yield await self._line(f"claim after churn, pinned, {beside}")
            await pinning.execute("rollback")

    async def _churn(self, count: int) -> None:
        for statement in CHURN:
            await _without_triggers(self._eye, statement, count=count)

    async def _line(self, what: str) -> Line:
        async with open_store(self._database.worker, uuid4(), connections=1, patience_seconds=10) as store:
            await store.register("measured", 1, "0", 1)
            await self._round(store)
            before = await self._touched()
            rounds = [statistics.median(await self._round(store)) for _ in range(self._rounds)]
        self.plans.append(f"{what}: {_per_claim(before, await self._touched(), self._rounds * self._claims)}")
        against = (self._first,) if self._first else ()
        self._first = self._first or what
        return Line(what, "ms", rounds, against=against)

    async def _round(self, store: Store) -> list[float]:
        await enqueue(self._database, self._claims)
        taken = []
        for _ in range(self._claims):
            started = time.perf_counter()
            (task,) = await store.claim(1, 30)
            taken.append((time.perf_counter() - started) * 1000)
            assert task.lease_token is not None, "a claimed task has a lease"
            await store.settle(Lease(task_id=task.id, token=task.lease_token), "completed", {"answer": "Done."}, None)
        return taken

    async def _touched(self) -> dict[str, Any]:
        # Statistics are sent when a session is idle for a moment.
        await asyncio.sleep(1.5)
        found = await (await self._eye.execute(TOUCHED)).fetchone()
        assert found is not None, "one row"
        return found


def _per_claim(before: dict[str, Any], after: dict[str, Any], claims: int) -> str:
    parts = [f"{(after['sequential'] - before['sequential']) / claims:.2g} scans of the whole table"]
    for name, (scans, rows) in sorted(after["indexes"].items()):
        earlier = before["indexes"].get(name, [0, 0])
        if scans > earlier[0]:
            parts.append(
                f"{name} {(scans - earlier[0]) / claims:.2g} times for {(rows - earlier[1]) / claims:.2g} entries"
            )
    return ", ".join(parts)


# -- waiting -----------------------------------------------------------------------------------------------------------


async def _idle(pair: Pair, eye: Connection, waiting: int, seconds: float) -> list[Line]:
    worker = WorkerProcess(
        _settings(pair, NOWHERE), database_url=pair.ours.owner, records=pair.folder, logs=pair.folder
    )
    await worker.start()
    try:
        await asyncio.sleep(min(5.0, seconds))
        without = await _cost(worker, eye, seconds)
        await _make_conversation(eye)
        await _without_triggers(eye, FILL_WAITING, count=waiting)
        await eye.execute("analyze public.tasks")
        beside = await _cost(worker, eye, seconds)
    finally:
        await worker.stop()
    lines = []
    for what, unit in UNITS.items():
        lines.append(Line(f"idle worker, none waits: {what}", unit, [without[what]]))
        against = (f"idle worker, none waits: {what}",)
        lines.append(Line(f"idle worker, {waiting:,} wait: {what}", unit, [beside[what]], against))
    return lines


async def _make_conversation(eye: Connection) -> None:
    await eye.execute(
        "insert into public.conversations (title, user_id, agent_id, tenant_id)"
        " select 'Measured', u.id, (select id from public.agents where tenant_id is null limit 1), u.tenant_id"
        " from public.users u limit 1"
    )


async def _cost(worker: WorkerProcess, eye: Connection, seconds: float) -> dict[str, float]:
    process = psutil.Process(worker.child.pid)
    before, cpu = await _transactions(eye), process.cpu_times()
    await asyncio.sleep(seconds)
    after, later = await _transactions(eye), process.cpu_times()
    return {
        "memory": process.memory_info().rss / 2**20,
        "connections": after["connections"],
        # Our own looks are two of them.
        "transactions": max(0.0, after["transactions"] - before["transactions"] - 2) / seconds,
        "CPU time": (later.user + later.system - cpu.user - cpu.system) / seconds * 100,
    }


async def _transactions(eye: Connection) -> dict[str, float]:
    found = await (
        await eye.execute(
            "select (xact_commit + xact_rollback)::float as transactions, (select count(*)::float from pg_stat_activity"
            " where usename = 'agent_worker') as connections from pg_stat_database where datname = 'ours'"
        )
    ).fetchone()
    assert found is not None, "the database is there"
    return found


# -- running at once ---------------------------------------------------------------------------------------------------


async def _at_once(pair: Pair, eye: Connection, running: int, quick: bool) -> list[Line]:
    model = await _serve_model(pair, quick)
    settings = {
        **_settings(pair, model.url),
        "AGENT_RUNTIME_CONCURRENCY": str(running),
        "AGENT_RUNTIME_LEASE_SECONDS": str(LEASE_SECONDS),
    }
    worker = WorkerProcess(settings, database_url=pair.ours.owner, records=pair.folder, logs=pair.folder)
    try:
        for number in range(PEOPLE):
            person = await Person.sit_down(pair.ours, number)
            for _ in range(running // PEOPLE):
                await person.submit()
            await person.leave()
        await worker.start()
        return await _watch(worker, eye, running)
    finally:
        await worker.stop()
        await model.stop()


async def _watch(worker: WorkerProcess, eye: Connection, running: int) -> list[Line]:
    process = psutil.Process(worker.child.pid)
    memory, age, most, missed = 0.0, 0.0, 0, 0
    async with asyncio.timeout(300):
        while True:
            found = await (await eye.execute(RUNNING, {"lease": LEASE_SECONDS})).fetchone()
            assert found is not None, "a count gives a row"
            memory, most = max(memory, process.memory_info().rss / 2**20), max(most, found["running"])
            age, missed = max(age, found["age"]), max(missed, found["missed"])
            if found["ended"] == running:
                break
            await asyncio.sleep(0.25)
    if found["completed"] != running or found["attempts"]:
        raise NotComparable(
            f"{found['completed']} of {running} tasks were completed, {found['attempts']} times after a lost lease"
        )
    return [
        Line("full worker: most tasks at once", "", [most]),
        Line("full worker: most memory", "MB", [memory], limit=MEMORY_LIMIT_MB),
        Line("full worker: oldest lease", "s", [age], limit=LEASE_SECONDS * 2 / 3),
        Line("full worker: leases that missed a renewal", "", [missed], limit=0),
    ]


RUNNING = """
select count(*) filter (where status = 'running') as running,
       count(*) filter (where completed_at is not null) as ended,
       count(*) filter (where status = 'completed') as completed,
       coalesce(sum(attempts), 0) as attempts,
       count(*) filter (where %(lease)s - extract(epoch from lease_expires_at - clock_timestamp()) > %(lease)s * 2 / 3)
         as missed,
       coalesce(max(%(lease)s - extract(epoch from lease_expires_at - clock_timestamp())), 0)::float as age
from public.tasks where status <> 'waiting'
"""


async def _serve_model(pair: Pair, quick: bool) -> ScriptedModelServer:
    """Thirty seconds of a task, most of them the model's."""
    turns, seconds = (2, 0.2) if quick else (10, 3.0)
    steps = [
        {"tool_calls": [{"name": "message_notify", "arguments": {"text": f"{n}"}}], "delay_seconds": seconds}
        for n in range(turns)
    ]
    steps.append({"tool_calls": [{"name": "task_complete", "arguments": {"answer": "Done."}}]})
    script = pair.folder / "script.yaml"
    card = {"name": "scripted", "capabilities": ["completion", "tools"], "context_length": 32_768}
    content = yaml.safe_dump({"models": [card], "turns": [{"steps": steps}]})
    await asyncio.to_thread(script.write_text, content, encoding="utf-8")
    server = ScriptedModelServer(
        port=ports.choose(None, taken=set()), records=pair.folder, logs=pair.folder, script=script
    )
    await server.start()
    return server


def _settings(pair: Pair, model_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": pair.ours.worker,
        "SUPABASE_URL": NOWHERE,
        "SUPABASE_SECRET_KEY": "none",
        "AGENT_RUNTIME_MODEL_URL": model_url,
        "AGENT_RUNTIME_MODEL": "scripted",
        "AGENT_RUNTIME_WORKSPACE_ROOT": str(pair.folder / "workspaces"),
    }
