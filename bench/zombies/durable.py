"""Durable execution on Postgres: Absurd, DBOS and LangGraph with its checkpointer."""

from __future__ import annotations

import asyncio
import logging
import operator
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict
from uuid import uuid4

from bench.postgres import connect, url_of
from bench.zombies.trial import LATE, OPEN, UNCOMMITTED, Peer, Seen, Session, Write

QUEUE = "measured"


class Absurd(Peer):
    """Its SDK for what a worker does outside a task, and the very SQL that its task context runs inside one."""

    name = "Absurd"
    package = "absurd-sdk"
    rescue_is = "claim_tasks: it fails the run whose claim expired, and claims the next run"
    lease_seconds = 1.0

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo)
        complete = "select absurd.complete_run(%(queue)s, %(run)s, 'null')"
        step = "select absurd.set_task_checkpoint_state(%(queue)s, %(task)s, 'late', '\"late\"', %(run)s, {})"
        self.writes: Sequence[Write] = (
            Write("complete", "absurd.complete_run, as _complete_task_run", _runs(complete)),
            Write("finish a step", "absurd.set_task_checkpoint_state, as ctx.step", _runs(step.format("60"))),
            Write("a step, no new claim", "the same, p_extend_claim_by left out", _runs(step.format("null"))),
            Write(
                "heartbeat",
                "absurd.extend_claim, as ctx.heartbeat",
                _runs("select absurd.extend_claim(%(queue)s, %(run)s, 60)"),
            ),
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        from absurd_sdk import AsyncAbsurd

        async with await connect(self._conninfo) as connection:
            yield Session(connection, AsyncAbsurd(connection, queue_name=QUEUE))

    async def install(self) -> None:
        """The schema that its command line tool carries, and a queue."""
        from absurdctl import BUNDLED_SCHEMA_SQL

        async with self.session() as session:
            await session.connection.execute(BUNDLED_SCHEMA_SQL)
            await session.tools.create_queue()

    async def take(self) -> Any:
        async with self.session() as session:
            await session.tools.spawn("measured", {}, queue=QUEUE)
            (run,) = await session.tools.claim_tasks(claim_timeout=int(self.lease_seconds), worker_id="A")
            return run

    async def rescue(self, job: Any, session: Session) -> bool:
        taken = await session.tools.claim_tasks(claim_timeout=600, worker_id="B")
        return any(run["task_id"] == job["task_id"] for run in taken)

    async def look(self, job: Any, session: Session | None = None) -> Seen:
        statement = """
            select jsonb_build_object(
                     'task', to_jsonb(t),
                     'runs', (select jsonb_agg(r order by r.run_id) from absurd.r_measured r
                              where r.task_id = t.task_id),
                     'steps', (select jsonb_agg(c) from absurd.c_measured c where c.task_id = t.task_id)
                   )::text as rows,
                   t.state || ', ' || (select count(*) from absurd.c_measured c where c.task_id = t.task_id)
                   || ' steps on record' as says
            from absurd.t_measured t where t.task_id = %s
        """
        if session is not None:
            row = await (await session.execute(statement, [job["task_id"]])).fetchone()
        else:
            async with await connect(self._conninfo) as connection:
                row = await (await connection.execute(statement, [job["task_id"]])).fetchone()
        return Seen(row["rows"], row["says"])

    async def forget(self, job: Any) -> None:
        async with self.session() as session:
            await session.tools.cancel_task(str(job["task_id"]))


def _runs(statement: str) -> Any:
    async def write(job: Any, session: Session) -> object:
        await session.execute(statement, {"queue": QUEUE, "task": job["task_id"], "run": job["run_id"]})
        return None

    return write


@dataclass
class Flow:
    """A workflow of DBOS, by its id, and those who run it: A is the first, B the second."""

    id: str
    gates: list[threading.Event] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    takes_a_step: bool = False
    """What it does when its gate opens: a step, or nothing more before it returns."""


class Dbos(Peer):
    """Its workflows in this process, and for open transactions the very call that its steps make."""

    name = "DBOS"
    package = "dbos"
    rescue_is = "recovery of an executor's pending workflows, as its admin endpoint and Conductor ask for it"
    lease_seconds = 0.0
    writes: Sequence[Write]

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo)
        self.writes = (
            Write("complete", "the workflow returns", self._return, (LATE,)),
            Write(
                "finish a step",
                "a step of the workflow; inside a transaction its SystemDatabase._record_operation_result_txn",
                self._step,
                (LATE, OPEN, UNCOMMITTED),
            ),
        )
        self._flows: dict[str, Flow] = {}
        self._said: list[str] = []
        self._workflow: Any = None

    async def install(self) -> None:
        from dbos import DBOS

        def late(number: int) -> str:
            return f"late, by {'AB'[number]}"

        step = DBOS.step(name="late")(late)

        def work() -> str:
            flow = self._flows[str(DBOS.workflow_id)]
            number = len(flow.gates)
            flow.owners.append(_owner())
            flow.gates.append(threading.Event())
            flow.gates[number].wait()
            return str(step(number) if flow.takes_a_step else late(number))

        self._workflow = DBOS.workflow(name="measured")(work)
        await asyncio.to_thread(self._launch)

    def _launch(self) -> None:
        from dbos import DBOS

        DBOS(
            config={
                "name": "zombie",
                "system_database_url": url_of(self._conninfo),
                "executor_id": "A",
                "run_admin_server": False,
                "application_version": "1",
                "log_level": "WARNING",
            }
        )
        logger = logging.getLogger("dbos")
        logger.handlers, logger.propagate = [_Noted(self._said)], False
        DBOS.launch()

    async def close(self) -> None:
        from dbos import DBOS

        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        database = _system_database()
        connection = await asyncio.to_thread(database.engine.connect)
        try:
            yield _OfSqlAlchemy(connection)
        finally:
            await asyncio.to_thread(connection.close)

    async def take(self) -> Flow:
        from dbos import DBOS, SetWorkflowID

        flow = Flow(str(uuid4()))
        self._flows[flow.id] = flow

        def start() -> None:
            with SetWorkflowID(flow.id):
                DBOS.start_workflow(self._workflow)

        await asyncio.to_thread(start)
        await _until(lambda: len(flow.gates) == 1)
        return flow

    async def rescue(self, job: Flow, session: Session) -> bool:
        from dbos import DBOS

        await asyncio.to_thread(DBOS._recover_pending_workflows, ["A"])
        await _until(lambda: len(job.gates) == 2)
        return True

    async def look(self, job: Flow, session: Session | None = None) -> Seen:
        statement = """
            select jsonb_build_object(
                     'workflow', to_jsonb(w),
                     'output', (select jsonb_agg(o) from dbos.workflow_output o
                                where o.workflow_uuid = w.workflow_uuid),
                     'steps', (select jsonb_agg(s) from dbos.operation_outputs s
                               where s.workflow_uuid = w.workflow_uuid)
                   )::text as rows,
                   w.status || ', ' || (
                     select count(*) from dbos.operation_outputs s where s.workflow_uuid = w.workflow_uuid
                   ) || ' steps on record' as says
            from dbos.workflow_status w where w.workflow_uuid = %s
        """
        async with await connect(self._conninfo) as connection:
            row = await (await connection.execute(statement, [job.id])).fetchone()
        assert row is not None, "it was started"
        return Seen(row["rows"], row["says"])

    async def forget(self, job: Flow) -> None:
        from dbos import DBOS

        for gate in job.gates:
            gate.set()
        await asyncio.to_thread(lambda: DBOS.retrieve_workflow(job.id).get_result())

    async def _return(self, job: Flow, session: Session) -> object:
        self._said.clear()
        job.gates[0].set()
        # Its thread tells nobody but the log that it was refused, so it is given time.
        await _until(lambda: bool(self._said), 2.0)
        return self._said[0] if self._said else "no error"

    async def _step(self, job: Flow, session: Session) -> object:
        from dbos._error import DBOSWorkflowConflictIDError

        if not session.connection.in_transaction():
            job.takes_a_step = True
            return await self._return(job, session)
        now = int(time.time() * 1000)
        result = {
            "workflow_uuid": job.id, "function_id": 1, "function_name": "late", "started_at_epoch_ms": now,
            "output": "late", "error": None, "child_workflow_id": None, "serialization": None,
        }  # fmt: skip
        record = _system_database()._record_operation_result_txn
        try:
            await asyncio.to_thread(record, result, now, session.connection, owner_xid=job.owners[0])
        except DBOSWorkflowConflictIDError as refusal:  # no Exception, so that workflows do not catch it
            return str(refusal)
        return None


