"""The two screens on which a task is watched: a live one for a terminal, plain lines for a pipe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agent_runtime.cli.output import STATUS_STYLES, clean, duration_text, one_line, size_text, state_words
from agent_runtime.cli.watch_lines import CONTROL_TOOLS, approval_terms, call_line, describe
from agent_runtime.person.records import EventRow, FileRow, TaskRow, current_files
from agent_runtime.person.timeline import Timeline

_REDRAW_SECONDS = 0.125


class Screen(Protocol):
    """What `follow` tells: events as they come, trouble on the way, and the end."""

    def __enter__(self) -> Screen: ...
    def __exit__(self, *_: object) -> None: ...
    def update(self, events: Sequence[EventRow]) -> None:
        """`events` are new; the timeline has taken them."""

    def trouble(self, text: str | None) -> None:
        """The API does not answer; None when it does again."""

    def end(self, task: TaskRow, files: Sequence[FileRow]) -> None:
        """The task has ended."""


class EventScreen:
    """The events themselves, for programs; words go to the console."""

    def __init__(self, console: Console, on_event: Callable[[EventRow], None]) -> None:
        self._console, self._on_event = console, on_event
        self._in_trouble = False

    def __enter__(self) -> EventScreen:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, events: Sequence[EventRow]) -> None:
        for event in events:
            self._on_event(event)

    def trouble(self, text: str | None) -> None:
        if text and not self._in_trouble:
            self._console.print(f"{one_line(text)}; trying again")
        self._in_trouble = text is not None

    def end(self, task: TaskRow, files: Sequence[FileRow]) -> None:
        pass


class LineScreen:
    """One line per event, with the time of day: for pipes and logs."""

    def __init__(self, console: Console, timeline: Timeline, task_id: UUID) -> None:
        self._console, self._timeline, self._task_id = console, timeline, task_id
        self._in_trouble = False

    def __enter__(self) -> LineScreen:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, events: Sequence[EventRow]) -> None:
        for event in events:
            clock = event.created_at.astimezone().strftime("%H:%M:%S")
            for line in describe(event, self._timeline, self._task_id):
                self._console.print(f"{clock} {line.plain}")

    def trouble(self, text: str | None) -> None:
        if text and not self._in_trouble:
            self._console.print(f"{one_line(text)}; trying again")
        elif self._in_trouble and not text:
            self._console.print("answering again")
        self._in_trouble = text is not None

    def end(self, task: TaskRow, files: Sequence[FileRow]) -> None:
        if task.answer:
            self._console.print(f"\n{clean(task.answer)}\n")
        for line in file_lines(task, files):
            self._console.print(line.plain)
        self._console.print(ending(task).plain)


class LiveScreen:
    """What has happened scrolls up; the plan, the calls that run and what the agent waits for stay at the bottom."""

    def __init__(self, console: Console, timeline: Timeline, task_id: UUID) -> None:
        self._console, self._timeline, self._task_id = console, timeline, task_id
        self._trouble: str | None = None
        self._since: dict[UUID, float] = {}
        self._started_at: datetime | None = None
        self._spinner = Spinner("dots", style="cyan")
        # Drawn by the event loop: a thread of Live's own draws over lines that are being printed.
        self._live = Live(
            console=console,
            get_renderable=self._bottom,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveScreen:
        self._live.start()
        self._drawing = asyncio.create_task(self._draw())
        return self

    def __exit__(self, *_: object) -> None:
        self._drawing.cancel()
        self._live.stop()

    def update(self, events: Sequence[EventRow]) -> None:
        lines: list[Text] = []
        for event in events:
            running = event.payload.get("status") == "running"
            if running and event.kind == "task.status":
                self._started_at = self._started_at or event.created_at
            # What runs is at the bottom.
            if event.kind != "execution.status" or not running:
                lines += describe(event, self._timeline, self._task_id)
        for call in self._timeline.open_calls:
            if call.status == "running":
                self._since.setdefault(call.execution_id, time.monotonic())
        if lines:
            self._console.print(Group(*lines))

    def trouble(self, text: str | None) -> None:
        self._trouble = text

    def end(self, task: TaskRow, files: Sequence[FileRow]) -> None:
        self._live.stop()
        if task.answer:
            # Links are written out, so that no text hides where it leads.
            answer = Markdown(clean(task.answer), hyperlinks=False)
            self._console.print()
            self._console.print(Panel(answer, title="Answer", title_align="left", border_style="green", padding=(1, 2)))
        for line in file_lines(task, files):
            self._console.print(line)
        self._console.print(ending(task))

    async def _draw(self) -> None:
        while True:
            self._live.refresh()
            await asyncio.sleep(_REDRAW_SECONDS)

    def _bottom(self) -> RenderableType:
        timeline = self._timeline
        if timeline.has_ended:
            return Text("")
        parts: list[RenderableType] = [Text(""), self._header()]
        if timeline.plan:
            parts.append(Padding(self._plan(), (0, 0, 0, 2)))
        for call in timeline.open_calls:
            if call.status == "running" and call.tool not in CONTROL_TOOLS:
                seconds = time.monotonic() - self._since.get(call.execution_id, time.monotonic())
                parts.append(Padding(call_line(call, "running", 1_000 * seconds), (0, 0, 0, 2)))
        for call in (*timeline.open_calls, *timeline.doubts):
            if call.status in ("awaiting_approval", "in_doubt"):
                line = call_line(call, call.status, None)
                if terms := approval_terms(call) if call.status == "awaiting_approval" else "in doubt":
                    line.append(f"  {terms}", style="magenta")
                parts.append(Padding(line, (0, 0, 0, 2)))
        if self._trouble:
            parts.append(Text(f"  {one_line(self._trouble)}; trying again", style="yellow"))
        return Group(*parts)

    def _header(self) -> RenderableType:
        timeline = self._timeline
        status = state_words(
            timeline.status,
            timeline.wait_reason,
            stopping=timeline.cancel_requested,
            pausing=timeline.pause_requested,
        )
        words = Text.assemble((status, _bold(timeline.status)))
        if timeline.step:
            words.append(f"  step {timeline.step}", style="bright_black")
        if self._started_at:
            seconds = max(0, int((datetime.now(UTC) - self._started_at).total_seconds()))
            words.append(f"  {seconds // 60}:{seconds % 60:02d}", style="bright_black")
        row = Table.grid(padding=(0, 1))
        busy = timeline.status in ("running", "pending")
        row.add_row(self._spinner if busy else Text("●", style="magenta"), words)
        return row

    def _plan(self) -> RenderableType:
        timeline = self._timeline
        grid = Table.grid(padding=(0, 1))
        for number, title in enumerate(timeline.plan, start=1):
            if number < timeline.current_phase:
                grid.add_row(Text("✓", style="green"), Text(one_line(title), style="bright_black"))
            elif number == timeline.current_phase:
                grid.add_row(Text("▸", style="cyan"), Text(one_line(title), style="bold"))
            else:
                grid.add_row(Text("·", style="bright_black"), Text(one_line(title)))
        bar = ProgressBar(total=100, completed=timeline.progress_percentage, width=30)
        return Group(grid, bar)


def file_lines(task: TaskRow, files: Sequence[FileRow]) -> list[Text]:
    """The files that the agent made, the newest version of each, the deliverables first, and how to get them."""
    results = (task.result or {}).get("files")
    deliverables = [name for name in results if isinstance(name, str)] if isinstance(results, list) else []
    newest = {file.filename: file for file in current_files(files) if not file.is_temporary and file.execution_id}
    if not newest:
        return []
    order = {name: place for place, name in enumerate(deliverables)}
    names = sorted(newest, key=lambda name: (order.get(name, len(order)), name))
    lines = [Text("Files:", style="bold")]
    for name in names:
        file = newest[name]
        line = Text.assemble((f"  {one_line(name)}", "blue" if name in deliverables else ""))
        line.append(f"  {size_text(file.file_size)}  {one_line(file.mime_type, 60)}", style="bright_black")
        lines.append(line)
    return [*lines, Text(f"Get them with: agent-runtime files get {task.id} --all", style="bright_black")]


def ending(task: TaskRow) -> Text:
    """How it ended, how long it took and what it used."""
    mark = {"completed": "✓", "failed": "✗"}.get(task.status, "–")
    line = Text.assemble((f"{mark} {task.status}", _bold(task.status)))
    if task.started_at and task.completed_at:
        line.append(f" in {duration_text(1_000 * (task.completed_at - task.started_at).total_seconds())}")
    for name, word in (("steps", "step"), ("tool_calls", "tool call")):
        count = task.usage.get(name)
        if isinstance(count, int) and count:
            line.append(f" · {count} {word}{'' if count == 1 else 's'}", style="bright_black")
    if task.error_message:
        line.append(f": {one_line(task.error_message, 1_000)}")
    return line


def _bold(status: str) -> str:
    return f"bold {STATUS_STYLES.get(status, '')}".strip()
