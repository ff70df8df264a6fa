"""A real worker inside this process, put together as by `open_worker`, but with a runner and a store that are timed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from agent_runtime.config import Settings
from agent_runtime.db.store import Store, open_store
from agent_runtime.lease import LeaseGuard, LeaseKeeper
from agent_runtime.records import Lease
from agent_runtime.storage import Storage
from agent_runtime.task_run import TaskRunner
from agent_runtime.worker import Worker
from bench.postgres import Database

NOWHERE = "http://127.0.0.1:9"
"""Storage and model of a benchmark that uses neither."""


class AlwaysHeld:
    """The guard of a run whose lease nobody else can take."""

    def surely_held(self, lease: Lease) -> bool:
        return True

    async def require(self, lease: Lease) -> None:
        return


def settings_for(database: Database, folder: Path, *, model_url: str = NOWHERE, tools: Path | None = None) -> Settings:
    """A worker's settings with its defaults, but for one task at a time."""
    return Settings(
        DATABASE_URL=database.worker,
        SUPABASE_URL=NOWHERE,
        SUPABASE_SECRET_KEY="none",
        model_url=model_url,
        model="scripted",
        workspace_root=folder / "workspaces",
        tools_path=[tools] if tools else [],
        concurrency=1,
    )


@asynccontextmanager
async def running_worker(
    settings: Settings,
    make_runner: Callable[[Store, Storage, LeaseGuard], TaskRunner],
    timed: Callable[[Store], Store] = lambda store: store,
) -> AsyncIterator[None]:
    """It listens, claims and runs until the block ends. `timed` may wrap the store that it works with."""
    assert settings.database_url is not None, "set above"
    conninfo, worker_id = settings.database_url.get_secret_value(), uuid4()
    async with (
        Storage(NOWHERE, "none") as storage,
        open_store(conninfo, worker_id, connections=2, patience_seconds=10) as opened,
    ):
        keeper = LeaseKeeper(
            lambda: open_store(conninfo, worker_id, connections=1, patience_seconds=0),
            settings.lease_seconds,
            settings.stall_seconds,
        )
        await opened.register("measured", 1, "0", 1)
        store = timed(opened)
        worker = Worker(settings, store, keeper, make_runner(store, storage, keeper), storage)
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await running