class _OfSqlAlchemy(Session):
    async def begin(self) -> None:
        await asyncio.to_thread(self.connection.begin)

    async def commit(self) -> None:
        await asyncio.to_thread(self.connection.commit)

    async def roll_back(self) -> None:
        await asyncio.to_thread(self.connection.rollback)


class _Noted(logging.Handler):
    """Warnings as lines in a list."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


def _owner() -> str:
    from dbos._context import assert_current_dbos_context

    return str(assert_current_dbos_context().owner_xid)


def _system_database() -> Any:
    from dbos._dbos import _get_dbos_instance

    return _get_dbos_instance()._sys_db


async def _until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Threads of DBOS make it true; or the time passes."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)


class State(TypedDict):
    """A thread's state in LangGraph: what was done, in its order."""

    done: Annotated[list[str], operator.add]


@dataclass
class Thread:
    """A thread, the runs that work on it, and the moments at which they may go on."""

    config: dict[str, Any]
    closing: list[Any]
    runs: list[asyncio.Task[Any]] = field(default_factory=list)
    gates: list[asyncio.Event] = field(default_factory=list)


class LangGraph(Peer):
    """A graph of one node with its Postgres checkpointer."""

    name = "LangGraph"
    package = "langgraph-checkpoint-postgres"
    rescue_is = "none of its own; B invokes the thread with None, as its guide resumes one"
    lease_seconds = 0.0

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo)
        self.writes: Sequence[Write] = (Write("finish a node", "the node returns", self._wake, (LATE,)),)

    async def install(self) -> None:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        async with AsyncPostgresSaver.from_conn_string(self._conninfo) as saver:
            await saver.setup()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        async with await connect(self._conninfo) as connection:
            yield Session(connection)

    async def take(self) -> Thread:
        thread = Thread({"configurable": {"thread_id": str(uuid4())}}, [])
        await self._run(thread, {"done": []})
        return thread

    async def rescue(self, job: Thread, session: Session) -> bool:
        await self._run(job, None)
        return True

    async def _run(self, thread: Thread, start: Any) -> None:
        """Another worker's run, with a connection of its own, up to its node."""
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from langgraph.graph import END, START, StateGraph

        number = len(thread.gates)
        inside = asyncio.Event()
        thread.gates.append(asyncio.Event())

        async def work(state: State) -> dict[str, list[str]]:
            inside.set()
            await thread.gates[number].wait()
            return {"done": [f"by {'AB'[number]}"]}

        graph = StateGraph(State)
        graph.add_node("work", work)
        graph.add_edge(START, "work")
        graph.add_edge("work", END)
        opened = AsyncPostgresSaver.from_conn_string(self._conninfo)
        thread.closing.append(opened)
        compiled = graph.compile(checkpointer=await opened.__aenter__())
        thread.runs.append(asyncio.create_task(compiled.ainvoke(start, thread.config, durability="sync")))
        await asyncio.wait_for(inside.wait(), 30)

    async def _wake(self, job: Thread, session: Session) -> object:
        job.gates[0].set()
        return f"its state: {(await job.runs[0])['done']}"

    async def look(self, job: Thread, session: Session | None = None) -> Seen:
        statement = """
            select jsonb_build_object('checkpoints', c.rows, 'writes', w.rows)::text as rows,
                   coalesce(jsonb_array_length(c.rows), 0) || ' checkpoints, '
                   || coalesce(jsonb_array_length(w.rows), 0) || ' writes' as says
            from (select jsonb_agg(c order by c.checkpoint_id) as rows from checkpoints c where c.thread_id = %(id)s) c,
                 (select jsonb_agg(w order by w.task_id, w.idx) as rows from checkpoint_writes w
                  where w.thread_id = %(id)s) w
        """
        async with await connect(self._conninfo) as connection:
            row = await (
                await connection.execute(statement, {"id": job.config["configurable"]["thread_id"]})
            ).fetchone()
        assert row is not None, "one row"
        return Seen(row["rows"], row["says"])

    async def forget(self, job: Thread) -> None:
        for gate in job.gates:
            gate.set()
        await asyncio.gather(*job.runs, return_exceptions=True)
        for opened in job.closing:
            await opened.__aexit__(None, None, None)
