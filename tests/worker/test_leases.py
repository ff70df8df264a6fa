"""Leases hold while the worker's loop is busy, are given up when it is wedged, and are not believed in after standing
still."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from structlog.testing import capture_logs

from agent_runtime.db.store import Store, open_store
from agent_runtime.errors import DatabaseUnavailable, LeaseLost
from agent_runtime.lease import LeaseKeeper
from agent_runtime.lease_book import News
from agent_runtime.pulse import clock
from agent_runtime.records import Lease, Renewal
from tests.conftest import Database
from tests.db import runs
from tests.db.impersonation import Connection
from tests.loopback import LOOPBACK
from tests.worker.conftest import DONE, Desk, Office, call, see, working

LEASE_SECONDS = 1.0


@dataclass
class Kept:
    """A keeper that runs, what it told, and when its renewals were granted."""

    keeper: LeaseKeeper
    told: list[tuple[Lease, News]] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[float] = field(default_factory=list)

    def tell(self, lease: Lease, news: News) -> None:
        self.told.append((lease, news))
        self.heard.set()

    async def hears(self) -> list[tuple[Lease, News]]:
        async with asyncio.timeout(20):
            await self.heard.wait()
        self.heard.clear()
        return self.told


class Noting:
    """A store that notes when each renewal was sent, once it has been granted."""

    def __init__(self, store: Store, sent: list[float]) -> None:
        self._store, self._sent = store, sent

    async def renew(self, held: Sequence[Lease], lease_seconds: float) -> list[Renewal]:
        at = clock()
        renewals = await self._store.renew(held, lease_seconds)
        self._sent.append(at)
        return renewals


@asynccontextmanager
async def keeping(
    database: Database, *, stall_seconds: float = 300, lease_seconds: float = LEASE_SECONDS
) -> AsyncIterator[Kept]:
    """The keeper of a worker whose loop is the test's."""
    sent: list[float] = []

    @asynccontextmanager
    async def open_noting() -> AsyncIterator[Noting]:
        async with open_store(database.worker, runs.WORKER, connections=1, patience_seconds=0) as store:
            yield Noting(store, sent)

    keeper = LeaseKeeper(open_noting, lease_seconds, stall_seconds)
    kept = Kept(keeper, sent=sent)
    async with keeper.running(kept.tell):
        yield kept


def take(connection: Connection, kept: Kept, count: int = 1, lease_seconds: float = LEASE_SECONDS) -> list[Lease]:
    """Claim so many new tasks, of as many people, and have them kept."""
    for _ in range(count):
        runs.submit(connection, runs.sign_up(connection, f"{uuid.uuid4().hex}@example.org"))
    asked_at = clock()
    claimed = runs.claim(connection, count, lease_seconds)
    assert len(claimed) == count
    taken = [Lease(task_id=row["id"], token=row["lease_token"]) for row in claimed]
    for lease in taken:
        kept.keeper.hold(lease, asked_at)
    return taken


@pytest.fixture
def connection(database18: Database) -> Iterator[Connection]:
    with psycopg.connect(database18.owner, autocommit=True, row_factory=dict_row) as opened:
        runs.install_probes(opened)
        runs.register(opened)
        yield opened


