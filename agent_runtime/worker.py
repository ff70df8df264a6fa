"""The worker: claims tasks, keeps their leases, runs each in its own asyncio task, gives back what it cannot finish."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog

from agent_runtime import __version__
from agent_runtime.config import Settings
from agent_runtime.db.listen import listen
from agent_runtime.db.schema import SchemaStatus, require_known_version
from agent_runtime.db.store import Store, open_store
from agent_runtime.errors import ConfigError, DatabaseUnavailable
from agent_runtime.interrupt import Interrupt, StopReason, cancel_all
from agent_runtime.janitor import sweep_files
from agent_runtime.lease import LeaseKeeper
from agent_runtime.records import Lease, Task
from agent_runtime.storage import Storage
from agent_runtime.task_run import TaskRunner
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox import Sandbox

log = structlog.get_logger()

POOL_LIMIT = 10
SWEEP_SECONDS = 600.0
STOPPED_SECONDS = 0.5


@dataclass(frozen=True)
class ActiveRun:
    """A task that is running here."""

    lease: Lease
    interrupt: Interrupt
    handle: asyncio.Task[None]


class Worker:
    """One worker process. `run` goes on until `stop` is called, or with `drain` until nothing is pending."""

    def __init__(
        self, settings: Settings, store: Store, keeper_store: Store, runner: TaskRunner, storage: Storage
    ) -> None:
        self._settings = settings
        self._store = store
        self._runner = runner
        self._storage = storage
        self._active: dict[UUID, ActiveRun] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._keeper = LeaseKeeper(
            keeper_store,
            settings.lease_seconds,
            leases=lambda: [run.lease for run in self._active.values()],
            on_lost=lambda task_id: self._stop_run(task_id, "lost"),
            on_cancel=lambda task_id: self._stop_run(task_id, "cancelled"),
        )

    async def run(self, *, drain: bool = False) -> None:
        """Work. Tasks that are running when it ends are given back, without counting an attempt."""
        duties = [self._keeper.keep(), self._reap_for_ever(), self._sweep_for_ever(), self._listen_for_ever()]
        async with _background(*duties):
            try:
                await self._claim_until_stopped(drain)
            finally:
                await self._give_back()
        with contextlib.suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(STOPPED_SECONDS):
                await self._store.stopped()

    def stop(self) -> None:
        """Begin to shut down."""
        self._stopping = True
        self._wake.set()

    async def _claim_until_stopped(self, drain: bool) -> None:
        # What a dead worker left is there to be claimed, also by one that drains.
        await self._reap()
        while not self._stopping:
            self._wake.clear()
            claimed = await self._claim()
            if drain and not claimed and not self._active:
                return
            if claimed and len(self._active) < self._settings.concurrency:
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.poll_seconds)

    async def _claim(self) -> int:
        free = self._settings.concurrency - len(self._active)
        if free <= 0:
            return 0
        try:
            tasks = await self._store.claim(free, self._settings.lease_seconds)
        except DatabaseUnavailable as error:
            log.warning("cannot claim, trying again", error=str(error))
            await asyncio.sleep(1)
            return 0
        for task in tasks:
            self._start(task)
        return len(tasks)

    def _start(self, task: Task) -> None:
        assert task.lease_token is not None, "a claimed task has a lease"
        lease = Lease(task_id=task.id, token=task.lease_token)
        interrupt = Interrupt()
        handle = asyncio.create_task(self._run_one(task, lease, interrupt), name=f"task {task.id}")
        interrupt.attach(handle)
        self._active[task.id] = ActiveRun(lease, interrupt, handle)

    async def _run_one(self, task: Task, lease: Lease, interrupt: Interrupt) -> None:
        structlog.contextvars.bind_contextvars(task_id=str(task.id))
        try:
            await self._runner.run(task, lease, interrupt)
        finally:
            self._active.pop(task.id, None)
            self._wake.set()

    def _stop_run(self, task_id: UUID, reason: StopReason) -> None:
        if run := self._active.get(task_id):
            log.info("stopping task", task_id=str(task_id), reason=reason)
            run.interrupt.ask(reason)

    async def _give_back(self) -> None:
        handles = [run.handle for run in self._active.values()]
        for run in list(self._active.values()):
            run.interrupt.ask("shutdown")
        if handles:
            _, late = await asyncio.wait(handles, timeout=self._settings.shutdown_seconds)
            if late:
                log.warning("some tasks were not given back in time; their leases run out", tasks=len(late))

    async def _listen_for_ever(self) -> None:
        assert self._settings.database_url is not None, "checked at start"
        await listen(self._settings.database_url.get_secret_value(), self._wake.set, lambda _: self._keeper.look_now())

    async def _reap_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 2)
            await self._reap()

    async def _reap(self) -> None:
        with contextlib.suppress(DatabaseUnavailable):
            for reaped in await self._store.reap():
                log.warning("took a task from a dead worker", **{key: str(value) for key, value in reaped.items()})

    async def _sweep_for_ever(self) -> None:
        while True:
            await sweep_files(self._store, self._storage)
            await asyncio.sleep(SWEEP_SECONDS)


@contextlib.asynccontextmanager
async def open_worker(settings: Settings, registry: Registry, sandbox: Sandbox) -> AsyncIterator[Worker]:
    """A worker with its connections, announced to the database.

    Raises `ConfigError` for settings that are missing or a database that is newer, `DatabaseUnavailable`.
    """
    conninfo, storage = required_database_url(settings), open_storage(settings)
    patience = settings.lease_seconds * 2
    worker_id = uuid4()
    # Before the pools are opened, so that their lines carry it too.
    structlog.contextvars.bind_contextvars(worker_id=str(worker_id))
    connections = min(POOL_LIMIT, settings.concurrency + 1)
    async with (
        storage,
        open_store(conninfo, worker_id, connections=connections, patience_seconds=patience) as store,
        open_store(conninfo, worker_id, connections=1, patience_seconds=patience) as keeper_store,
    ):
        known = await store.register(socket.gethostname(), os.getpid(), __version__, settings.concurrency)
        require_known_version(SchemaStatus(installed=known["schema_version"]))
        yield Worker(settings, store, keeper_store, TaskRunner(settings, store, storage, registry, sandbox), storage)


def required_database_url(settings: Settings) -> str:
    """Raises `ConfigError` when it is not set."""
    if settings.database_url is None:
        raise ConfigError(
            "DATABASE_URL is not set: give the Postgres connection string, or start everything with `agent-runtime up`"
        )
    return settings.database_url.get_secret_value()


def open_storage(settings: Settings) -> Storage:
    """The bucket as the worker. Raises `ConfigError` when its settings are missing."""
    if settings.supabase_url is None or settings.supabase_secret_key is None:
        missing = "SUPABASE_URL" if settings.supabase_url is None else "SUPABASE_SECRET_KEY"
        raise ConfigError(f"{missing} is not set: the worker keeps files in Supabase Storage")
    return Storage(settings.supabase_url, settings.supabase_secret_key.get_secret_value())


@contextlib.asynccontextmanager
async def _background(*duties: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run duties beside the body. One that fails takes the worker down with its error instead of dying unseen."""
    tasks = [asyncio.create_task(duty) for duty in duties]
    body = asyncio.current_task()
    assert body is not None, "runs inside a task"
    failures: list[BaseException] = []

    def on_done(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            failures.append(error)
            body.cancel()

    for task in tasks:
        task.add_done_callback(on_done)
    try:
        yield
    except asyncio.CancelledError:
        if failures:
            raise failures[0] from None
        raise
    finally:
        await cancel_all(tasks)
