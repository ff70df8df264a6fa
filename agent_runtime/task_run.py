"""One claimed task from its context to its end: sets the run up, and turns however it ends into one fenced write."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import psycopg

from agent_runtime.config import Settings
from agent_runtime.db.store import Store
from agent_runtime.errors import (
    AgentRuntimeError,
    DatabaseUnavailable,
    LeaseLost,
    LimitReached,
    ModelError,
    SchemaDiffers,
    Unavailable,
)
from agent_runtime.files import TaskFiles
from agent_runtime.interrupt import Interrupt, StopReason
from agent_runtime.lease import LeaseGuard
from agent_runtime.live_answers import LiveAnswers
from agent_runtime.llm.chat import ChatModel
from agent_runtime.llm.late import LateModel
from agent_runtime.llm.ollama import open_chat
from agent_runtime.loop import Ending, Run
from agent_runtime.records import Lease, RunContext, Task
from agent_runtime.storage import Storage
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.connect.rows import RowTools
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Sandbox
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.web.own import own_hosts
from agent_runtime.vault.guard import RunSecrets, own_secrets
from agent_runtime.vault.keys import Keyring
from agent_runtime.workspace_hold import hold_workspace

log = structlog.get_logger()

RETRY_FIRST_SECONDS = 10.0
RETRY_LIMIT_SECONDS = 600.0


class TaskRunner:
    """Runs tasks with what the process has: settings, store, storage, tools, sandbox."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        storage: Storage,
        registry: Registry,
        sandbox: Sandbox,
        guard: LeaseGuard,
        answers: LiveAnswers | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._storage = storage
        self._registry = registry
        self._sandbox = sandbox
        self._guard = guard
        self._answers = answers
        self._keys = Keyring.of(settings)
        self._own_secrets = own_secrets(settings)

    @property
    def sandbox_name(self) -> str:
        """Where commands run; `none` for no sandbox at all."""
        return self._sandbox.name

    async def run(self, task: Task, lease: Lease, interrupt: Interrupt) -> None:
        """Run to the end, and write the end down. Never raises for what a task does; when `interrupt` stops it, the
        reason decides: `cancelled` settles, `shutdown` releases, `lost` writes nothing."""
        log.info("task claimed", title=task.title, attempts=task.attempts)
        try:
            interrupt.attach()
            await self._to_end(task, lease, interrupt)
        except asyncio.CancelledError:
            await self._stopped(lease, interrupt.heard())
        except LeaseLost:
            log.warning("lease lost, dropping the run")
        except (DatabaseUnavailable, SchemaDiffers) as error:
            log.error("the database stayed away; the lease will run out and another worker go on", error=str(error))

    async def _to_end(self, task: Task, lease: Lease, interrupt: Interrupt) -> None:
        run: Run | None = None
        secrets = RunSecrets(self._store, lease, self._keys, self._own_secrets)
        store = self._store.without(secrets.scrubber)
        try:
            async with AsyncExitStack() as held:
                run = await self._prepare(lease, interrupt, held, store, secrets)
                while not await self._write(lease, await run.to_end(), store):
                    await run.refresh()
        except (LeaseLost, DatabaseUnavailable, SchemaDiffers):
            raise
        except LimitReached as limit:
            log.warning("limit reached", limit=limit.name)
            await store.settle(lease, "failed", None, str(limit))
        except Unavailable as error:
            seconds = retry_delay(run.context.task.retries if run else task.retries)
            log.warning("the task waits for a service", error=str(error), seconds=seconds)
            await store.release(lease, seconds, f"Trying again in {seconds:g} s: {error}")
        except (ModelError, AgentRuntimeError) as error:
            log.warning("task failed", error=str(error))
            await store.settle(lease, "failed", None, str(error))
        except psycopg.errors.UndefinedFunction:
            # The database was upgraded beneath this release. The worker ends, and a newer one goes on with the task.
            log.error("the database does not know this release's functions any more; the lease runs out")
        except Exception as error:
            # One task's crash must not take the worker, or the other tasks, down.
            log.exception("task failed for a reason of the runtime's own")
            await store.settle(lease, "failed", None, f"internal error: {type(error).__name__}: {error}")

    async def _write(self, lease: Lease, end: Ending, store: Store) -> bool:
        """Write the end down. False when the task goes on, because a person wrote something at the last moment."""
        if end.kind == "completed":
            settled = await store.settle(lease, "completed", end.result, None)
            log.info("task ended" if settled else "a person wrote something before the end")
            return settled
        status = await store.suspend(lease, end.reason or "answer")
        log.info("run suspended", reason=end.reason, status=status)
        return True

    async def _prepare(
        self, lease: Lease, interrupt: Interrupt, held: AsyncExitStack, store: Store, secrets: RunSecrets
    ) -> Run:
        context = await store.context(lease)
        await secrets.recall(context)
        # A run that has only calls to finish ends without a model server.
        model = LateModel(self._settings.model or context.agent.model_name, lambda: self._open_model(context))
        workspace = held.enter_context(hold_workspace(self._settings.workspace_root, context.task))
        files = TaskFiles(
            workspace,
            self._storage,
            context.task,
            context.config,
            configuration=context.agent.configuration,
            patience_seconds=self._settings.storage_patience_seconds,
            secrets=secrets.given,
        )
        feed = self._answers.feed(lease.task_id, secrets.scrubber) if self._answers else None
        if self._answers and feed:
            held.callback(self._answers.drop, feed)
        sessions = Sessions()
        held.push_async_callback(sessions.close_all)
        return Run(
            lease=lease,
            store=store,
            model=model,
            tools=RowTools(self._registry),
            sandbox=self._sandbox,
            workspace=workspace,
            files=files,
            settings=self._settings,
            context=context,
            interrupt=interrupt,
            guard=self._guard,
            secrets=secrets,
            sessions=sessions,
            egress=EgressGuard(context.allow_hosts, own=own_hosts(self._settings, context.config)),
            feed=feed,
        )

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


def retry_delay(retries: int) -> float:
    """Seconds until the next try after `retries` in a row: doubling up to ten minutes, spread so that a fleet's tasks
    do not all come back at once."""
    delay = min(RETRY_LIMIT_SECONDS, RETRY_FIRST_SECONDS * 2 ** min(retries, 16))
    return float(round(delay * random.uniform(0.75, 1.25), 1))  # noqa: S311
