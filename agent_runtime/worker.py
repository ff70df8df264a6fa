"""The worker: claims tasks, keeps their leases, runs each in its own asyncio task, gives back what it cannot finish."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from pydantic import ValidationError

from agent_runtime import __version__
from agent_runtime.config import Settings
from agent_runtime.db.listen import Listener
from agent_runtime.db.schema import SCHEMA_VERSION, SchemaStatus, require_known_version
from agent_runtime.db.store import Store, address_of, open_store
from agent_runtime.errors import AgentRuntimeError, ConfigError, SchemaDiffers
from agent_runtime.interrupt import Interrupt, StopReason, cancel_all
from agent_runtime.janitor import sweep_files
from agent_runtime.lease import LeaseKeeper
from agent_runtime.lease_book import News
from agent_runtime.live_answers import LiveAnswers
from agent_runtime.model_watch import watch_model
from agent_runtime.pulse import clock
from agent_runtime.records import Lease, Task
from agent_runtime.storage import Storage
from agent_runtime.structlog_alone import structlog
from agent_runtime.task_run import TaskRunner
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Sandbox
from agent_runtime.vault.keys import Keyring

log = structlog.get_logger()

POOL_LIMIT = 10
SWEEP_SECONDS = 600.0
STOPPED_SECONDS = 0.5
VAULT_SINCE_VERSION = 3
AGAIN_SECONDS = 1.0
"""Between tries when a claim failed."""

_STOP_REASONS: dict[News, StopReason] = {"lost": "lost", "cancel": "cancelled"}


@dataclass(frozen=True)
class ActiveRun:
    """A task that is running here."""

    lease: Lease
    interrupt: Interrupt
    handle: asyncio.Task[None]


class Worker:
    """One worker process. `run` goes on until `stop` is called, or with `drain` until nothing is pending."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        keeper: LeaseKeeper,
        runner: TaskRunner,
        storage: Storage,
        answers: LiveAnswers | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._keeper = keeper
        self._runner = runner
        self._storage = storage
        self._answers = answers or LiveAnswers(None)
        self._active: dict[Lease, ActiveRun] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._is_woken = False

    async def run(self, *, drain: bool = False) -> None:
        """Work. Tasks that are running when it ends are given back, without counting an attempt.

        Raises `ConfigError` when the database was upgraded meanwhile and does not know this release any more.
        """
        try:
            # Around everything else: leases are renewed until the tasks were given back.
            async with self._keeper.running(self._hear):
                duties = [
                    self._keeper.watch(),
                    self._reap_for_ever(),
                    self._sweep_for_ever(),
                    self._listen_for_ever(),
                    self._answers.publish(),
                    self._watch_for_ever(),
                ]
                async with _background(*duties):
                    try:
                        await self._claim_until_stopped(drain)
                    finally:
                        await self._give_back()
        except (psycopg.ProgrammingError, SchemaDiffers, ValidationError):
            await self._stop_if_upgraded()
            raise
        with contextlib.suppress(AgentRuntimeError, TimeoutError):
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
            # What ends while the database is asked may let others begin: their parent, or what had no turn.
            was_idle = not self._active
            claimed = await self._claim()
            if drain and claimed == 0 and was_idle:
                return
            if claimed and len(self._active) < self._settings.concurrency:
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._poll_seconds())

    def _poll_seconds(self) -> float:
        if self._is_woken:
            return self._settings.poll_seconds
        # Not all workers of a fleet at once.
        return self._settings.unwoken_poll_seconds * random.uniform(0.75, 1.25)  # noqa: S311

    async def _claim(self) -> int | None:
        """How many; None where the database could not be asked."""
        free = self._settings.concurrency - len(self._active)
        if free <= 0:
            return 0
        # The leases last at least so long from here on, whenever the answer is read.
        asked_at = clock()
        try:
            tasks = await self._store.claim(free, self._settings.lease_seconds)
        except (psycopg.ProgrammingError, SchemaDiffers):
            raise
        except (AgentRuntimeError, psycopg.Error) as error:
            log.warning("cannot claim, trying again", error=_first_line(error))
            await asyncio.sleep(AGAIN_SECONDS)
            return None
        for task in tasks:
            self._start(task, asked_at)
        return len(tasks)

    def _start(self, task: Task, asked_at: float) -> None:
        assert task.lease_token is not None, "a claimed task has a lease"
        lease, interrupt = Lease(task_id=task.id, token=task.lease_token), Interrupt()
        # This worker may get back what it lost while it stood still: the old run leaves the workspace first.
        older = [run.handle for run in self._active.values() if run.lease.task_id == task.id]
        handle = asyncio.create_task(self._run_one(task, lease, interrupt, older), name=f"task {task.id}")
        self._active[lease] = ActiveRun(lease, interrupt, handle)
        self._keeper.hold(lease, asked_at)

    async def _run_one(self, task: Task, lease: Lease, interrupt: Interrupt, older: list[asyncio.Task[None]]) -> None:
        structlog.contextvars.bind_contextvars(task_id=str(task.id))
        try:
            if older:
                await asyncio.wait(older)
            await self._runner.run(task, lease, interrupt)
        finally:
            self._active.pop(lease, None)
            self._keeper.drop(lease)
            self._wake.set()

    def _hear(self, lease: Lease, news: News) -> None:
        """What the keeper learned of a task that runs here."""
        run = self._active.get(lease)
        if run is None:
            return
        log.info("told of a task", task_id=str(lease.task_id), news=news)
        if news == "pause":
            run.interrupt.pause_requested.set()
        elif news == "resume":
            run.interrupt.pause_requested.clear()
        else:
            run.interrupt.ask(_STOP_REASONS[news])

    async def _give_back(self) -> None:
        handles = [run.handle for run in self._active.values()]
        for run in list(self._active.values()):
            run.interrupt.ask("shutdown")
        if handles:
            _, late = await asyncio.wait(handles, timeout=self._settings.shutdown_seconds)
            if late:
                log.warning("some tasks were not given back in time; their leases run out", tasks=len(late))

    async def _listen_for_ever(self) -> None:
        self._rely_on_wake_ups(False)
        if self._settings.database_url is None:
            return  # nothing notifies over REST
        listener = Listener(
            self._settings.database_url.get_secret_value(),
            on_pending=self._wake.set,
            on_control=self._look_at,
            on_health=self._rely_on_wake_ups,
            on_watch=self._answers.hear,
            echo_seconds=self._settings.echo_seconds,
            poll_seconds=self._settings.unwoken_poll_seconds,
        )
        await listener.listen()

    def _look_at(self, task_id: UUID | None) -> None:
        if task_id is None or any(lease.task_id == task_id for lease in self._active):
            self._keeper.look_now()

    def _rely_on_wake_ups(self, healthy: bool) -> None:
        self._is_woken = healthy
        self._keeper.hurry(not healthy)
        self._wake.set()

    async def _reap_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 2)
            await self._reap()

    async def _reap(self) -> None:
        try:
            for reaped in await self._store.reap():
                log.warning("took a task from a dead worker", **{key: str(value) for key, value in reaped.items()})
        except (psycopg.ProgrammingError, SchemaDiffers):
            raise
        except (AgentRuntimeError, psycopg.Error) as error:
            # Another worker reaps too, and this one again soon.
            log.warning("dead workers' tasks are looked for later", error=_first_line(error))

    async def _stop_if_upgraded(self) -> None:
        """Raises `ConfigError` when what went wrong is that the database is newer than this release by now."""
        try:
            known = await _announce(self._store, self._settings)
        except (psycopg.ProgrammingError, SchemaDiffers):
            pass  # not even that is as it was
        except (AgentRuntimeError, psycopg.Error):
            return
        else:
            if (known["schema_version"] or 0) <= SCHEMA_VERSION:
                return
        raise ConfigError(
            "the database was upgraded to a newer schema: restart this worker with a newer release"
        ) from None

    async def _watch_for_ever(self) -> None:
        await watch_model(self._store, self._settings, sandbox=self._runner.sandbox_name)

    async def _sweep_for_ever(self) -> None:
        while True:
            await sweep_files(self._store, self._storage)
            await asyncio.sleep(SWEEP_SECONDS)


