"""`agent-runtime watch`: a task as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person, parse_id, say_if_nobody_works
from agent_runtime.cli.output import make_console, print_json
from agent_runtime.errors import Unavailable

if TYPE_CHECKING:
    from agent_runtime.cli.watch_screen import Screen
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import EventRow, TaskRow
    from agent_runtime.person.timeline import Timeline

POLL_SECONDS = 0.3
_LONGEST_PAUSE_SECONDS = 3.0
_ANSWER_SECONDS = 10.0
"""A request that is never answered, as by a host that went away, is sent again after so long."""
_ASK_FOR_WORKERS_SECONDS = 5.0

T = TypeVar("T")
OnEvent = Callable[["EventRow"], None]


@app.command(epilog="Example: agent-runtime watch 3f2a…")
def watch(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event, then the task.")] = False,
) -> None:
    """Show a task live: its plan, each step and tool call, questions, the answer and the files.

    Exits with 0 when the task is completed, with 1 when it failed or was cancelled.
    """
    watched = parse_id(task_id)
    task = as_person(lambda person: follow_as(person, watched, as_json=as_json))
    raise typer.Exit(exit_code(task))


def exit_code(task: TaskRow) -> int:
    """0 when the work is done, 1 when it failed or was cancelled."""
    return 0 if task.status == "completed" else 1


async def follow_as(person: Person, task_id: UUID, *, as_json: bool) -> TaskRow:
    """Follow on standard output, for a person or for a program."""
    try:
        if not as_json:
            return await follow(person, task_id, make_console())
        task = await follow(person, task_id, make_console(stderr=True), on_event=print_json)
    except asyncio.CancelledError:
        make_console(stderr=True).print(f"\nThe task goes on: agent-runtime watch {task_id}")
        raise
    print_json(task)
    return task


async def follow(
    person: Person,
    task_id: UUID,
    console: Console,
    *,
    until_end: bool = True,
    list_files: bool = True,
    on_event: OnEvent | None = None,
) -> TaskRow:
    """Show a task on `console` until it has ended, or what there is of it without `until_end`. Returns its row.

    `list_files` ends with the files and how to get them. `on_event` takes the events instead of the console. An API
    that goes away is waited for. Raises `NotFound`.
    """
    from agent_runtime.person.timeline import Timeline

    await person.task(task_id)
    timeline = Timeline(names=await person.names(task_id))
    reader = _Reader(person, task_id, timeline)
    workers = _Workers(person, console)
    with _screen(console, timeline, task_id, on_event) as screen:
        while True:
            news = await _patiently(screen, reader.next_events)
            screen.update(news)
            if news:
                continue
            if timeline.has_ended or not until_end:
                break
            await workers.ask_about(timeline)
            await asyncio.sleep(POLL_SECONDS)
        task = await _patiently(screen, lambda: person.task(task_id))
        if task.has_ended:
            screen.end(task, await _patiently(screen, lambda: person.files(task_id)) if list_files else [])
    return task


class _Reader:
    """Reads what is new, with the rows that it names."""

    def __init__(self, person: Person, task_id: UUID, timeline: Timeline) -> None:
        self._person, self._task_id, self._timeline = person, task_id, timeline
        self._unshown: list[EventRow] = []

    async def next_events(self) -> list[EventRow]:
        """New events. Raises `Unavailable`, after which it can be called again and nothing is missing."""
        timeline = self._timeline
        if not self._unshown:
            events = await self._person.events(self._task_id, timeline.last_event_id)
            self._unshown = [event for event in events if timeline.apply(event)]
            if any(str(event.payload.get("user_id", "")) not in {"", *timeline.names} for event in self._unshown):
                # Somebody decided who had nothing to do with the task before.
                timeline.names.update(await self._person.names(self._task_id))
        if executions := timeline.wanted_executions:
            timeline.learn(executions=await self._person.executions(self._task_id, executions))
        if messages := timeline.wanted_messages:
            timeline.learn(messages=await self._person.messages(self._task_id, messages))
        timeline.stop_wanting()
        news, self._unshown = self._unshown, []
        return news


class _Workers:
    """Says once that nobody works, while the task is pending."""

    def __init__(self, person: Person, console: Console) -> None:
        self._person, self._console = person, console
        self._said, self._next = False, 0.0

    async def ask_about(self, timeline: Timeline) -> None:
        if self._said or timeline.status != "pending" or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _ASK_FOR_WORKERS_SECONDS
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._said = await say_if_nobody_works(self._person, self._console)


async def _patiently(screen: Screen, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer, more and more slowly."""
    pause_seconds = 2 * POLL_SECONDS
    while True:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await ask()
        except (Unavailable, TimeoutError) as error:
            screen.trouble(str(error) or f"Supabase does not answer within {_ANSWER_SECONDS:g} s")
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
        else:
            screen.trouble(None)
            return answer


def _screen(console: Console, timeline: Timeline, task_id: UUID, on_event: OnEvent | None) -> Screen:
    from agent_runtime.cli.watch_screen import EventScreen, LineScreen, LiveScreen

    if on_event:
        return EventScreen(console, on_event)
    return (LiveScreen if console.is_terminal else LineScreen)(console, timeline, task_id)