def block_the_loop(seconds: float) -> None:
    """As a library that computes in Python does: it holds the interpreter's lock but for its regular switches."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))


async def test_200_leases_are_renewed_while_the_loop_is_blocked_for_three_leases(
    database18: Database, connection: Connection
) -> None:
    lease_seconds = 2.0
    async with keeping(database18, lease_seconds=lease_seconds) as kept:
        taken = take(connection, kept, 200, lease_seconds)
        await kept.keeper.require(taken[0])
        started = clock()
        block_the_loop(3 * lease_seconds)
        ended = clock()
        lost = [lease for lease in taken if not kept.keeper.surely_held(lease)]
        reaped = runs.reap(connection)
    during = [at for at in kept.sent if started <= at <= ended]
    gaps = [later - earlier for earlier, later in zip([started, *during], [*during, ended], strict=True)]
    print(f"{len(during)} renewals of 200 leases while blocked; the longest gap was {max(gaps):.2f} s")
    assert not lost
    assert not reaped
    assert kept.told == []


async def test_a_loop_that_is_wedged_loses_its_leases_and_learns_of_it(
    database18: Database, connection: Connection
) -> None:
    with capture_logs() as logs:
        async with keeping(database18, stall_seconds=0.5) as kept:
            (lease,) = take(connection, kept)
            deadline = time.monotonic() + 30
            while not (reaped := runs.reap(connection)) and time.monotonic() < deadline:
                time.sleep(0.05)  # not a pause of the loop: it is wedged
            assert [row["task_id"] for row in reaped] == [lease.task_id]
            assert await kept.hears() == [(lease, "lost")]
    lines = [line["event"] for line in logs if line["log_level"] in ("error", "info")]
    assert len([line for line in lines if "has not moved" in line]) == 1
    assert "the worker moves again, renewing its leases" in lines


async def test_cancel_pause_and_resume_are_told_once_each(database18: Database, connection: Connection) -> None:
    async with keeping(database18) as kept:
        (lease,) = take(connection, kept)

        async def asked(change: str) -> News:
            connection.execute(f"update public.tasks set {change} where id = %s", [lease.task_id])
            kept.keeper.look_now()
            return (await kept.hears())[-1][1]

        assert await asked("pause_requested_at = now()") == "pause"
        assert await asked("pause_requested_at = null") == "resume"
        assert await asked("cancel_requested_at = now()") == "cancel"
        before = len(kept.sent)
        while len(kept.sent) < before + 2:
            await asyncio.sleep(0.02)
        assert [news for _, news in kept.told] == ["pause", "resume", "cancel"]


async def test_an_effect_waits_for_a_renewal_and_is_refused_when_the_lease_is_lost(
    database18: Database, connection: Connection
) -> None:
    async with keeping(database18) as kept:
        fresh, stale = take(connection, kept, 2)
        long_ago = clock() - 2 * LEASE_SECONDS
        kept.keeper.drop(fresh)
        # It is renewed in the keeper's thread, which may be done before this one goes on.
        kept.keeper.hold(fresh, long_ago)
        await kept.keeper.require(fresh)
        assert kept.keeper.surely_held(fresh)

        kept.keeper.drop(stale)
        connection.execute("update public.tasks set lease_token = gen_random_uuid() where id = %s", [stale.task_id])
        kept.keeper.hold(stale, long_ago)
        with pytest.raises(LeaseLost):
            await kept.keeper.require(stale)
        with pytest.raises(LeaseLost):
            await kept.keeper.require(Lease(task_id=fresh.task_id, token=uuid.uuid4()))


async def test_a_task_that_comes_back_to_the_same_worker_ends_its_old_lease(
    database18: Database, connection: Connection
) -> None:
    async with keeping(database18) as kept:
        (old,) = take(connection, kept)
        new = Lease(task_id=old.task_id, token=uuid.uuid4())
        connection.execute("update public.tasks set lease_token = %s where id = %s", [new.token, new.task_id])
        kept.keeper.hold(new, clock())
        assert kept.told[0] == (old, "lost")
        await kept.keeper.require(new)
        assert not kept.keeper.surely_held(old)
        with pytest.raises(LeaseLost):
            await kept.keeper.require(old)
        assert kept.told == [(old, "lost")]


async def test_nothing_is_begun_while_the_database_does_not_say_that_the_lease_holds() -> None:
    @asynccontextmanager
    async def away() -> AsyncIterator[Noting]:
        raise DatabaseUnavailable("nobody is there")
        yield

    keeper = LeaseKeeper(away, LEASE_SECONDS, 300)
    lease = Lease(task_id=uuid.uuid4(), token=uuid.uuid4())
    with capture_logs() as logs:
        async with keeper.running(lambda _lease, _news: None):
            keeper.hold(lease, clock() - LEASE_SECONDS)
            assert not keeper.surely_held(lease)
            with pytest.raises(DatabaseUnavailable, match="nothing is begun"):
                await keeper.require(lease)
    assert [line["event"] for line in logs] == ["leases are not renewed, trying again"]


async def test_an_error_of_the_keeper_is_not_lost_in_its_thread() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[Noting]:
        raise ZeroDivisionError
        yield

    keeper = LeaseKeeper(broken, LEASE_SECONDS, 300)
    async with keeper.running(lambda _lease, _news: None):
        with pytest.raises(ZeroDivisionError):
            await keeper.watch()


async def test_leases_outlive_cut_connections(database18: Database, connection: Connection) -> None:
    async with keeping(database18) as kept:
        (lease,) = take(connection, kept)
        for _ in range(3):
            before = len(kept.sent)
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'agent_worker' and datname = current_database()"
            )
            async with asyncio.timeout(20):
                while len(kept.sent) == before:
                    await asyncio.sleep(0.02)
        await kept.keeper.require(lease)
    assert kept.told == []


# -- a process that is stopped past its lease --------------------------------------------------------------------------

STANDER = """
import asyncio, sys, uuid
from agent_runtime.db.store import open_store
from agent_runtime.errors import LeaseLost
from agent_runtime.lease import LeaseKeeper
from agent_runtime.log import configure_logging
from agent_runtime.pulse import clock
from agent_runtime.records import Lease
from tests.loopback import LOOPBACK