@contextlib.asynccontextmanager
async def open_worker(settings: Settings, registry: Registry, sandbox: Sandbox) -> AsyncIterator[Worker]:
    """A worker with its connections, announced to the database.

    Raises `ConfigError` for settings that are missing or a database that is newer, `DatabaseUnavailable`.
    """
    address, storage = address_of(settings), open_storage(settings)
    patience = settings.lease_seconds * 2
    worker_id = uuid4()
    # Before the pools are opened, so that their lines carry it too.
    structlog.contextvars.bind_contextvars(worker_id=str(worker_id))
    connections = min(POOL_LIMIT, settings.concurrency + 1)
    keeper = LeaseKeeper(
        # Tried once each time: the keeper itself tries again, and sooner.
        lambda: open_store(address, worker_id, connections=1, patience_seconds=0),
        settings.lease_seconds,
        settings.stall_seconds,
        settings.unwoken_control_seconds,
    )
    async with (
        storage,
        open_store(address, worker_id, connections=connections, patience_seconds=patience) as store,
    ):
        try:
            known = await _announce(store, settings)
        except psycopg.errors.UndefinedFunction:
            raise ConfigError(
                "the database has no schema of agent-runtime, or another release's: run `agent-runtime db apply`"
            ) from None
        require_known_version(SchemaStatus(installed=known["schema_version"]))
        if (known["schema_version"] or 0) >= VAULT_SINCE_VERSION:
            keys = await Keyring.of(settings).opened(store.master_keys)
            keys.require(await store.unknown_vault_keys(keys.ids))
        answers = LiveAnswers(settings.database_url.get_secret_value() if settings.database_url else None)
        runner = TaskRunner(settings, store, storage, registry, sandbox, keeper, answers)
        yield Worker(settings, store, keeper, runner, storage, answers)


async def _announce(store: Store, settings: Settings) -> dict[str, Any]:
    return await store.register(socket.gethostname(), os.getpid(), __version__, settings.concurrency)


def required_database_url(settings: Settings) -> str:
    """Raises `ConfigError` when it is not set."""
    if settings.database_url is None:
        raise ConfigError(
            "DATABASE_URL is not set: give the Postgres connection string, or start everything with `agent-runtime up`"
        )
    return settings.database_url.get_secret_value()


def open_storage(settings: Settings) -> Storage:
    """The bucket as the worker. Raises `ConfigError` when its settings are missing."""
    url, key, token = settings.supabase_url, settings.supabase_secret_key, settings.storage_token
    if url is not None and token is not None:
        if settings.supabase_publishable_key is None:
            raise ConfigError("SUPABASE_PUBLISHABLE_KEY is not set: AGENT_RUNTIME_STORAGE_TOKEN goes with it")
        return Storage(url, settings.supabase_publishable_key, worker_token=token.get_secret_value())
    if url is None or key is None:
        missing = "SUPABASE_URL" if url is None else "SUPABASE_SECRET_KEY"
        raise ConfigError(f"{missing} is not set: the worker keeps files in Supabase Storage")
    return Storage(url, key.get_secret_value())


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


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
