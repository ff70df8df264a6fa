"""`agent-runtime submit`: file a task, and wait for it if asked."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person, parse_id, say_if_nobody_works
from agent_runtime.cli.limits import parse_limits
from agent_runtime.cli.output import make_console, one_line, print_json, task_state, time_text
from agent_runtime.cli.watch import exit_code, follow, follow_as
from agent_runtime.errors import InvalidInput

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import TaskRow

# The database refuses over 256 KiB; this only keeps an endless stream out of memory.
_MOST_PROMPT_CHARACTERS = 4_000_000
_DAY = timedelta(days=1)


@app.command(epilog="Example: agent-runtime submit 'Which month sold best?' --file sales.csv --wait")
def submit(
    prompt: Annotated[str, typer.Argument(help="What to do, in words; - reads standard input.")],
    file: Annotated[list[Path] | None, typer.Option(help="A file for the agent; may be given several times.")] = None,
    agent: Annotated[str | None, typer.Option(help="The agent's name; `agents list` shows them.")] = None,
    priority: Annotated[int, typer.Option(help="1 to 5; 5 goes first.")] = 1,
    title: Annotated[str | None, typer.Option(help="Title; else the prompt's first line.")] = None,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="Go on in this conversation.")] = None,
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key gives the same task, however often.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="A bound of this task, such as steps=20; may be given several times."),
    ] = None,
    not_before: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Start it then: 2030-12-31T08:00, in the local zone or as +02:00 says."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it to its end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The task as JSON.")] = False,
) -> None:
    """File a task for an agent.

    With --wait it exits with 0 when the task is completed, with 1 when it failed or was cancelled.
    """
    words = _prompt(prompt)
    limits = parse_limits(limit or [])
    run_after = _moment(not_before)
    in_conversation = parse_id(conversation, "conversation", shown_by="tasks show") if conversation else None

    async def work(person: Person) -> TaskRow:
        task = await person.submit(
            words,
            file or [],
            agent=agent,
            priority=priority,
            title=title,
            conversation=in_conversation,
            idempotency_key=key,
            limits=limits,
            run_after=run_after,
        )
        _say_if_past(task, run_after)
        return await _after(person, task, wait=wait, as_json=as_json)

    task = as_person(work)
    if wait:
        raise typer.Exit(exit_code(task))


def _prompt(given: str) -> str:
    words = sys.stdin.read(_MOST_PROMPT_CHARACTERS) if given == "-" else given
    if not words.strip():
        raise InvalidInput("the prompt is empty: say what the agent should do")
    return words


def _moment(given: str | None) -> datetime | None:
    """In UTC. A time without a zone is the local one's."""
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given.strip()).astimezone(UTC)
        # At the calendar's ends there is no such moment in another zone, where it would be shown.
        _ = moment - _DAY, moment + _DAY
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"--not-before {one_line(given, 60)!r} is no time: give it as 2030-12-31T08:00, with +02:00 for a zone"
        ) from None
    return moment


def _say_if_past(task: TaskRow, wanted: datetime | None) -> None:
    # By the database's clock, since that one decided.
    if wanted and task.status == "pending" and task.run_after is None and wanted <= task.created_at:
        make_console(stderr=True).print(f"{time_text(wanted)} is over: the task starts at once.")


async def _after(person: Person, task: TaskRow, *, wait: bool, as_json: bool) -> TaskRow:
    if not wait:
        if as_json:
            print_json(task)
        else:
            make_console().print(f"Task {task.id} is {task_state(task)}.\nWatch it with: agent-runtime watch {task.id}")
        await say_if_nobody_works(person, make_console(stderr=True))
        return task
    if not as_json:
        return await follow_as(person, task.id, as_json=False)
    task = await follow(person, task.id, make_console(stderr=True), on_event=lambda _: None)
    print_json(task)
    return task
