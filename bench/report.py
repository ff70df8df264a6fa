"""What a benchmark found: lines of figures, one per round, with ratios between lines of the same round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from string import ascii_letters
from typing import Any, Literal

from rich.progress import Progress, TaskID
from rich.table import Table

Unit = Literal["tasks/s", "ms", "s", "% of a core", "MB", "kB", "per s", ""]


@dataclass(frozen=True)
class Line:
    """One thing that was measured in several rounds. `against` names the lines that it is compared with."""

    what: str
    unit: Unit
    rounds: Sequence[float]
    against: tuple[str, ...] = ()
    limit: float | None = None
    """The most that it should be."""

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def ratio_to(self, other: Line) -> float:
        """The median of the rounds' own ratios: what else the machine does changes between rounds more than within."""
        return statistics.median(
            mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True) if theirs
        )


@dataclass
class Report:
    """One benchmark's table. `how` says in a sentence or two what the figures are."""

    title: str
    how: str
    lines: list[Line] = field(default_factory=list)

    def ratios(self, line: Line) -> dict[str, float]:
        """By the name of the other line; none to a line of zeros."""
        named = {other.what: other for other in self.lines if any(other.rounds)}
        return {name: line.ratio_to(named[name]) for name in line.against if name in named}


@dataclass(frozen=True)
class Verdict:
    """What a system did with one late write."""

    system: str
    write: str
    order: str
    outcome: str
    """`held`, `refused`, `accepted`, `not given away` or `not applicable`."""
    told: str
    """What the writer was told."""
    says: str
    """What the row says afterwards."""


@dataclass
class Verdicts:
    """One benchmark's table of verdicts instead of figures: a row for each write, a column for each order."""

    title: str
    how: str
    orders: Sequence[str]
    found: list[Verdict]
    notes: list[str]
    """A line for each system: its version, and how it was called."""


@dataclass(frozen=True)
class Compared:
    """The same thing done in two ways, in milliseconds: of each round the median and what 95 of 100 stay below."""

    who: str
    what: str
    rows: int
    asked: Sequence[tuple[float, float]]
    written: Sequence[tuple[float, float]]
    plan: str
    """`index`, or the table that was read whole."""

    def ratio(self, which: int) -> float:
        """Of the medians (0) or of the p95 (1): the median of the rounds' own."""
        return statistics.median(
            mine[which] / theirs[which] for mine, theirs in zip(self.asked, self.written, strict=True)
        )


@dataclass
class Comparison:
    """One benchmark's table of two ways, a row for each thing.

    `limit` is the most that a ratio of medians should be.
    """

    title: str
    how: str
    ways: tuple[str, str]
    limit: float
    found: list[Compared]


Findings = Report | Verdicts | Comparison


class Steps:
    """Tells the progress bar how far a benchmark is."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def expect(self, total: int) -> None:
        """So many steps in all."""
        self._progress.update(self._task, total=total)

    def done(self, steps: int = 1) -> None:
        """So many more are done."""
        self._progress.advance(self._task, steps)


def as_table(name: str, found: Findings) -> Table:
    """For the terminal."""
    if isinstance(found, Comparison):
        return _table_of_ways(name, found)
    return _table_of_figures(name, found) if isinstance(found, Report) else _table_of_verdicts(name, found)


def _table_of_verdicts(name: str, found: Verdicts) -> Table:
    table = Table(title=f"{name}: {found.title}", title_justify="left", show_lines=True)
    for column in ("", "A's write", *found.orders):
        table.add_column(column)
    cells = {(verdict.system, verdict.write, verdict.order): _verdict(verdict) for verdict in found.found}
    shown = ""
    for system, write in dict.fromkeys((verdict.system, verdict.write) for verdict in found.found):
        first, shown = system != shown, system
        table.add_row(
            system if first else "", write, *(cells.get((system, write, order), "") for order in found.orders)
        )
    return table


def _verdict(verdict: Verdict) -> str:
    match verdict.outcome:
        case "held":
            return "works"
        case "refused":
            return "refused"
        case "accepted":
            return f"[red]ACCEPTED[/red]: {verdict.says}"
        case "not given away":
            return "the rescue waits"
        case _:
            return "–"


def _table_of_ways(name: str, found: Comparison) -> Table:
    table = Table(title=f"{name}: {found.title}, ms", title_justify="left")
    for column in ("", ""):
        table.add_column(column)
    mine, theirs = found.ways
    for column in ("rows", f"{mine} p50", "p95", f"{theirs} p50", "p95", "ratio p50", "p95"):
        table.add_column(column, justify="right")
    table.add_column("plan")
    shown = ""
    for one in found.found:
        ratio = f"{one.ratio(0):.2f}"
        table.add_row(
            one.who if one.who != shown else "",
            one.what,
            str(one.rows),
            *(
                _figure(statistics.median(r[which] for r in way))
                for way in (one.asked, one.written)
                for which in (0, 1)
            ),
            ratio if one.ratio(0) <= found.limit else f"[red]{ratio}[/red]",
            f"{one.ratio(1):.2f}",
            one.plan,
        )
        shown = one.who
    return table


def _table_of_figures(name: str, report: Report) -> Table:
    table = Table(title=f"{name}: {report.title}", title_justify="left")
    table.add_column("")
    table.add_column("")
    table.add_column("median", justify="right")
    table.add_column("min … max", justify="right")
    table.add_column("unit", no_wrap=True)
    table.add_column("ratio", no_wrap=True)
    letters = {line.what: letter for line, letter in zip(report.lines, ascii_letters, strict=False)}
    for line in report.lines:
        spread = f"{_figure(min(line.rounds))} … {_figure(max(line.rounds))}"
        compared = _compared(report, line, letters)
        table.add_row(letters[line.what], line.what, _figure(line.median), spread, line.unit, compared)
    return table


def explained(report: Findings) -> str:
    """What stands below the table."""
    if isinstance(report, Comparison):
        over = sum(one.ratio(0) > report.limit for one in report.found)
        return f"{report.how} The mark is {report.limit:g}: {over} of {len(report.found)} are over it."
    if isinstance(report, Verdicts):
        return "\n".join([report.how, *report.notes])
    rounds = max((len(line.rounds) for line in report.lines), default=0)
    return f"{report.how} Rounds: {rounds}; a ratio is the median of the rounds' own."


def as_json(reports: dict[str, Findings]) -> dict[str, Any]:
    """For programs: every round of every line, every verdict."""
    return {name: _figures(found) if isinstance(found, Report) else asdict(found) for name, found in reports.items()}


def _figures(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "how": report.how,
        "lines": [
            {
                "what": line.what,
                "unit": line.unit,
                "median": line.median,
                "rounds": list(line.rounds),
                "ratios": report.ratios(line),
                "limit": line.limit,
            }
            for line in report.lines
        ],
    }


def _compared(report: Report, line: Line, letters: dict[str, str]) -> str:
    parts = [f"{ratio:.2f} × {letters[name]}" for name, ratio in report.ratios(line).items()]
    if line.limit is not None:
        within = "within" if line.median <= line.limit else "[red]over[/red]"
        parts.append(f"{within} {_figure(line.limit)}")
    return ", ".join(parts)


def _figure(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
