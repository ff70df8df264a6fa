"""`agent-runtime tasks`: list, show, cancel, answer, approve, deny."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person, parse_id
from agent_runtime.cli.output import (
    clean,
    make_console,
    one_line,
    print_json,
    print_table,
    size_text,
    status_text,
    time_text,
)
from agent_runtime.errors import IllegalTransition

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import ExecutionRow, FileRow, MessageRow, TaskRow

tasks = typer.Typer(name="tasks", help="Your tasks: list, show, cancel, answer, approve, deny.", no_args_is_help=True)
app.add_typer(tasks)

TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Status(StrEnum):
    """The states of a task."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@tasks.command("list", epilog="Example: agent-runtime tasks list --status running --status waiting")
def list_tasks(
    status: Annotated[list[Status] | None, typer.Option(help="Only in this state; may be given several times.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List tasks, the newest first."""
    found = as_person(lambda person: person.tasks(statuses=[one.value for one in status or []], limit=limit))
    if as_json:
        print_json(found)
        return
    rows = (
        (
            str(task.id),
            status_text(task.status),
            f"{task.progress_percentage} %",
            time_text(task.created_at),
            task.title,
        )
        for task in found
    )
    columns = ("task", "status", "done", "filed", "title")
    print_table(make_console(), columns, rows, empty="No tasks: file one with `agent-runtime submit`.")


@tasks.command(epilog="Example: agent-runtime tasks show 3f2a…")
def show(task_id: TaskId, as_json: Json = False) -> None:
    """Show a task: its plan, answer, tool calls and files. --json adds the messages."""
    shown = parse_id(task_id)
    record = as_person(lambda person: _record(person, shown))
    if as_json:
        print_json(record)
    else:
        _show(make_console(), record["task"], record["executions"], record["files"])


@tasks.command(epilog="Example: agent-runtime tasks cancel 3f2a…")
def cancel(task_id: TaskId, as_json: Json = False) -> None:
    """End a task; one that runs ends as soon as its worker hears of it."""
    cancelled = parse_id(task_id)
    task = as_person(lambda person: person.cancel(cancelled))
    ended = "cancelled" if task.has_ended else "asked to stop; `agent-runtime watch` shows when it has"
    _done(task, as_json, f"Task {task.id} is {ended}.")


@tasks.command(epilog="Example: agent-runtime tasks answer 3f2a… 'Use the second sheet'")
def answer(
    task_id: TaskId,
    text: Annotated[str, typer.Argument(help="What to tell the agent; - reads standard input.")],
    as_json: Json = False,
) -> None:
    """Answer the agent's question, or tell it something while it works."""
    answered, words = parse_id(task_id), sys.stdin.read() if text == "-" else text
    task = as_person(lambda person: person.answer(answered, words))
    _done(task, as_json, f"Told the agent; task {task.id} is {task.status}.")


@tasks.command(epilog="Example: agent-runtime tasks approve 7c1d…")
def approve(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="The tool call, or the task if one call waits.")],
    as_json: Json = False,
) -> None:
    """Let a tool call run that waits for approval."""
    _decide(call_id, approved=True, reason=None, as_json=as_json)


@tasks.command(epilog="Example: agent-runtime tasks deny 7c1d… --reason 'not on this machine'")
def deny(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="The tool call, or the task if one call waits.")],
    reason: Annotated[str | None, typer.Option(help="What the agent is told.")] = None,
    as_json: Json = False,
) -> None:
    """Refuse a tool call that waits for approval; the agent is told and looks for another way."""
    _decide(call_id, approved=False, reason=reason, as_json=as_json)


def _decide(given: str, *, approved: bool, reason: str | None, as_json: bool) -> None:
    identifier = parse_id(given, "tool call", shown_by="watch")

    async def work(person: Person) -> ExecutionRow:
        return await person.decide(await _waiting_call(person, identifier), approve=approved, reason=reason)

    execution = as_person(work)
    _done(execution, as_json, f"Tool call {execution.id} is {'approved' if approved else 'denied'}.")


async def _waiting_call(person: Person, identifier: UUID) -> UUID:
    """The call itself, or the only call that waits in the task of that id."""
    waiting = [call for call in await person.executions(identifier) if call.status == "awaiting_approval"]
    if len(waiting) > 1:
        calls = ", ".join(str(call.id) for call in waiting)
        raise IllegalTransition(f"{len(waiting)} tool calls of task {identifier} wait: name one of {calls}")
    return waiting[0].id if waiting else identifier


async def _record(person: Person, task_id: UUID) -> dict[str, Any]:
    task = await person.task(task_id)
    executions: list[ExecutionRow] = await person.executions(task_id)
    messages: list[MessageRow] = await person.messages(task_id)
    files: list[FileRow] = await person.files(task_id)
    return {"task": task, "executions": executions, "messages": messages, "files": files}


def _show(console: Console, task: TaskRow, executions: list[ExecutionRow], files: list[FileRow]) -> None:
    from agent_runtime.cli.watch_lines import call_line
    from agent_runtime.cli.watch_screen import ending
    from agent_runtime.person.timeline import Call

    console.print(Text(one_line(task.title), style="bold"))
    console.print(Text.assemble(f"{task.id}  ", status_text(task.status), f"  filed {time_text(task.created_at)}"))
    console.print(Text(f"conversation {task.conversation_id}", style="bright_black"))
    for number, phase in enumerate(task.plan, start=1):
        done = number < task.current_phase or task.status == "completed"
        console.print(f"  {'✓' if done else '·'} {one_line(str(phase.get('title')))}")
    for row in executions:
        tool = row.tool.name if row.tool else "a tool"
        call = Call(row.id, tool, row.step, row.call_index, row.status, arguments=row.input_parameters)
        line = call_line(call, row.status, row.execution_time_ms, row.error_message)
        console.print(Text.assemble((f"step {row.step:<3} ", "bright_black"), line, no_wrap=True, overflow="ellipsis"))
    for file in files:
        if file.kind == "removed":
            console.print(Text(f"- {one_line(file.filename)}", style="bright_black"))
            continue
        console.print(Text(f"+ {one_line(file.filename)}  {size_text(file.file_size)}", style="blue"))
    if task.answer:
        console.print(f"\n{clean(task.answer)}\n")
    console.print(ending(task))


def _done(row: TaskRow | ExecutionRow, as_json: bool, said: str) -> None:
    if as_json:
        print_json(row)
    else:
        make_console().print(said)
