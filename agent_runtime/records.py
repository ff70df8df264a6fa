"""Rows as the database gives them. Frozen: only SQL changes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

TaskStatus = Literal["pending", "running", "waiting", "paused", "completed", "failed", "cancelled"]
ExecutionStatus = Literal[
    "pending", "awaiting_approval", "running", "completed", "failed", "denied", "in_doubt", "cancelled"
]


def as_time(value: Any) -> Any:
    """The time that a row gives, as a `datetime` or as text."""
    # The embedded API writes 2026-01-01 00:00:00+00, which pydantic does not take.
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Time = Annotated[datetime, BeforeValidator(as_time)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Task(_Row):
    """A row of `tasks`."""

    id: UUID
    conversation_id: UUID
    tenant_id: UUID
    user_id: UUID
    agent_id: UUID
    title: str
    description: str | None = None
    status: TaskStatus
    priority: int
    plan: list[dict[str, Any]] = Field(default_factory=list)
    current_phase: int = 1
    total_phases: int = 1
    progress_percentage: int = 0
    attempts: int = 0
    retries: int = 0
    """How often in a row it was given back because a service stayed away."""
    active_seconds: float = 0.0
    """How long workers ran it before the current claim."""
    lease_token: UUID | None = None
    tainted: bool = False
    """It has read something from outside."""
    limits: dict[str, Any] = Field(default_factory=dict)
    usage: dict[str, Any] = Field(default_factory=dict)
    result: dict[str, Any] | None = None
    error_message: str | None = None
    started_at: Time | None = None
    parent_task_id: UUID | None = None
    spawn_item: int | None = None
    """Which item of its parent's call it works on."""
    result_schema: dict[str, Any] | None = None
    """What its result has to fit."""


class Agent(_Row):
    """A row of `agents`, its model's name resolved."""

    id: UUID
    name: str
    system_prompt: str
    model_name: str
    temperature: float
    max_tokens: int
    memory_enabled: bool = True
    memory_limit: int = 10_000
    configuration: dict[str, Any] = Field(default_factory=dict)


class ToolRow(_Row):
    """A row of `tools` that this run may use."""

    id: UUID
    name: str
    description: str
    category: str
    function_schema: dict[str, Any]
    implementation_type: str = "python"
    implementation_code: str | None = None
    retry_class: Literal["pure", "idempotent", "keyed", "unsafe"]
    taints: bool = False
    destination: str | None = None
    timeout_seconds: int
    output_limit_bytes: int
    prompt_injection: str | None = None
    response_guide: str | None = None
    config: dict[str, Any] = Field(default_factory=dict)


class Message(_Row):
    """A row of `messages`."""

    id: UUID
    task_id: UUID | None = None
    role: Literal["user", "assistant", "system", "tool"]
    content: str
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    seq: int


class Execution(_Row):
    """A row of `tool_executions`, with its tool's name and retry class."""

    id: UUID
    message_id: UUID | None = None
    tool_name: str
    retry_class: Literal["pure", "idempotent", "keyed", "unsafe"]
    tool_call_id: str
    input_parameters: dict[str, Any]
    output_result: dict[str, Any] | None = None
    status: ExecutionStatus
    error_message: str | None = None
    approvals_needed: int = 0
    step: int
    call_index: int


class FileRow(_Row):
    """A row of `files`: what is at one path of the workspace."""

    id: UUID
    task_id: UUID
    filename: str
    kind: Literal["file", "folder", "link"] = "file"
    file_path: str
    file_size: int
    mime_type: str
    file_hash: str | None = None
    version: int = 1
    is_executable: bool = False
    link_target: str | None = None
    is_stored: bool = True
    is_temporary: bool = False


class RunContext(_Row):
    """Everything that a run is rebuilt from: what `worker_context` answers."""

    task: Task
    agent: Agent
    tools: list[ToolRow]
    messages: list[Message]
    executions: list[Execution]
    files: list[FileRow]
    limits: dict[str, float] = Field(default_factory=dict)
    """The tightest of the tenant's, the agent's and the task's limits, by name."""
    allow_hosts: list[str] = Field(default_factory=list)
    """What tools may reach of private networks in this tenant, as `host:port`."""
    config: dict[str, Any]


class TurnRecord(_Row):
    """A turn as it was recorded. `messages` are all that came after those that the model had seen: the turn itself,
    refusals of its calls, and what a person wrote meanwhile."""

    messages: list[Message]
    executions: list[Execution]
    usage: dict[str, Any]


class StartRecord(_Row):
    """A call as it was started."""

    execution: Execution
    usage: dict[str, Any]


class ResultRecord(_Row):
    """A call's result as it was recorded. `executions` are the call and, where one was named, the next; it is
    `running` if it was started along."""

    messages: list[Message]
    executions: list[Execution]
    task: dict[str, Any]
    """What a result can change of the task: its plan, phases, progress and usage, and that it is tainted."""


class Lease(_Row):
    """What a worker holds of a task. Every write carries it."""

    task_id: UUID
    token: UUID


class Renewal(_Row):
    """What a renewal says of one task."""

    task_id: UUID
    held: bool
    cancel_requested: bool
    pause_requested: bool
