"""Rows as a person may read them. Frozen: only SQL changes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.records import Time

ENDED = frozenset({"completed", "failed", "cancelled"})


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TaskRow(_Row):
    """A row of `tasks`."""

    id: UUID
    conversation_id: UUID
    title: str
    description: str | None = None
    status: str
    priority: int = 1
    plan: list[dict[str, Any]] = Field(default_factory=list)
    current_phase: int = 1
    total_phases: int = 1
    progress_percentage: int = 0
    attempts: int = 0
    wait_reason: str | None = None
    run_after: Time | None = None
    cancel_requested_at: Time | None = None
    pause_requested_at: Time | None = None
    limits: dict[str, Any] = Field(default_factory=dict)
    """The task's own; those of its agent and its tenant hold besides."""
    result: dict[str, Any] | None = None
    error_message: str | None = None
    usage: dict[str, Any] = Field(default_factory=dict)
    created_at: Time
    started_at: Time | None = None
    completed_at: Time | None = None

    @property
    def has_ended(self) -> bool:
        """Completed, failed or cancelled: nothing comes after."""
        return self.status in ENDED

    @property
    def answer(self) -> str | None:
        """The final answer, in Markdown."""
        answer = (self.result or {}).get("answer")
        return answer if isinstance(answer, str) else None


class ChildRow(TaskRow):
    """A task that another one spawned: `spawn_item` of the call `spawn_id`. Several of one item: it was tried again."""

    spawn_id: UUID
    spawn_item: int


def newest_of_items(children: Iterable[ChildRow]) -> list[ChildRow]:
    """Of each item the task that counts, by call and item; `children` in the order in which they were made."""
    newest = {(row.spawn_id, row.spawn_item): row for row in children}
    calls = list(dict.fromkeys(row.spawn_id for row in newest.values()))
    return sorted(newest.values(), key=lambda row: (calls.index(row.spawn_id), row.spawn_item))


class OverviewRow(_Row):
    """A row of `task_overview`: a task as a list shows it."""

    id: UUID
    title: str
    status: str
    wait_reason: str | None = None
    priority: int = 1
    agent_id: UUID
    agent_name: str | None = None
    user_id: UUID
    owner_name: str | None = None
    is_mine: bool
    conversation_id: UUID
    created_at: Time
    started_at: Time | None = None
    completed_at: Time | None = None
    age_from: Time | None = None
    run_after: Time | None = None
    cancel_requested_at: Time | None = None
    pause_requested_at: Time | None = None
    current_step: int = 0
    current_phase: int = 1
    total_phases: int = 1
    progress_percentage: int = 0
    phase_title: str | None = None
    error_message: str | None = None
    approvals_waiting: int = 0
    files_count: int = 0
    parent_task_id: UUID | None = None
    spawn_item: int | None = None
    children_count: int = 0
    """Items that it gave away by spawn_tasks."""
    children_completed: int = 0
    children_waiting: int = 0
    """Tasks of these that wait for a person."""


class EventRow(_Row):
    """A row of `task_events`: what happened, naming the rows that it happened to.

    Its kinds and their payloads are those of agent_runtime/events.py; one that only a newer database writes is a row
    all the same.
    """

    id: int
    kind: str
    payload: dict[str, Any] = Field(default_factory=dict)
    created_at: Time


