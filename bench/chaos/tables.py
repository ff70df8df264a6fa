"""What was found, as tables for the terminal and for the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from bench.chaos import invariants as rule
from bench.chaos.effects import CLASSES
from bench.chaos.invariants import Task
from bench.chaos.kill import Kill, Killed, KillReport
from bench.chaos.storm import StormReport

OFFENDING_SHOWN = 40


@dataclass(frozen=True)
class Grid:
    """A table, wherever it is shown."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def grids(killed: KillReport | None, stormed: StormReport | None) -> Iterator[Grid]:
    """All tables."""
    if killed:
        yield _points(killed)
    if stormed:
        yield _weather(stormed)
    yield _rules(killed, stormed)


def for_terminal(killed: KillReport | None, stormed: StormReport | None) -> list[Table]:
    """With colours."""
    return [_drawn(grid) for grid in grids(killed, stormed)]


def as_markdown(grid: Grid) -> str:
    """For the page."""
    lines = [f"**{grid.title}**", "", _line(grid.head), _line(["---"] + ["---:"] * (len(grid.head) - 1))]
    return "\n".join([*lines, *map(_line, grid.rows)])


def offending(killed: KillReport | None, stormed: StormReport | None) -> list[str]:
    """A line for each thing that does not hold, up to a number."""
    lines = [
        f"{violation.rule}: task {violation.task}: {violation.seen}"
        for report in (killed, stormed)
        if report
        for violation in report.violations
    ]
    lines += [f"not reached: {line}" for line in (killed.not_reached if killed else ())]
    lines += [*stormed.gave_up] if stormed else []
    more = len(lines) - OFFENDING_SHOWN
    return [*lines[:OFFENDING_SHOWN], *([f"… and {more} more"] if more > 0 else [])]


def _points(report: KillReport) -> Grid:
    """A row for each place, a column for each class: how many kills, and what became of calls that were cut short."""
    # In the order of the class that passes most of them: a pure call has no file to store.
    by_length = sorted(CLASSES, key=lambda name: -sum(one.kill.retry_class == name for one in report.kills))
    places = dict.fromkeys(
        _place(one.kill) for name in by_length for one in report.kills if one.kill.retry_class == name
    )
    rows = []
    for place in places:
        here = [one for one in report.kills if _place(one.kill) == place]
        by_class = [[one for one in here if one.kill.retry_class == retry_class] for retry_class in CLASSES]
        rows.append([place, *map(_fate, by_class), *_harm(here, report)])
    total = len(report.kills)
    head = ["killed", *(f"`{name}`" for name in CLASSES), "repeated", "lost", "not ended"]
    return Grid(f"{total} workers killed, {len(report.violations)} violations", head, rows)


def _place(kill: Kill) -> str:
    place = {"effect": "the tool's effect", "upload": "storing a file"}.get(kill.point.place, f"`{kill.point.place}`")
    return f"{kill.point.moment} {place}"


def _fate(kills: Sequence[Killed]) -> str:
    if not kills:
        return "–"
    tasks = [one.task for one in kills if one.task]
    again = sum(task.cut_and_repeated for task in tasks)
    doubtful = [task.times(call) for task in tasks for call in task.in_doubt]
    told = [f"{again} again"] if again else []
    told += [f"{len(doubtful)} in doubt"] if doubtful else []
    return f"{len(kills)}: {', '.join(told)}" if told else str(len(kills))


def _harm(kills: Sequence[Killed], report: KillReport) -> list[str]:
    held = {one.task.id for one in kills if one.task}
    rules = Counter(violation.rule for violation in report.violations if violation.task in held)
    return [
        str(rules[rule.FINISHED_AGAIN] + rules[rule.UNSAFE_TWICE]),
        str(rules[rule.LOST] + rules[rule.FILE_LOST]),
        str(rules[rule.NOT_ENDED] + rules[rule.OPEN]),
    ]


def _weather(report: StormReport) -> Grid:
    calls = [call for task in report.tasks for call in task.own_calls]
    rows = [[what, str(times)] for what, times in sorted(report.done.items())]
    rows += [
        ["tasks", str(len(report.tasks))],
        ["tasks completed", str(sum(task.row["status"] == "completed" for task in report.tasks))],
        ["rescues from dead or frozen workers", str(sum(task.row["attempts"] for task in report.tasks))],
        ["tool calls", str(len(calls))],
        ["calls run again, as their class allows", str(_sum(report.tasks, lambda task: task.cut_and_repeated))],
        ["`unsafe` calls in doubt", str(_sum(report.tasks, lambda task: len(task.in_doubt)))],
        ["of them with their effect", str(_sum(report.tasks, _happened_in_doubt))],
        ["calls that the model was told were not run", str(_sum(report.tasks, lambda task: len(task.not_run)))],
        [
            "files that only a dead worker had, as the model or the person was told",
            str(_sum(report.tasks, _files_told)),
        ],
        ["seconds from calm to the last task's end", f"{report.calm_seconds:.0f}"],
    ]
    return Grid(f"Storm: {report.size}, seed {report.seed}", ["", "times"], rows)


def _rules(killed: KillReport | None, stormed: StormReport | None) -> Grid:
    columns = [(name, report) for name, report in (("kill everywhere", killed), ("storm", stormed)) if report]
    counted = [Counter(violation.rule for violation in report.violations) for _, report in columns]
    rows = [[name, *(str(counts[name]) for counts in counted)] for name in rule.RULES]
    return Grid("What must never be, and how often it was", ["", *(name for name, _ in columns)], rows)


def _sum(tasks: Sequence[Task], count: Callable[[Task], int]) -> int:
    return sum(map(count, tasks))


def _happened_in_doubt(task: Task) -> int:
    return sum(task.times(call) > 0 for call in task.in_doubt)


def _files_told(task: Task) -> int:
    return sum(map(task.was_told_of, task.files_lost))


def _drawn(grid: Grid) -> Table:
    table = Table(title=grid.title, title_justify="left")
    for number, name in enumerate(grid.head):
        table.add_column(name.replace("`", ""), justify="right" if number else "left", overflow="fold", min_width=5)
    for row in grid.rows:
        table.add_row(*(cell.replace("`", "") for cell in row))
    return table


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
