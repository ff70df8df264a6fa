"""One claimed task from its context to its end: sets the run up, and turns however it ends into one fenced write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import structlog

from agent_runtime.config import Settings
from agent_runtime.db.store import Store
from agent_runtime.errors import (
    AgentRuntimeError,
    DatabaseUnavailable,
    LeaseLost,
    LimitReached,
    ModelError,
    Unavailable,
)
from agent_runtime.files import TaskFiles
from agent_runtime.interrupt import Interrupt, StopReason
from agent_runtime.llm.chat import ChatModel
from agent_runtime.llm.ollama import open_chat
from agent_runtime.loop import Ending, Run
from agent_runtime.records import Lease, RunContext, Task
from agent_runtime.storage import Storage
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox import Sandbox
from agent_runtime.workspace_hold import hold_workspace

log = structlog.get_logger()

RETRY_LATER_SECONDS = 30.0


class TaskRunner:
    """Runs tasks with what the process has: settings, store, storage, tools, sandbox."""

    def __init__(
        self, settings: Settings, store: Store, storage: Storage, registry: Registry, sandbox: Sandbox
    ) -> None:
        self._settings = settings
        self._store = store
        self._storage = storage
        self._registry = registry
        self._sandbox = sandbox

    async def run(self, task: Task, lease: Lease, interrupt: Interrupt) -> None:
        """Run to the end, and write the end down. Never raises for what a task does; when `interrupt` stops it, the
        reason decides: `cancelled` settles, `shutdown` releases, `lost` writes nothing."""
        log.info("task claimed", title=task.title, attempts=task.attempts)
        try:
            await self._write_end(lease, self._ending(lease))
        except asyncio.CancelledError:
            await self._stopped(lease, interrupt.heard())
        except LeaseLost:
            log.warning("lease lost, dropping the run")
        except DatabaseUnavailable as error:
            log.error("the database stayed away; the lease will run out and another worker go on", error=str(error))

    async def _write_end(self, lease: Lease, ending: Awaitable[Ending]) -> None:
        try:
            end = await ending
        except (LeaseLost, DatabaseUnavailable):
            raise
        except LimitReached as limit:
            log.warning("limit reached", limit=limit.name)
            await self._store.settle(lease, "failed", None, str(limit))
        except Unavailable as error:
            log.warning("the task waits for a service", error=str(error), seconds=RETRY_LATER_SECONDS)
            await self._store.release(lease, RETRY_LATER_SECONDS, f"Trying again in {RETRY_LATER_SECONDS:g} s: {error}")
        except (ModelError, AgentRuntimeError) as error:
            log.warning("task failed", error=str(error))
            await self._store.settle(lease, "failed", None, str(error))
        except Exception as error:
            # One task's crash must not take the worker, or the other tasks, down.
            log.exception("task failed for a reason of the runtime's own")
            await self._store.settle(lease, "failed", None, f"internal error: {type(error).__name__}: {error}")
        else:
            await self._write(lease, end)

    async def _write(self, lease: Lease, end: Ending) -> None:
        log.info("task ended", ending=end.kind, reason=end.reason)
        if end.kind == "waiting":
            await self._store.suspend(lease, end.reason or "answer")
        else:
            await self._store.settle(lease, end.kind, end.result, end.reason)

    async def _ending(self, lease: Lease) -> Ending:
        context = await self._store.context(lease)
        model = await self._open_model(context)
        with hold_workspace(self._settings.workspace_root, context.task) as workspace:
            files = TaskFiles(
                workspace,
                self._storage,
                context.task,
                context.config,
                configuration=context.agent.configuration,
                patience_seconds=self._settings.storage_patience_seconds,
            )
            run = Run(
                lease=lease,
                store=self._store,
                model=model,
                registry=self._registry,
                sandbox=self._sandbox,
                workspace=workspace,
                files=files,
                settings=self._settings,
                context=context,
            )
            return await run.to_end()

    async def _open_model(self, context: RunContext) -> ChatModel:
        settings, agent = self._settings, context.agent
        return await open_chat(
            base_url=settings.model_url or str(context.config.get("ollama_base_url")),
            model=settings.model or agent.model_name,
            num_ctx=settings.model_context_tokens,
            temperature=agent.temperature,
            num_predict=agent.max_tokens,
            keep_alive=settings.model_keep_alive,
            silence_seconds=settings.model_silence_seconds,
            attempts=settings.model_attempts,
        )

    async def _stopped(self, lease: Lease, reason: StopReason | None) -> None:
        """The run was interrupted from outside, and every tool with it. What remains is one short write."""
        try:
            if reason == "cancelled":
                await self._store.settle(lease, "cancelled", None, None)
            elif reason == "shutdown":
                await self._store.release(lease)
        except AgentRuntimeError as error:
            log.warning(
                "the end of the run was not written; the lease runs out instead", reason=reason, error=str(error)
            )
        else:
            log.info("run stopped", reason=reason)
