"""What each event of a timeline says, in one line: the same words on a terminal and in a pipe."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from rich.text import Text

from agent_runtime.cli.output import duration_text, one_line, size_text, state_words
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
from agent_runtime.person.records import EventRow
from agent_runtime.person.timeline import OVER, Call, Said, Timeline

CONTROL_TOOLS = frozenset({"plan_set", "plan_advance", "message_notify", "message_ask", "task_complete"})
"""Tools whose effect has an event of its own, so that a call that went well says nothing new."""

_DECISIONS = {
    "approved": ("approved by {who}", "green"),
    "denied": ("denied by {who}", "red"),
    "happened": ("{who} settled that it took effect", "green"),
    "did_not_happen": ("{who} settled that it did not take effect", "yellow"),
}
_CONTROL = {
    "cancel": "asked to stop",
    "pause": "asked to pause",
    "resume": "the pause was taken back",
}
_VALUE_CHARACTERS = 60
_ARGUMENTS_CHARACTERS = 120

_MARKS = {
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "denied": ("✗", "red"),
    "in_doubt": ("?", "red"),
    "cancelled": ("–", "bright_black"),
    "awaiting_approval": ("!", "magenta"),
    "running": ("▸", "cyan"),
}


def describe(event: EventRow, timeline: Timeline, task_id: UUID) -> list[Text]:
    """Lines for `event`; none when it says nothing to a person. `timeline` has taken the event already."""
    match told(event.kind, event.payload):
        case TaskCreated(title=title):
            return [Text.assemble(("Task: ", "bold"), one_line(title))]
        case TaskMoved() as moved:
            return _status(moved, timeline, task_id)
        case TaskPlanned() as planned:
            return _plan(planned)
        case ControlAsked(request=request):
            return [Text(_CONTROL[request], style="yellow")]
        case Notice(text=text):
            return [Text(f"» {one_line(text, 2_000)}", style="bold")]
        case MessageCreated(message_id=message_id):
            return _message(timeline.said.get(message_id))
        case ExecutionMoved() as moved:
            return _execution(moved, timeline)
        case ExecutionDecided() as decided:
            return _decision(decided, timeline)
        case FileCreated() as file:
            return _file(file)
        case FileRemoved(filename=filename):
            return [Text(f"- {one_line(filename)}", style="bright_black")]
    return []


def call_line(call: Call, status: str, milliseconds: float | None, error: str | None = None) -> Text:
    """A call, its arguments shortened and last, where a narrow screen cuts: `✓ file_read  12 ms  path="sales.csv"`."""
    mark, style = _MARKS.get(status, ("·", ""))
    line = Text.assemble((f"{mark} ", style), (one_line(call.tool, 64), "bold"), no_wrap=True, overflow="ellipsis")
    if taken := duration_text(milliseconds):
        line.append(f"  {taken}", style="bright_black")
    if error:
        line.append(f"  {one_line(error, 160)}", style="red")
    if call.original is not None and status not in ("pending", "awaiting_approval"):
        line.append("  edited", style="magenta")
    if arguments := arguments_text(call.arguments or {}):
        line.append(f"  {arguments}", style="bright_black" if error else "")
    return line


def decision_text(verdict: str, who: str) -> Text:
    """What a person said of a call: `approved by you`."""
    name = one_line(who, 100)
    if known := _DECISIONS.get(verdict):
        words, style = known
        return Text(words.format(who=name), style=style)
    return Text(f"{one_line(verdict, 50)} by {name}", style="yellow")


def call_notes(call: Call) -> list[Text]:
    """What a person can do about the call, and what a person has changed in it."""
    notes = []
    if call.original is not None:
        notes.append(
            Text(f"  the agent had asked for: {arguments_text(call.original) or 'no arguments'}", style="magenta")
        )
    if call.status == "awaiting_approval":
        decide = f"agent-runtime tasks approve {call.execution_id}"
        notes.append(Text(f"  allow it with: {decide}   or refuse: … tasks deny …", style="magenta"))
        if terms := approval_terms(call):
            notes.append(Text(f"  {terms}", style="magenta"))
    elif call.status == "in_doubt":
        settle = f"agent-runtime tasks settle {call.execution_id}"
        notes.append(Text("  in doubt: nobody knows whether it took effect, and it is not run again", style="red"))
        notes.append(Text(f"  settle it: {settle} --happened | --did-not-happen", style="red"))
    return notes


def approval_terms(call: Call) -> str:
    """`1 of 2 people have approved, until 14:05:00`."""
    terms = []
    if call.approvals_needed > 1:
        terms.append(f"{call.approvals_given} of {call.approvals_needed} people have approved")
    if call.expires_at:
        moment = call.expires_at.astimezone()
        terms.append(f"until {moment:%Y-%m-%d %H:%M:%S}")
    return ", ".join(terms)


def arguments_text(arguments: dict[str, Any]) -> str:
    """`path="sales.csv" limit=10`, each value and the whole shortened."""
    pairs = (f"{one_line(str(name), 40)}={_value(value)}" for name, value in arguments.items())
    return one_line(" ".join(pairs), _ARGUMENTS_CHARACTERS)


def _value(value: Any) -> str:
    # Cut before it is encoded: a value may be as long as a file.
    if isinstance(value, str):
        return json.dumps(one_line(value[: 4 * _VALUE_CHARACTERS], _VALUE_CHARACTERS), ensure_ascii=False)
    return one_line(json.dumps(value, ensure_ascii=False), _VALUE_CHARACTERS)


def _status(moved: TaskMoved, timeline: Timeline, task_id: UUID) -> list[Text]:
    match moved.status:
        case "running":
            attempts = moved.attempts
            again = f"after {attempts} crashed run{'s' if attempts > 1 else ''}" if attempts else ""
            return [Text(f"a worker runs it {again}".rstrip(), style="bright_black")]
        case "waiting" if moved.wait_reason == "answer":
            return _question(timeline, task_id)
        case "waiting" if moved.wait_reason == "approval":
            return [Text("waits for approval", style="magenta")]
        case "waiting" if moved.wait_reason == "doubt":
            return [Text("waits until a person says whether the call in doubt took effect", style="red")]
        case "waiting":
            return [Text(state_words("waiting", moved.wait_reason), style="yellow")]
        case "paused":
            return [Text(f"paused; it goes on with: agent-runtime tasks resume {task_id}", style="yellow")]
        case "pending" if moved.previous == "running":
            later = f", not before {_clock(moved.run_after)}" if moved.run_after else ""
            return [Text(f"given back by its worker{later}", style="yellow")]
        case "pending":
            return [Text("goes on", style="bright_black")]
    return []  # the end has lines of its own


def _clock(moment: str) -> str:
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return one_line(moment, 40)


def _question(timeline: Timeline, task_id: UUID) -> list[Text]:
    asked = [call.question for call in timeline.calls.values() if call.question]
    question = one_line(asked[-1], 4_000) if asked else "the agent waits for an answer"
    return [
        Text(f"? {question}", style="bold magenta"),
        Text(f'  answer with: agent-runtime tasks answer {task_id} "…"', style="magenta"),
    ]


def _plan(planned: TaskPlanned) -> list[Text]:
    phases = [one_line(phase.title, 200) for phase in planned.plan]
    current, progress = planned.current_phase, planned.progress_percentage
    if not phases or progress == 100:
        return []
    if current == 1 and progress == 0:
        return [Text.assemble(("Plan: ", "bold"), " · ".join(phases))]
    if current > len(phases):
        return []
    return [Text.assemble((f"Phase {current} of {len(phases)}: ", "bold"), phases[current - 1])]


def _message(said: Said | None) -> list[Text]:
    if said is None or not said.text or not said.text.strip():
        return []
    if said.role == "user":
        return [Text(f"you: {one_line(said.text, 1_000)}", style="bold")]
    # Words without a call are the answer, which is shown whole at the end.
    return [Text(one_line(said.text, 300), style="italic")] if said.has_calls else []


def _execution(moved: ExecutionMoved, timeline: Timeline) -> list[Text]:
    call, status = timeline.calls[moved.execution_id], moved.status
    if status == "pending" or (call.tool in CONTROL_TOOLS and status in ("running", "completed")):
        return []
    milliseconds = moved.execution_time_ms if status in OVER else None
    line = call_line(call, status, milliseconds, moved.error_message)
    step = (f"step {call.step:<3} ", "bright_black")
    lines = [Text.assemble(step, line, no_wrap=True, overflow="ellipsis")]
    if status in ("awaiting_approval", "in_doubt") and call.status == status:
        lines += call_notes(call)  # once it is decided, that is old news
    return lines


def _decision(decided: ExecutionDecided, timeline: Timeline) -> list[Text]:
    call = timeline.calls.get(decided.execution_id)
    if call is None:
        return []
    said = decision_text(decided.verdict, timeline.name(decided.user_id))
    line = Text.assemble((f"step {call.step:<3} ", "bright_black"), said)
    line.append(f"  {one_line(call.tool, 64)}", style="bold")
    # A refusal's reason comes again as the call's error.
    if decided.reason and decided.verdict != "denied":
        line.append(f": {one_line(decided.reason, 300)}")
    if decided.verdict != "approved" or call.original is None:
        return [line]
    line.append(f"  edited  {arguments_text(call.arguments or {})}", style="magenta")
    return [line, *call_notes(replace(call, status="pending"))]


def _file(file: FileCreated) -> list[Text]:
    version = f" (version {file.version})" if file.version > 1 else ""
    return [Text(f"+ {one_line(file.filename)}{version}  {size_text(file.file_size)}", style="blue")]
