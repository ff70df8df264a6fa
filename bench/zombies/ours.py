"""Our own functions, through the worker's `Store`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from agent_runtime.db.postgres import PostgresStore
from agent_runtime.db.store import Store
from agent_runtime.records import Execution, Lease
from bench.person import Person
from bench.postgres import connect
from bench.zombies.trial import OnePool, Seen, Session, Write

TOOL = "message_notify"
ROWS = """
select t.status || ', ' || case when t.worker_id is null then 'nobody''s' else 'B''s' end as says,
       jsonb_build_object(
         'task', to_jsonb(t),
         'messages', (select jsonb_agg(m order by m.seq) from public.messages m where m.task_id = t.id),
         'executions', (select jsonb_agg(e order by e.id) from public.tool_executions e where e.task_id = t.id),
         'files', (select jsonb_agg(f order by f.id) from public.files f where f.task_id = t.id),
         'events', (select jsonb_agg(v order by v.id) from public.task_events v where v.task_id = t.id)
       ) as rows
from public.tasks t
where t.id = %s
"""
# Asked to end, then reaped; what nobody runs ends when it is asked.
FORGET = (
    "update public.tasks set lease_expires_at = '-infinity' where id = %s and status = 'running'",
    "update public.tasks set cancel_requested_at = now() where id = %s and completed_at is null",
)
FILE = {
    **{"filename": "late.txt", "file_size": 1, "mime_type": "text/plain"},
    **{"file_hash": "0" * 64, "is_temporary": False, "version": 1},
}


@dataclass(frozen=True)
class Held:
    """What A holds of a task: a call that is running, and one that has not begun."""

    lease: Lease
    tenant: UUID
    running: Execution
    pending: Execution


def _call(number: int) -> dict[str, Any]:
    return {"id": f"call_{number}", "name": TOOL, "arguments": {"text": f"number {number}"}}


async def _settle(job: Held, session: Session) -> object:
    return await session.tools.settle(job.lease, "completed", {"answer": "late", "files": []}, None)


async def _record_turn(job: Held, session: Session) -> object:
    await session.tools.record_turn(job.lease, 2, "late", [_call(3)], {}, {"prompt_tokens": 1})
    return None


async def _start(job: Held, session: Session) -> object:
    return await session.tools.start_execution(job.lease, job.pending.id)


async def _finish(job: Held, session: Session) -> object:
    await session.tools.finish_execution(job.lease, job.running.id, "completed", "late", {"content": "late"})
    return None


async def _add_files(job: Held, session: Session) -> object:
    file = {**FILE, "file_path": f"{job.tenant}/{job.lease.task_id}/late.txt"}
    return await session.tools.add_files(job.lease, [file])


async def _suspend(job: Held, session: Session) -> object:
    return await session.tools.suspend(job.lease, "answer")


async def _release(job: Held, session: Session) -> object:
    return await session.tools.release(job.lease)


async def _renew(job: Held, session: Session) -> object:
    (renewal,) = await session.tools.renew([job.lease], 60)
    return f"held: {renewal.held}"


class Ours:
    """Tasks of one person, taken and written with `Store`."""

    name = "agent-runtime"
    package = "agent-runtime"
    rescue_is = "worker_reap, then worker_claim"
    lease_seconds = 0.02
    writes: Sequence[Write] = (
        Write("settle", "Store.settle", _settle),
        Write("record a turn", "Store.record_turn", _record_turn),
        Write("start a tool call", "Store.start_execution", _start),
        Write("finish a tool call", "Store.finish_execution", _finish),
        Write("add files", "Store.add_files", _add_files),
        Write("suspend", "Store.suspend", _suspend),
        Write("release", "Store.release", _release),
        Write("renew the lease", "Store.renew", _renew),
    )

    def __init__(self, superuser: str, person: Person) -> None:
        self._superuser, self._person = superuser, person

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """In the role `agent_worker`, with a worker of its own."""
        async with await connect(self._superuser) as connection:
            await connection.execute("set role agent_worker")
            store = PostgresStore(cast("Any", OnePool(connection)), self._superuser, uuid4(), 0)
            await store.register("measured", 1, "0", 1)
            yield Session(connection, store)

    async def take(self) -> Held:
        task, _ = await self._person.submit()
        async with self.session() as session:
            store: Store = session.tools
            (claimed,) = await store.claim(1, self.lease_seconds)
            assert claimed.id == task, "it is the only one"
            assert claimed.lease_token is not None, "a claimed task has a lease"
            lease = Lease(task_id=task, token=claimed.lease_token)
            recorded = await store.record_turn(lease, 1, "I will.", [_call(1), _call(2)], {}, {"prompt_tokens": 1})
            first, second = recorded.executions
            if first.status == "pending":
                await store.start_execution(lease, first.id)
            return Held(lease, claimed.tenant_id, first, second)

    async def rescue(self, job: Held, session: Session) -> bool:
        store: Store = session.tools
        await store.reap()
        return any(claimed.id == job.lease.task_id for claimed in await store.claim(1, 600))

    async def look(self, job: Held, session: Session | None = None) -> Seen:
        async with AsyncExitStack() as closing:
            if session is None:
                session = await closing.enter_async_context(self.session())
            # The worker's role may read nothing.
            await session.execute("reset role")
            row = await (await session.execute(ROWS, [job.lease.task_id])).fetchone()
            await session.execute("set role agent_worker")
        return Seen(json.dumps(row["rows"], sort_keys=True), row["says"])

    async def forget(self, job: Held) -> None:
        async with await connect(self._superuser) as connection:
            for statement in FORGET:
                await connection.execute(statement, [job.lease.task_id])
            await connection.execute("select public.worker_reap()")
