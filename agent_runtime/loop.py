"""The agent's loop: ask the model, record the turn, run its calls, record the results, until the task ends or waits.

A resumed run is the ordinary run: it is rebuilt from the recorded rows, goes on with the calls that have no result yet,
and then asks the model. So there is one path through this file, whether the last worker died or never was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from agent_runtime.config import Settings
from agent_runtime.context import render
from agent_runtime.db.store import Store
from agent_runtime.db.task_children import TaskChildren
from agent_runtime.db.task_database import TaskDatabase
from agent_runtime.db.text import fit_message
from agent_runtime.errors import (
    ChildrenOpen,
    ContextTooLong,
    IllegalTransition,
    LimitReached,
    ModelError,
    StorageUnavailable,
    ToolRefused,
)
from agent_runtime.files import FILE_LIMIT_BYTES, TaskFiles
from agent_runtime.interrupt import Interrupt
from agent_runtime.lease import LeaseGuard
from agent_runtime.limits import Limits, check_repeats, check_results
from agent_runtime.live_answers import AnswerFeed
from agent_runtime.llm.chat import ChatModel, Turn
from agent_runtime.records import Execution, Lease, Message, RunContext, Task, ToolRow
from agent_runtime.shown_pictures import ShownPictures
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.connect.rows import RowTools
from agent_runtime.toolbox.definition import ToolContext
from agent_runtime.toolbox.delegate.result_schema import with_result
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.fence import asked_of, fence
from agent_runtime.toolbox.sandbox.choice import Sandbox
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.workspace import Workspace
from agent_runtime.vault.guard import RunSecrets

log = structlog.get_logger()

CONTROL_CATEGORY = "control"
COMPLETE = "task_complete"
WORDS_ONLY = "words instead of a call of task_complete"
HISTORY_FLOOR_MESSAGES = 8
IN_DOUBT = (
    "The worker stopped while this call was running, and nobody knows whether it took effect. It was not run again. "
    "The workspace is as it was before the call; what the call did elsewhere, find out by looking before you repeat it."
)
EMPTY_ANSWER = "The model answered with nothing, twice in a row."


@dataclass(frozen=True)
class Ending:
    """How a run ended: `completed` settles the task, `waiting` suspends it for `reason`."""

    kind: Literal["completed", "waiting"]
    result: dict[str, Any] | None = None
    reason: str | None = None


class _Paused(Exception):
    pass


@dataclass
class Run:
    """One task in one worker's hands. `context` is kept up to date with what is recorded."""

    lease: Lease
    store: Store
    model: ChatModel
    tools: RowTools
    sandbox: Sandbox
    workspace: Workspace
    files: TaskFiles
    settings: Settings
    context: RunContext
    interrupt: Interrupt
    guard: LeaseGuard
    secrets: RunSecrets
    sessions: Sessions
    egress: EgressGuard
    feed: AnswerFeed | None = None
    """Is told how the model's answer goes on."""
    _pictures: ShownPictures = field(init=False)
    _sees: bool = False
    """Whether the model is known to see pictures: from the first time on that it is asked."""
    _started: set[UUID] = field(default_factory=set)
    """Calls that this run started: one that is running and not among them was cut short by a crash."""

    def __post_init__(self) -> None:
        self._pictures = ShownPictures(self.workspace)

    async def to_end(self) -> Ending:
        """Go on until the task ends or waits.

        Raises `LeaseLost`, `LimitReached`, `ModelError`, and `Unavailable` when a service stayed away too long.
        """
        try:
            return await self._within_time(Limits.of(self.context, self.settings))
        except _Paused:
            await self._keep_files()
            return Ending("waiting", reason="pause")
        except ChildrenOpen as reason:
            log.info("waits for children", reason=str(reason))
            await self.sessions.close_all()
            await self._keep_files()
            return Ending("waiting", reason="children")
        except LimitReached:
            # What was done so far is kept.
            with suppress(StorageUnavailable):
                await self._keep_files()
            raise

    async def _within_time(self, limits: Limits) -> Ending:
        try:
            async with asyncio.timeout(limits.seconds_left()) as wall:
                return await self._to_end(limits)
        except TimeoutError:
            if not wall.expired():
                raise
            raise limits.wall_reached() from None

    async def _to_end(self, limits: Limits) -> Ending:
        await self.files.restore(self.context.files)
        while True:
            while call := next(iter(self._open_calls()), None):
                await self._settle_call(call)
            if ending := self._ending():
                # What still runs in a session could write a file after it was stored.
                await self.sessions.close_all()
                await self._keep_files()
                return ending
            check_repeats(self._calls(), self.settings.max_repeats)
            if self.context.task.result_schema:
                check_results(self._misfits())
            limits.check(self.context.task.usage)
            await self._take_turn()

    async def refresh(self) -> None:
        """Read everything again: the task could not end, because somebody wrote to it."""
        self.context = await self.store.context(self.lease)

    # -- one turn ------------------------------------------------------------------------------------------------

    async def _take_turn(self) -> None:
        step = int(self.context.task.usage.get("steps") or 0) + 1
        if self.feed:
            self.feed.begin(step)
        turn = await self._unless_paused(self._ask())
        calls = [call.model_dump() for call in turn.tool_calls]
        usage = turn.usage.model_dump()
        metadata: dict[str, Any] = {"model": turn.model, "finish": turn.finish, "usage": usage}
        if turn.num_ctx:
            metadata["num_ctx"] = turn.num_ctx
        if turn.thinking:
            metadata["thinking"] = fit_message(turn.thinking)
        recorded = await self.store.record_turn(
            self.lease, step, fit_message(turn.content), calls, metadata, usage, seen_seq=self._last_seq(), start=True
        )
        if self.feed:
            self.feed.end()
        log.info("step", step=step, calls=[call.name for call in turn.tool_calls], **usage)
        self._remember(recorded.messages, recorded.executions)
        self._update_task(usage=recorded.usage, retries=0)
        self._started.update(call.id for call in recorded.executions if call.status == "running")

    async def _unless_paused(self, asking: Coroutine[Any, Any, Turn]) -> Turn:
        """The model's turn, or `_Paused` at once when a pause is asked for: half an answer is worth nothing."""
        self._heed_pause(asking)
        answer = asyncio.ensure_future(asking)
        paused = asyncio.ensure_future(self.interrupt.pause_requested.wait())
        try:
            await asyncio.wait({answer, paused}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise _Paused
        finally:
            paused.cancel()
            if not answer.done():
                answer.cancel()
                await asyncio.wait({answer})

    def _heed_pause(self, unstarted: Coroutine[Any, Any, Any] | None = None) -> None:
        if self.interrupt.pause_requested.is_set():
            if unstarted is not None:
                unstarted.close()
            raise _Paused

    async def _ask(self) -> Turn:
        self._sees = await self.model.sees()
        limit = int(self.context.config.get("max_conversation_history") or 100)
        tools = [self._schema(tool) for tool in self._offered()]
        while True:
            context = self.context
            pictures = self._pictures.of(context.executions, vision=self._sees)
            shown = render(context.agent, context.tools, context.task, context.messages, limit, pictures)
            try:
                return await self.model.reply(shown, tools, self.feed.take if self.feed else None)
            except ContextTooLong:
                if limit <= HISTORY_FLOOR_MESSAGES:
                    raise
                limit = max(HISTORY_FLOOR_MESSAGES, min(limit, len(shown)) // 2)
                log.info("context too long, showing less of the conversation", messages=limit)

    # -- one call ------------------------------------------------------------------------------------------------

    async def _settle_call(self, execution: Execution) -> None:
        """Run a call that has no result yet, or, if a crash cut it short and it must not run twice, say so."""
        if execution.id not in self._started:
            if execution.status == "running" and execution.retry_class == "unsafe":
                await self._finish(
                    execution, "in_doubt", IN_DOUBT, {}, error="the worker stopped while the call was running"
                )
                return
            self._heed_pause()
            if not await self._start(execution):
                return
        outcome = await self._run(execution)
        # Files first: a result that is on record should not refer to files that are not.
        notes = await self.files.store_changes("idempotent" if outcome.images else execution.retry_class)
        row = self._row(execution.tool_name)
        said = outcome.content
        if row and self._is_from_outside(row, outcome):
            said = fence(said, outcome.sources or asked_of(row.destination, execution.input_parameters))
        content = "\n".join([said, *notes, *([row.response_guide] if row and row.response_guide else [])])
        await self._finish(
            execution,
            outcome.status,
            content,
            {"content": outcome.content, "data": outcome.data}
            | ({"sources": outcome.sources} if outcome.sources else {})
            | ({"images": outcome.images} if outcome.images else {}),
            error=outcome.error,
            execution_time_ms=outcome.execution_time_ms,
            effect=outcome.effect.model_dump() if outcome.effect else None,
            files=self.files.unrecorded,
        )
        self.files.recorded()

    async def _start(self, execution: Execution) -> bool:
        try:
            started = await self.store.start_execution(self.lease, execution.id)
        except IllegalTransition as refusal:
            # An admin forbade the tool, or an approval expired, after the call was recorded; or the task is to end.
            await self._finish(execution, "failed", f"The call was not run: {refusal}", {}, error=str(refusal))
            return False
        self._remember([], [started.execution])
        self._update_task(usage=started.usage)
        if started.execution.status == "awaiting_approval":
            # What the task has read since the call was recorded makes it a person's to decide about.
            return False
        self._started.add(execution.id)
        return True

    def _is_from_outside(self, row: ToolRow, outcome: Outcome) -> bool:
        if row.category == CONTROL_CATEGORY or not outcome.content:
            return False
        # In a task that has read something from outside, a file or a command may give it back.
        return bool(outcome.sources) or row.taints or self.context.task.tainted

    async def _keep_files(self) -> None:
        while await self.files.store_rest():
            await self.store.add_files(self.lease, self.files.unrecorded)
            self.files.recorded()

    async def _run(self, execution: Execution) -> Outcome:
        row = self._row(execution.tool_name)
        tool = self.tools.get(row) if row else None
        if tool is None or row is None:
            why = self.tools.problem(row) if row else None
            why = why or f"The tool {execution.tool_name} is not installed on this worker; try another way."
            return Outcome(status="failed", content=why, error=why)
        # A worker that stood still since the call was started may have lost the task by now.
        await self.guard.require(self.lease)
        log.info("tool started", tool=tool.name, execution_id=str(execution.id))
        try:
            config = self.settings.tool_config(tool.name)
            config |= await self.secrets.resolve(execution.id, tool.name, row.config)
            egress = self.egress.allowing(config.get("allow_hosts"))
        except ToolRefused as refusal:
            return Outcome(status="failed", content=str(refusal), error=str(refusal))
        context = ToolContext(
            task_id=self.lease.task_id,
            execution_id=execution.id,
            workspace=self.workspace,
            sandbox=self.sandbox,
            timeout_seconds=row.timeout_seconds,
            output_limit_bytes=row.output_limit_bytes,
            config=config,
            vision=self._sees,
            sessions=self.sessions,
            egress=egress,
            agent_network=self.context.agent.configuration.get("network") is True,
            earlier=self.context.executions,
            file_limit_bytes=int(self.context.config.get("file_upload_max_size") or FILE_LIMIT_BYTES),
            database=TaskDatabase(self.store, self.lease, execution.id, row.timeout_seconds),
            children=TaskChildren(self.store, self.lease, execution.id),
            result_schema=self.context.task.result_schema,
        )
        outcome = await execute(tool, execution.input_parameters, context, self.secrets.scrubber)
        log.info("tool ended", tool=tool.name, status=outcome.status, milliseconds=outcome.execution_time_ms)
        return outcome

    async def _finish(
        self, execution: Execution, status: str, content: str, output: dict[str, Any], **more: Any
    ) -> None:
        following = next((call for call in self._open_calls() if call.id != execution.id), None)
        recorded = await self.store.finish_execution(
            self.lease,
            execution.id,
            status,
            fit_message(content),
            output,
            seen_seq=self._last_seq(),
            next_id=following.id if following and following.status == "pending" else None,
            **more,
        )
        self._remember(recorded.messages, recorded.executions)
        self._started.update(
            call.id for call in recorded.executions if call.status == "running" and call.id != execution.id
        )
        self._update_task(**recorded.task)

    # -- where the run stands, read from what is recorded ----------------------------------------------------------

    def _open_calls(self) -> list[Execution]:
        return [call for call in self.context.executions if call.status in ("pending", "running")]

    def _ending(self) -> Ending | None:
        """What the last turn came to, once all its calls are settled."""
        if any(call.status == "awaiting_approval" for call in self.context.executions):
            return Ending("waiting", reason="approval")
        if any(call.status == "in_doubt" and call.approvals_needed for call in self.context.executions):
            return Ending("waiting", reason="doubt")
        turns = [message for message in self._own_messages() if message.role == "assistant"]
        if not turns or self._unseen(turns[-1]):
            return None
        last = turns[-1]
        for effect in self._effects("complete", last):
            result = {"answer": effect["answer"], "files": effect.get("files", [])}
            # Without a schema there is none, and the row says nothing of it.
            return Ending("completed", result=result | ({"result": given} if (given := effect.get("result")) else {}))
        if self._effects("ask", last):
            return Ending("waiting", reason="answer")
        if last.tool_calls:
            return None
        if last.content.strip() and self.context.task.result_schema:
            return None  # words are no result: the model is told, in what it is shown next
        if last.content.strip():
            # A model that has nothing more to do and says so in words has completed the task.
            return Ending("completed", result={"answer": last.content, "files": []})
        if len(turns) > 1 and not turns[-2].content.strip() and not turns[-2].tool_calls:
            raise ModelError(EMPTY_ANSWER)
        return None

    def _unseen(self, turn: Message) -> bool:
        """Whether a person wrote something that this turn did not know of: the model shall see it before the end."""
        seen = turn.metadata.get("seen_seq")
        seen = turn.seq if seen is None else int(seen)
        return any(message.role == "user" and message.seq > seen for message in self._own_messages())

    def _own_messages(self) -> list[Message]:
        return [message for message in self.context.messages if message.task_id in (self.lease.task_id, None)]

    def _last_seq(self) -> int:
        return max((message.seq for message in self.context.messages), default=0)

    def _effects(self, kind: str, turn: Message) -> list[dict[str, Any]]:
        outputs = [call.output_result or {} for call in self.context.executions if call.message_id == turn.id]
        return [output["effect"] for output in outputs if (output.get("effect") or {}).get("kind") == kind]

    def _misfits(self) -> list[str]:
        """Why each end that the model gave to a task with a result schema was none."""
        calls = (call for call in self.context.executions if call.tool_name == COMPLETE and call.status == "failed")
        turns = (turn for turn in self._own_messages() if turn.role == "assistant" and not turn.tool_calls)
        return [*(call.error_message or "" for call in calls), *(WORDS_ONLY for turn in turns if turn.content.strip())]

    def _schema(self, tool: ToolRow) -> dict[str, Any]:
        schema = self.context.task.result_schema
        return with_result(tool.function_schema, schema) if schema and tool.name == COMPLETE else tool.function_schema

    def _offered(self) -> list[ToolRow]:
        return [row for row in self.context.tools if self.tools.get(row)]

    def _row(self, name: str) -> ToolRow | None:
        return next((tool for tool in self.context.tools if tool.name == name), None)

    def _calls(self) -> list[tuple[str, Any]]:
        """What the model called in this task, unknown tools too; control tools may repeat, such as plan_advance."""
        control = {tool.name for tool in self.context.tools if tool.category == CONTROL_CATEGORY}
        turns = [message for message in self.context.messages if message.task_id == self.lease.task_id]
        calls = [call for turn in turns for call in turn.tool_calls or []]
        return [(call["name"], call["arguments"]) for call in calls if call["name"] not in control]

    # -- keeping the context up to date ----------------------------------------------------------------------------

    def _remember(self, messages: Sequence[Message], executions: Sequence[Execution]) -> None:
        by_seq = {message.seq: message for message in [*self.context.messages, *messages]}
        by_id = {execution.id: execution for execution in [*self.context.executions, *executions]}
        self.context = self.context.model_copy(
            update={
                "messages": [by_seq[seq] for seq in sorted(by_seq)],
                "executions": sorted(by_id.values(), key=lambda call: (call.step, call.call_index)),
            }
        )

    def _update_task(self, **changes: Any) -> None:
        task: Task = self.context.task.model_copy(update=changes)
        self.context = self.context.model_copy(update={"task": task})