class ToolPart(_Row):
    """The part of `tools` that an execution is read with."""

    name: str
    function_schema: dict[str, Any] = Field(default_factory=dict)
    outward: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of its arguments; empty when it is not known."""
        function = self.function_schema.get("function")
        parameters = function.get("parameters") if isinstance(function, dict) else None
        return parameters if isinstance(parameters, dict) else {}


class TaskPart(_Row):
    """The part of `tasks` that an execution is read with."""

    title: str
    user_id: UUID
    status: str
    tainted: bool = False
    taint_sources: list[dict[str, Any]] = Field(default_factory=list)


class TurnPart(_Row):
    """The part of `messages` that an execution is read with: the turn that asked for the call."""

    content: str
    created_at: Time


class DecisionRow(_Row):
    """A row of `execution_decisions`: what one person said of one call with the arguments of that digest."""

    user_id: UUID | None = None
    name: str | None = None
    """Of who decided, where it was asked for."""
    is_me: bool | None = None
    verdict: str
    """approved, denied, happened or did_not_happen."""
    input_digest: str
    reason: str | None = None
    created_at: Time


class Gate(_Row):
    """Why a call needs a person though its tool does not."""

    destinations: list[str] = Field(default_factory=list)
    """Where it goes, as its arguments say; empty where they do not."""
    sources: list[dict[str, Any]] = Field(default_factory=list)
    """What the task has read from outside: `{"source", "tool", "step"}`."""


class ExecutionRow(_Row):
    """A row of `tool_executions`."""

    id: UUID
    task_id: UUID | None = None
    tool: ToolPart | None = Field(default=None, alias="tools")
    task: TaskPart | None = Field(default=None, alias="tasks")
    turn: TurnPart | None = Field(default=None, alias="messages")
    decisions: list[DecisionRow] = Field(default_factory=list, alias="execution_decisions")
    status: str
    step: int
    call_index: int
    input_parameters: dict[str, Any]
    original_parameters: dict[str, Any] | None = None
    """What the model asked for, where a person changed it before approving."""
    input_digest: str = ""
    output_result: dict[str, Any] | None = None
    error_message: str | None = None
    execution_time_ms: int | None = None
    approvals_needed: int = 0
    approval_expires_at: Time | None = None
    gate: Gate | None = None

    @property
    def reach(self) -> Gate | None:
        """What a person is to know before it goes out of a task that has read something from outside, by now at the
        latest; None of any other call."""
        if self.gate or not (self.tool and self.tool.outward and self.task and self.task.tainted):
            return self.gate
        return Gate(sources=self.task.taint_sources)

    @property
    def tool_name(self) -> str:
        """For people."""
        return self.tool.name if self.tool else "a tool"

    @property
    def approved_by(self) -> set[UUID | None]:
        """Who approved these very arguments."""
        told = (one for one in self.decisions if (one.verdict, one.input_digest) == ("approved", self.input_digest))
        return {one.user_id for one in told}


class MessageRow(_Row):
    """A row of `messages`."""

    id: UUID
    task_id: UUID | None = None
    seq: int
    role: str
    content: str
    tool_calls: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: Time


class FileRow(_Row):
    """A row of `files`. `filename` is its path in the workspace; `kind` is `removed` where a step removed it."""

    id: UUID
    task_id: UUID | None = None
    filename: str
    kind: str = "file"
    original_filename: str
    file_path: str
    file_size: int
    mime_type: str
    file_hash: str | None = None
    version: int = 1
    is_temporary: bool = False
    is_stored: bool = True
    execution_id: UUID | None = None
    created_at: Time


def current_files(rows: Iterable[FileRow]) -> list[FileRow]:
    """Of all versions, oldest first: the newest of each file that was not removed."""
    newest = {row.filename: row for row in rows}
    return [row for row in newest.values() if row.kind == "file"]


class AgentRow(_Row):
    """A row of `agents`."""

    id: UUID
    name: str
    description: str | None = None
    model_name: str
    tools_enabled: list[str] = Field(default_factory=list)
    is_active: bool = True


class ToolRow(_Row):
    """A row of `tools`."""

    id: UUID
    name: str
    display_name: str
    category: str
    is_enabled: bool
    requires_confirmation: bool = False
    security_level: str
    retry_class: str
    approvals_required: int = 1
    timeout_seconds: int = 60
    output_limit_bytes: int = 16_384
    usage_count: int = 0
    tenant_id: UUID | None = None
    """None: the platform's."""
    function_schema: dict[str, Any] = Field(default_factory=dict, exclude=True)

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return ToolPart(name=self.name, function_schema=self.function_schema).parameters


class WorkerRow(_Row):
    """A worker process. `state` is working, stopped, or lost when no sign came for a minute."""

    id: UUID
    host: str
    pid: int
    version: str
    transport: str
    state: str
    running: int | None = None
    """Tasks in its hands; None where they may not be counted."""
    capacity: int
    started_at: Time
    heartbeat_at: Time
    problem: str | None = None
    """A code for what is wrong with it, where an admin asked; `remedy` says what to do."""
    remedy: str | None = None
