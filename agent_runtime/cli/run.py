"""`agent-runtime run`: a headless worker."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.cli import app
from agent_runtime.config import Settings
from agent_runtime.structlog_alone import structlog

if TYPE_CHECKING:
    from agent_runtime.worker import Worker

log = structlog.get_logger()

DEADLINE_GRACE_SECONDS = 0.7


@app.command(
    epilog="Example: DATABASE_URL=postgresql://agent_worker:…@db:5432/postgres SUPABASE_URL=https://… "
    "SUPABASE_SECRET_KEY=… agent-runtime run --concurrency 8"
)
def run(
    concurrency: Annotated[int | None, typer.Option(help="Tasks to run at a time.")] = None,
    drain: Annotated[bool, typer.Option("--drain", help="End when nothing is pending.")] = False,
    workspace_root: Annotated[Path | None, typer.Option(help="Where the workspaces are.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, console or json.")] = None,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run commands with no sandbox where none is to be had.")
    ] = False,
) -> None:
    """Work on pending tasks until stopped.

    Over Postgres itself where DATABASE_URL is set, else over the REST API of SUPABASE_URL.
    """
    from agent_runtime.config import load_settings
    from agent_runtime.log import configure_logging

    settings = load_settings(
        concurrency=concurrency,
        workspace_root=workspace_root,
        log_format=log_format,
        allow_unsandboxed=allow_unsandboxed or None,
    )
    configure_logging(settings.log_format, settings.log_level)
    asyncio.run(_work(settings, drain))


async def _work(settings: Settings, drain: bool) -> None:
    from agent_runtime.db.store import address_of, describe_address

    # What is missing is said before all else is imported.
    address = address_of(settings)
    from agent_runtime.toolbox.registry import Registry
    from agent_runtime.toolbox.sandbox.choice import INSTALL, choose_sandbox
    from agent_runtime.worker import open_worker

    registry = Registry.load(settings.tools_path)
    sandbox = await asyncio.to_thread(choose_sandbox, settings.allow_unsandboxed)
    async with open_worker(settings, registry, sandbox) as worker:
        _stop_on_signals(worker, settings.shutdown_seconds)
        log.info(
            "worker started",
            transport=describe_address(address),
            concurrency=settings.concurrency,
            tools=len(registry),
            sandbox=sandbox.describe(),
            workspaces=str(settings.workspace_root),
        )
        if sandbox.name == "none":
            # An error, so that it is red on a terminal and found in a log; the database's audit has it as well.
            log.error("COMMANDS RUN WITHOUT A SANDBOX", remedy=INSTALL)
        await worker.run(drain=drain)
        log.info("worker stopped")


def _stop_on_signals(worker: Worker, shutdown_seconds: float) -> None:
    """The first signal begins the shutdown, which has a deadline; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            _end_now("a second signal")
        asked = True
        worker.stop()
        loop.call_later(shutdown_seconds + DEADLINE_GRACE_SECONDS, _end_now, "the deadline")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _end_now(why: str) -> None:
    """Sandboxed commands die with this process, and the database gives the tasks on when their leases run out."""
    waiting = [str(task.get_coro()) for task in asyncio.all_tasks()]
    log.error("ending without a shutdown; leases run out instead", reason=why, waiting=waiting)
    os._exit(1)