async def main(conninfo, worker):
    def opened():
        return open_store(conninfo, worker, connections=1, patience_seconds=0)
    keeper = LeaseKeeper(opened, 1.0, 300)
    async with opened() as store, keeper.running(lambda lease, news: None):
        asked_at = clock()
        (task,) = await store.claim(1, 1.0)
        lease = Lease(task_id=task.id, token=task.lease_token)
        keeper.hold(lease, asked_at)
        print("holds", flush=True)
        # Blocks the loop, as a process does that is stopped between a thought and the deed.
        sys.stdin.readline()
        believed = keeper.surely_held(lease)
        try:
            await keeper.require(lease)
            print(believed, "began", flush=True)
        except LeaseLost:
            print(believed, "refused", flush=True)

configure_logging("json", "error")
asyncio.run(main(sys.argv[1], uuid.UUID(sys.argv[2])))
"""


async def start_stander(database: Database) -> Process:
    stander = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STANDER, database.worker, str(runs.WORKER), stdin=PIPE, stdout=PIPE
    )
    assert stander.stdout is not None
    assert await stander.stdout.readline() == b"holds\n"
    return stander


@pytest.mark.parametrize("taken_over", [True, False], ids=["taken over", "not taken over"])
async def test_a_process_that_wakes_after_its_lease_begins_nothing_on_stale_belief(
    database18: Database, connection: Connection, taken_over: bool
) -> None:
    runs.submit(connection, runs.sign_up(connection, "a@example.org"))
    stander = await start_stander(database18)
    assert stander.stdin is not None and stander.stdout is not None
    try:
        stander.send_signal(signal.SIGSTOP)
        stander.stdin.write(b"go on\n")
        async with asyncio.timeout(20):
            while not connection.execute("select 1 as one from public.tasks where lease_expires_at < now()").fetchone():
                await asyncio.sleep(0.05)
        if taken_over:
            (reaped,) = runs.reap(connection)
            assert reaped["status"] == "pending"
            runs.claim(connection, 1, 60)
        stander.send_signal(signal.SIGCONT)
        async with asyncio.timeout(20):
            believed, did = (await stander.stdout.readline()).split()
    finally:
        if stander.returncode is None:
            stander.send_signal(signal.SIGCONT)
            stander.stdin.close()
        await stander.wait()
    # Its keeper's thread wakes too, and may have renewed what nobody took before the belief was asked for.
    assert did == (b"refused" if taken_over else b"began")
    assert not (taken_over and believed == b"True")


async def _chats(client: httpx.AsyncClient, base_url: str) -> int:
    requests = (await client.get(f"{base_url}/scripted/requests")).json()["requests"]
    return sum(request["path"] == "/api/chat" for request in requests)


async def test_a_stopped_worker_that_wakes_drops_the_task_that_another_has_ended(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    server = await office.serve(
        {"when": {"turn": 0}, "answer": call("shell_exec", command="echo x >> ran")},
        {"answer": {"delay_seconds": 60, **DONE}, "once": True},
        {"answer": DONE},
    )
    task_id = await desk.submit()
    log = tmp_path / "stopped.log"
    settings = office.settings(workspace_root=tmp_path / "first")
    assert settings.database_url is not None and settings.supabase_secret_key is not None
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "SUPABASE_URL": str(settings.supabase_url),
        "SUPABASE_SECRET_KEY": settings.supabase_secret_key.get_secret_value(),
        "AGENT_RUNTIME_MODEL_URL": str(settings.model_url),
        "AGENT_RUNTIME_MODEL": "scripted",
        "AGENT_RUNTIME_LEASE_SECONDS": "1",
        "AGENT_RUNTIME_WORKSPACE_ROOT": str(tmp_path / "first"),
    }
    with log.open("wb") as output:
        stopped = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent_runtime", "run", env=environment, stdout=output, stderr=output, cwd=tmp_path
        )
    try:
        # In the middle of its second turn, which is the one that takes long.
        async with asyncio.timeout(30), httpx.AsyncClient(**LOOPBACK) as client:
            while await _chats(client, server.base_url) < 2:
                await asyncio.sleep(0.02)
        stopped.send_signal(signal.SIGSTOP)
        async with working(office, lease_seconds=2):
            await see(desk, "exists (select from public.tasks where id = %s and completed_at is not null)", task_id)
        ended = await desk.task(task_id)
        stopped.send_signal(signal.SIGCONT)
        async with asyncio.timeout(20):
            while "lost" not in log.read_text():
                await asyncio.sleep(0.05)
    finally:
        stopped.send_signal(signal.SIGCONT)
        stopped.terminate()
        assert await stopped.wait() == 0
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"]) == ("completed", 1)
    assert task == ended
    ran = [folder / str(task_id) / "ran" for folder in (tmp_path / "first", office.workspace_root)]
    # In each at most once: the second has it from the first.
    assert {path.read_text() for path in ran if path.exists()} == {"x\n"}
