"""The events of a task's timeline: one model per kind of `task_events`, with the payload that the database writes.

sql/triggers/timeline.sql writes all but `task.notice`. A field that may be missing is None here and absent there.
The web UI's types are made from this file (`make types`).
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Generic, Literal, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent_runtime.records import ExecutionStatus, TaskStatus, Time

WaitReason = Literal["answer", "approval", "doubt", "children", "schedule"]
Verdict = Literal["approved", "denied", "happened", "did_not_happen"]
Role = Literal["user", "assistant", "system", "tool"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Phase(_Model):
    """A part of the plan."""

    title: str


class TaskCreated(_Model):
    """The task was filed."""

    status: TaskStatus
    title: str
    priority: int
    """1 to 5; the highest is claimed first."""


class TaskMoved(_Model):
    """The task went from one state to another."""

    status: TaskStatus
    previous: TaskStatus
    wait_reason: WaitReason | None = None
    """What it waits for; only of a waiting task."""
    worker_id: UUID | None = None
    """Who runs it; only of a running task."""
    attempts: int
    """Runs that a crash ended."""
    error_message: str | None = None
    run_after: str | None = None
    """It is not claimed before this time, ISO 8601."""


class TaskPlanned(_Model):
    """The plan, or where the run is in it."""

    plan: list[Phase]
    current_phase: int
    """Counts from 1."""
    total_phases: int
    progress_percentage: int
    """0 to 100."""


class ControlAsked(_Model):
    """A person asked something of the task while it was running."""

    request: Literal["cancel", "pause", "resume"]
    """`resume` takes a pause back that has not begun."""


class Notice(_Model):
    """A line for the person: of the agent, or of a worker that gave the task back."""

    text: str


class MessageCreated(_Model):
    """A message was added; its text is in `messages`."""

    message_id: UUID
    seq: int
    """Its place in the conversation."""
    role: Role
    step: int | None = None
    """The step that it belongs to; none for what a person wrote."""


class ExecutionMoved(_Model):
    """A tool call was made, or went from one state to another; its arguments and result are in `tool_executions`."""

    execution_id: UUID
    tool: str
    """The tool's name."""
    status: ExecutionStatus
    step: int
    """Counts from 1."""
    call_index: int
    """Its place among the calls of the step, from 0."""
    execution_time_ms: int | None = None
    error_message: str | None = None
    """Up to 500 characters of it."""
    approvals_needed: int | None = None
    """So many people must approve it; none where nobody is asked."""
    gated: bool | None = None
    """It would go out of a task that has read something from outside; `gate` of its row says where to, and what."""


class ExecutionDecided(_Model):
    """A person decided about a tool call."""

    execution_id: UUID
    verdict: Verdict
    """approved or denied before the call; happened or did_not_happen of one that was in doubt."""
    user_id: UUID | None = None
    reason: str | None = None
    """Up to 500 characters of it."""


class FileCreated(_Model):
    """There is a new version of a file of the workspace."""

    file_id: UUID
    filename: str
    """Its path in the workspace."""
    version: int
    """Counts from 1."""
    file_size: int
    """In bytes."""
    execution_id: UUID | None = None
    """The call that wrote it; none for what a person gave."""


class FileRemoved(_Model):
    """A step removed a file of the workspace."""

    file_id: UUID
    """Of the row that says so."""
    filename: str
    """Its path in the workspace."""
    version: int
    file_size: int
    execution_id: UUID | None = None
    """The call that removed it."""


Kind = TypeVar("Kind")
Payload = TypeVar("Payload")


class Event(_Model, Generic[Kind, Payload]):
    """A row of `task_events`."""

    id: int
    """Order of id is order of commit within a task."""
    task_id: UUID
    kind: Kind
    payload: Payload
    created_at: Time


TaskEvent = Annotated[
    Event[Literal["task.created"], TaskCreated]
    | Event[Literal["task.status"], TaskMoved]
    | Event[Literal["task.plan"], TaskPlanned]
    | Event[Literal["task.control"], ControlAsked]
    | Event[Literal["task.notice"], Notice]
    | Event[Literal["message.created"], MessageCreated]
    | Event[Literal["execution.status"], ExecutionMoved]
    | Event[Literal["execution.decision"], ExecutionDecided]
    | Event[Literal["file.created"], FileCreated]
    | Event[Literal["file.removed"], FileRemoved],
    Field(discriminator="kind"),
]
"""One of them, told apart by `kind`."""

TASK_EVENT: TypeAdapter[TaskEvent] = TypeAdapter(TaskEvent, config=ConfigDict(defer_build=True))
"""Reads a row of `task_events`; raises `pydantic.ValidationError` for one of another kind or shape."""


def told(kind: str, payload: object) -> BaseModel | None:
    """The payload as its kind's model; None for a kind or a shape that only another version of the database writes."""
    model = payloads().get(kind)
    if model is None:
        return None
    try:
        return model.model_validate(payload)
    except ValidationError:
        return None


@cache
def payloads() -> dict[str, type[BaseModel]]:
    """The model of each kind's payload, in the order of the check constraint of `task_events`."""
    union, _ = get_args(TaskEvent)
    fields = [event.model_fields for event in get_args(union)]
    return {get_args(of["kind"].annotation)[0]: of["payload"].annotation for of in fields}
