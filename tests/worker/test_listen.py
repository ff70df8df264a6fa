"""Wake-ups arrive, prove themselves, and are done without where a pooler or a dead connection swallows them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs

from agent_runtime.db.listen import Listener
from agent_runtime.interrupt import cancel_all
from tests.conftest import Database
from tests.worker.conftest import DONE, Desk, Office, call, see, working
from tests.worker.pooler import needs_pooler, pooling
from tests.worker.test_worker_life import running_call

ECHO_SECONDS = 0.5


@dataclass
class Heard:
    """What a listener called back."""

    pending: asyncio.Event = field(default_factory=asyncio.Event)
    control: list[uuid.UUID | None] = field(default_factory=list)
    health: list[bool] = field(default_factory=list)

    async def until(self, *health: bool) -> None:
        async with asyncio.timeout(20):
            while self.health != list(health):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(conninfo: str, echo_seconds: float = ECHO_SECONDS) -> AsyncIterator[Heard]:
    heard = Heard()
    listener = Listener(
        conninfo,
        on_pending=heard.pending.set,
        on_control=heard.control.append,
        on_health=heard.health.append,
        echo_seconds=echo_seconds,
        poll_seconds=1,
    )
    task = asyncio.create_task(listener.listen())
    try:
        yield heard
    finally:
        await cancel_all([task])


async def notify(database: Database, channel: str, payload: str = "") -> None:
    async with await psycopg.AsyncConnection.connect(database.owner, autocommit=True) as connection:
        await connection.execute("select pg_notify(%s, %s)", [channel, payload])


async def test_a_listener_is_healthy_once_its_own_echo_came(database18: Database) -> None:
    async with listening(database18.worker) as heard:
        await heard.until(True)
        assert heard.control == [None]
        heard.pending.clear()
        await notify(database18, "agent_runtime_pending")
        async with asyncio.timeout(20):
            await heard.pending.wait()


async def test_a_notification_that_cannot_be_read_ends_nothing(database18: Database) -> None:
    task = uuid.uuid4()
    async with listening(database18.worker) as heard:
        await heard.until(True)
        await notify(database18, "agent_runtime_control", "'; drop table tasks; --")
        await notify(database18, "agent_runtime_control", str(task))
        async with asyncio.timeout(20):
            while task not in heard.control:
                await asyncio.sleep(0.02)
        assert heard.control == [None, task]


async def test_a_connection_that_goes_silent_is_made_anew(database18: Database) -> None:
    with capture_logs() as logs:
        async with Cable(database18.worker) as cable, listening(cable.conninfo) as heard:
            await heard.until(True)
            cable.freeze()
            await heard.until(True, False, True)
    assert "the listening connection went silent, connecting anew" in [line["event"] for line in logs]


async def test_a_cut_connection_is_made_anew(database18: Database) -> None:
    async with listening(database18.worker) as heard:
        await heard.until(True)
        async with await psycopg.AsyncConnection.connect(database18.superuser, autocommit=True) as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'agent_worker' and datname = current_database()"
            )
        await heard.until(True, False, True)
        assert heard.control == [None, None]


class Cable:
    """A line to Postgres whose connections can be frozen: those that are there say nothing more, new ones work."""

    def __init__(self, conninfo: str) -> None:
        self._parts = conninfo_to_dict(conninfo)
        self._thawed: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        parts = self._parts
        self.conninfo = f"postgresql://{parts['user']}:{parts['password']}@127.0.0.1:{port}/{parts['dbname']}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await cancel_all(self._tasks)

    def freeze(self) -> None:
        for thawed in self._thawed:
            thawed.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        thawed = asyncio.Event()
        thawed.set()
        self._thawed.append(thawed)
        there, back = await asyncio.open_connection(str(self._parts["host"]), int(str(self._parts["port"])))
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._carry(source, sink, thawed))
            self._tasks.add(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, thawed: asyncio.Event) -> None:
        try:
            while data := await source.read(65536):
                await thawed.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


# -- behind a real pooler ----------------------------------------------------------------------------------------------


@needs_pooler
async def test_a_transaction_pooler_is_noticed_and_said_in_one_line(database18: Database, open_folder: Path) -> None:
    with capture_logs() as logs:
        async with (
            pooling(database18.worker, open_folder / uuid.uuid4().hex, "transaction") as pooled,
            listening(pooled, 0.2) as heard,
        ):
            async with asyncio.timeout(20):
                while not logs:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(1)  # five more echoes
            assert heard.health == []
    (line,) = logs
    assert "does not deliver notifications, as behind a transaction pooler" in line["event"]
    assert "use a direct connection or a session pooler" in line["event"]


@needs_pooler
async def test_a_session_pooler_delivers(database18: Database, open_folder: Path) -> None:
    async with (
        pooling(database18.worker, open_folder / uuid.uuid4().hex, "session") as pooled,
        listening(pooled) as heard,
    ):
        await heard.until(True)


@needs_pooler
async def test_a_worker_behind_a_transaction_pooler_starts_tasks_and_hears_a_cancellation_soon(
    desk: Desk, office: Office, open_folder: Path
) -> None:
    await office.serve(
        {"when": {"user": "Wait"}, "answer": call("shell_exec", command="sleep 60")},
        {
            "steps": [
                call("file_write", path="a.txt", content="1"),
                *(call("file_edit", path="a.txt", edits=[{"old": str(n), "new": str(n + 1)}]) for n in range(1, 8)),
                DONE,
            ]
        },
    )
    url = office.stack.worker_database_url
    async with (
        pooling(url, open_folder / uuid.uuid4().hex, "transaction") as pooled,
        # A slow poll and long leases: what happens soon happens because it knows that nobody wakes it.
        working(office, DATABASE_URL=pooled, poll_seconds=60, lease_seconds=60),
    ):
        started = []
        for prompt in ("Count.", "Count again.", "Wait."):
            submitted, task_id = time.monotonic(), await desk.submit(prompt)
            await see(desk, "exists (select from public.tasks where id = %s and started_at is not null)", task_id)
            started.append(time.monotonic() - submitted)
        await see(desk, *running_call(task_id))
        asked = time.monotonic()
        await desk.as_person("select public.cancel_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'cancelled')", task_id)
        cancelled = time.monotonic() - asked
        await see(desk, "not exists (select from public.tasks where status in ('pending', 'running'))")
    print(f"started after {', '.join(f'{seconds:.2f}' for seconds in started)} s; cancelled after {cancelled:.2f} s")
    done = await desk.rows(
        "select status, attempts from public.tasks where user_id = %s order by created_at", desk.user
    )
    assert [(row["status"], row["attempts"]) for row in done] == [("completed", 0)] * 2 + [("cancelled", 0)]
