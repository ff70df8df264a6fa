"""A task's timeline as a fold: events go in, in their order, and what a screen shows comes out. No clock, no network.

Events name rows; what is in the rows (a call's arguments, a message's text) is learned beside them: `wanted_executions`
and `wanted_messages` say which rows a screen still has to read. A person's decision can change a call's arguments, so
it makes the call's row wanted again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from agent_runtime.events import (
    ControlAsked,
    ExecutionDecided,
    ExecutionMoved,
    FileCreated,
    FileRemoved,
    MessageCreated,
    Notice,
    TaskCreated,
    TaskMoved,
    TaskPlanned,
    told,
)
from agent_runtime.person.records import ENDED, EventRow, ExecutionRow, MessageRow

OVER = frozenset({"completed", "failed", "denied", "in_doubt", "cancelled"})
"""States of a tool execution after which its line on the screen is final."""


@dataclass
class Call:
    """A tool call."""

    execution_id: UUID
    tool: str
    step: int
    call_index: int
    status: str
    execution_time_ms: int | None = None
    error_message: str | None = None
    arguments: dict[str, Any] | None = None
    """None until its row was read."""
    original: dict[str, Any] | None = None
    """What the model asked for, where a person changed it."""
    approvals_needed: int = 0
    approvals_given: int = 0
    """By different people, of these very arguments; as of its row."""
    expires_at: datetime | None = None
    """When the time to decide is over; as of its row."""
    is_stale: bool = False
    """Its row has changed since it was read."""

    @classmethod
    def of(cls, row: ExecutionRow) -> Call:
        """As its row says, without a timeline."""
        call = cls(
            row.id, row.tool_name, row.step, row.call_index, row.status, row.execution_time_ms, row.error_message
        )
        call.learn(row)
        return call

    def learn(self, row: ExecutionRow) -> None:
        """Take what only the row says."""
        self.arguments, self.original = row.input_parameters, row.original_parameters
        self.approvals_needed = max(self.approvals_needed, row.approvals_needed)
        self.approvals_given, self.expires_at = len(row.approved_by), row.approval_expires_at
        self.is_stale = False

    @property
    def question(self) -> str | None:
        """What the agent asks the person."""
        question = (self.arguments or {}).get("question") if self.tool == "message_ask" else None
        return question if isinstance(question, str) else None


@dataclass
class Said:
    """A message of the person or the agent. `text` is None until its row was read."""

    message_id: UUID
    role: str
    step: int | None
    text: str | None = None
    has_calls: bool = False


@dataclass
class FileSeen:
    """A file that was given to the task or made by it."""

    file_id: str
    filename: str
    version: int
    size_bytes: int
    made_by_agent: bool


@dataclass
class Timeline:
    """What a screen shows of one task. `names` says whom a user's id stands for."""

    names: dict[str, str] = field(default_factory=dict)
    title: str = ""
    status: str = "pending"
    wait_reason: str | None = None
    attempts: int = 0
    error_message: str | None = None
    run_after: str | None = None
    cancel_requested: bool = False
    pause_requested: bool = False
    plan: list[str] = field(default_factory=list)
    current_phase: int = 1
    progress_percentage: int = 0
    notices: list[str] = field(default_factory=list)
    calls: dict[UUID, Call] = field(default_factory=dict)
    said: dict[UUID, Said] = field(default_factory=dict)
    files: list[FileSeen] = field(default_factory=list)
    last_event_id: int = 0

    @property
    def has_ended(self) -> bool:
        """Completed, failed or cancelled."""
        return self.status in ENDED

    @property
    def step(self) -> int:
        """The step that the run is at; 0 before the first."""
        return max((call.step for call in self.calls.values()), default=0)

    @property
    def open_calls(self) -> list[Call]:
        """Calls that are not over, in their order."""
        calls = [call for call in self.calls.values() if call.status not in OVER]
        return sorted(calls, key=lambda call: (call.step, call.call_index))

    @property
    def doubts(self) -> list[Call]:
        """Calls of which nobody knows whether they took effect, in their order."""
        calls = [call for call in self.calls.values() if call.status == "in_doubt"]
        return sorted(calls, key=lambda call: (call.step, call.call_index))

    def name(self, user_id: Any) -> str:
        """Who that is: `you`, an address where it may be read, else another person."""
        return self.names.get(str(user_id), "another person")

    @property
    def question(self) -> str | None:
        """What the agent waits to be told, once its row was read."""
        if (self.status, self.wait_reason) != ("waiting", "answer"):
            return None
        asked = [call.question for call in self.calls.values() if call.question]
        return asked[-1] if asked else None

    @property
    def wanted_executions(self) -> list[UUID]:
        """Calls whose arguments are not known, or not any more."""
        return [call.execution_id for call in self.calls.values() if call.arguments is None or call.is_stale]

    @property
    def wanted_messages(self) -> list[UUID]:
        """Messages of the person and the agent whose text is not known yet."""
        return [said.message_id for said in self.said.values() if said.text is None]

    def apply(self, event: EventRow) -> bool:
        """Take the next event. False, and no change, when it was taken before."""
        if event.id <= self.last_event_id:
            return False
        self.last_event_id = event.id
        # What a newer database writes and this release does not know is no reason to stop showing the rest.
        match told(event.kind, event.payload):
            case TaskCreated(status=status, title=title):
                self.status, self.title = status, title
            case TaskMoved() as moved:
                self._move(moved)
            case TaskPlanned() as planned:
                self.plan = [phase.title for phase in planned.plan]
                self.current_phase, self.progress_percentage = planned.current_phase, planned.progress_percentage
            case ControlAsked(request="cancel"):
                self.cancel_requested = True
            case ControlAsked(request=request):
                self.pause_requested = request == "pause"
            case Notice(text=text):
                self.notices.append(text)
            case MessageCreated() as message:
                self._hear(message)
            case ExecutionMoved() as moved:
                self._move_call(moved)
            case ExecutionDecided(execution_id=execution_id) if call := self.calls.get(execution_id):
                call.is_stale = True
            case FileCreated() as file:
                self._add_file(file)
            case FileRemoved(filename=filename):
                self.files = [file for file in self.files if file.filename != filename]
        return True

    def learn(self, executions: Iterable[ExecutionRow] = (), messages: Iterable[MessageRow] = ()) -> None:
        """Take what rows say that events only name."""
        for row in executions:
            if call := self.calls.get(row.id):
                call.learn(row)
        for message in messages:
            if said := self.said.get(message.id):
                said.text, said.has_calls = message.content, bool(message.tool_calls)

    def stop_wanting(self) -> None:
        """Rows that could not be read stay empty; nobody asks for them again."""
        for call in self.calls.values():
            call.arguments, call.is_stale = call.arguments or {}, False
        for said in self.said.values():
            said.text = said.text or ""

    def _move(self, moved: TaskMoved) -> None:
        self.status, self.wait_reason, self.attempts = moved.status, moved.wait_reason, moved.attempts
        self.error_message, self.run_after = moved.error_message, moved.run_after
        # Asked of a running task: it is paused now, or has ended, or was let go on.
        self.pause_requested = self.pause_requested and self.status == "running"
        if self.status == "completed":
            self.progress_percentage = 100

    def _hear(self, message: MessageCreated) -> None:
        # The task's first message is its prompt, and a tool's message repeats its call's result.
        if message.role == "assistant" or (message.role == "user" and self.said):
            self.said[message.message_id] = Said(message.message_id, message.role, message.step)
        elif message.role == "user":
            self.said[message.message_id] = Said(message.message_id, "prompt", None, text="")

    def _move_call(self, moved: ExecutionMoved) -> None:
        call = self.calls.setdefault(
            moved.execution_id, Call(moved.execution_id, moved.tool, moved.step, moved.call_index, moved.status)
        )
        call.status, call.execution_time_ms = moved.status, moved.execution_time_ms
        call.error_message, call.approvals_needed = moved.error_message, moved.approvals_needed or 0

    def _add_file(self, file: FileCreated) -> None:
        # Given files are recorded before the run begins.
        made_by_agent = file.execution_id is not None or bool(self.calls)
        self.files.append(FileSeen(str(file.file_id), file.filename, file.version, file.file_size, made_by_agent))
