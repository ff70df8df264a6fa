"""`agent-runtime tasks`: list, show, cancel, pause, resume, answer; `decide` adds approve, deny and settle."""

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
    task_state,
    time_text,
)

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import ExecutionRow, FileRow, MessageRow, OverviewRow, TaskRow

tasks = typer.Typer(
    name="tasks",
    help="Your tasks: list, show, children, retry, cancel, pause, resume, answer, approve, deny, settle.",
    no_args_is_help=True,
)
app.add_typer(tasks)

TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task.")]
SPAWNING = frozenset({"spawn_tasks", "retry_tasks"})
"""Tools whose calls make tasks."""
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


@tasks.command("list", epilog="Example: agent-runtime tasks list --mine --status running --search 'invoice or receipt'")
def list_tasks(
    status: Annotated[list[Status] | None, typer.Option(help="Only in this state; may be given several times.")] = None,
    search: Annotated[
        str | None, typer.Option(help='Only with these words in title or prompt; "a phrase", or, -not.')
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only of this agent, by name or id.")] = None,
    mine: Annotated[bool | None, typer.Option("--mine/--shared", help="Only my own; only those of others.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List tasks, the newest first.

    Piped: one line each, separated by tabs: id, state, done, when it was filed, title, agent, step, phase, owner.
    """

    async def look(person: Person) -> list[OverviewRow]:
        return await person.tasks(
            search=search,
            statuses=[one.value for one in status or []],
            agent=(await person.platform.agent(agent)).id if agent else None,
            whose=None if mine is None else "mine" if mine else "shared",
            limit=limit,
        )

    found = as_person(look)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            str(task.id),
            task_state(task),
            f"{task.progress_percentage} %",
            time_text(task.created_at),
            task.title,
            task.agent_name or "",
            str(task.current_step),
            task.phase_title or "",
            "you" if task.is_mine else task.owner_name or "",
        )
        for task in found
    )
    columns = ("task", "status", "done", "filed", "title", "agent", "step", "phase", "owner")
    print_table(make_console(), columns, rows, empty="No tasks: file one with `agent-runtime submit`.")


@tasks.command(epilog="Example: agent-runtime tasks show 3f2a…")
def show(task_id: TaskId, as_json: Json = False) -> None:
    """Show a task: its plan, answer, tool calls and files. --json adds the messages."""
    shown = parse_id(task_id)
    record = as_person(lambda person: _record(person, shown))
    if as_json:
        print_json({part: rows for part, rows in record.items() if part != "names"})
    else:
        _show(make_console(), record)


@tasks.command(epilog="Example: agent-runtime tasks cancel 3f2a…")
def cancel(task_id: TaskId, as_json: Json = False) -> None:
    """End a task; one that runs ends as soon as its worker hears of it."""
    cancelled = parse_id(task_id)
    task = as_person(lambda person: person.cancel(cancelled))
    ended = "cancelled" if task.has_ended else "asked to stop; `agent-runtime watch` shows when it has"
    _done(task, as_json, f"Task {task.id} is {ended}.")


@tasks.command(epilog="Example: agent-runtime tasks pause 3f2a…")
def pause(task_id: TaskId, as_json: Json = False) -> None:
    """Hold a task: at once, or, when a tool runs, as soon as that call has ended."""
    paused = parse_id(task_id)
    task = as_person(lambda person: person.pause(paused))
    state = "paused" if task.status == "paused" else "asked to pause"
    _done(task, as_json, f"Task {task.id} is {state}. It goes on with: agent-runtime tasks resume {task.id}")


@tasks.command(epilog="Example: agent-runtime tasks resume 3f2a…")
def resume(task_id: TaskId, as_json: Json = False) -> None:
    """Let a paused task go on from where it was."""
    resumed = parse_id(task_id)
    task = as_person(lambda person: person.resume(resumed))
    _done(task, as_json, f"Task {task.id} goes on; it is {task.status}.")


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


async def _record(person: Person, task_id: UUID) -> dict[str, Any]:
    task = await person.task(task_id)
    executions: list[ExecutionRow] = await person.executions(task_id)
    messages: list[MessageRow] = await person.messages(task_id)
    files: list[FileRow] = await person.files(task_id)
    names = await person.names(task_id) if any(row.decisions for row in executions) else {}
    children = await person.children(task_id) if any(row.tool_name in SPAWNING for row in executions) else []
    return {
        "task": task,
        "executions": executions,
        "children": children,
        "messages": messages,
        "files": files,
        "names": names,
    }


def _show(console: Console, record: dict[str, Any]) -> None:
    from agent_runtime.cli.children import child_lines
    from agent_runtime.cli.watch_screen import ending

    task: TaskRow = record["task"]
    console.print(Text(one_line(task.title), style="bold"))
    console.print(Text.assemble(f"{task.id}  ", task_state(task), f"  filed {time_text(task.created_at)}"))
    console.print(Text(f"conversation {task.conversation_id}", style="bright_black"))
    if task.limits:
        limits = ", ".join(f"{one_line(name, 40)} {number}" for name, number in sorted(task.limits.items()))
        console.print(Text(f"limits of this task: {limits}", style="bright_black"))
    for number, phase in enumerate(task.plan, start=1):
        done = number < task.current_phase or task.status == "completed"
        console.print(f"  {'✓' if done else '·'} {one_line(str(phase.get('title')))}")
    for row in record["executions"]:
        for line in _call_lines(row, record["names"]):
            console.print(line)
    for line in child_lines(record["children"]):
        console.print(line)
    for file in record["files"]:
        if file.kind == "removed":
            console.print(Text(f"- {one_line(file.filename)}", style="bright_black"))
            continue
        console.print(Text(f"+ {one_line(file.filename)}  {size_text(file.file_size)}", style="blue"))
    if task.answer:
        console.print(f"\n{clean(task.answer)}\n")
    if task.has_ended:
        console.print(ending(task))
    else:
        for line in _what_next(task, record["executions"]):
            console.print(line)


def _call_lines(row: ExecutionRow, names: dict[str, str]) -> list[Text]:
    """A call, what people said of it, and what can still be said."""
    from agent_runtime.cli.watch_lines import call_line, call_notes, decision_text
    from agent_runtime.person.timeline import Call

    call = Call.of(row)
    line = call_line(call, row.status, row.execution_time_ms, row.error_message)
    lines = [Text.assemble((f"step {row.step:<3} ", "bright_black"), line, no_wrap=True, overflow="ellipsis")]
    for decision in row.decisions:
        who = names.get(str(decision.user_id), "another person")
        said = Text.assemble("  ", decision_text(decision.verdict, who))
        if decision.verdict == "approved" and decision.input_digest != row.input_digest:
            said.append(", with the arguments as they were then", style="yellow")
        said.append(f"  {time_text(decision.created_at)}", style="bright_black")
        if decision.reason:
            said.append(f": {one_line(decision.reason, 300)}")
        lines.append(said)
    return [*lines, *call_notes(call)]


def _what_next(task: TaskRow, executions: list[ExecutionRow]) -> list[Text]:
    """What the person can do so that the task goes on."""
    from agent_runtime.person.timeline import Call

    if task.status == "waiting" and task.wait_reason == "answer":
        asked = [question for row in executions if (question := Call.of(row).question)]
        question = one_line(asked[-1], 4_000) if asked else "the agent waits for an answer"
        return [
            Text(f"? {question}", style="bold magenta"),
            Text(f'  answer with: agent-runtime tasks answer {task.id} "…"', style="magenta"),
        ]
    if task.status == "paused":
        return [Text(f"It goes on with: agent-runtime tasks resume {task.id}", style="yellow")]
    return []


def _done(row: TaskRow, as_json: bool, said: str) -> None:
    if as_json:
        print_json(row)
    else:
        make_console().print(said)
