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


class EventRow(_Row):
    """A row of `task_events`: what happened, naming the rows that it happened to."""

    id: int
    kind: str
    payload: dict[str, Any] = Field(default_factory=dict)
    created_at: Time


class ToolName(_Row):
    """The part of `tools` that an execution is read with."""

    name: str


class ExecutionRow(_Row):
    """A row of `tool_executions`."""

    id: UUID
    tool: ToolName | None = Field(default=None, alias="tools")
    status: str
    step: int
    call_index: int
    input_parameters: dict[str, Any]
    output_result: dict[str, Any] | None = None
    error_message: str | None = None
    execution_time_ms: int | None = None


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

    name: str
    display_name: str
    category: str
    is_enabled: bool
    requires_confirmation: bool = False
    security_level: str
    retry_class: str
    usage_count: int = 0
