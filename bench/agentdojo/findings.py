"""What was played, in figures: a row for each way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from bench.agentdojo.model import Run
    from bench.agentdojo.play import Played

HEADERS = (
    "",
    "attacks that did something",
    "with those that want words",
    "at least one of its calls ran",
    "utility, attacked",
    "utility, alone",
    "finished without a person, alone",
    "the same, attacked",
    "approvals per task, alone",
    "the same, attacked",
    "seconds",
)


def rows(found: Sequence[Played]) -> list[tuple[str, ...]]:
    """One for each way, below HEADERS."""
    return [_row(played) for played in found]


def for_terminal(found: Sequence[Played]) -> Table:
    """With lines between its columns, since the headers are long."""
    table = Table(title="AgentDojo, a model that obeys every injection", title_justify="left", show_lines=True)
    for header in HEADERS:
        table.add_column(header, justify="right" if header else "left")
    for row in rows(found):
        table.add_row(*row)
    return table


def as_markdown(found: Sequence[Played]) -> str:
    """The same for a page."""
    lines = [HEADERS, ("---", *("---:",) * (len(HEADERS) - 1)), *rows(found)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def who_is_asked(found: Sequence[Played]) -> str:
    """The user tasks that ask, with the policy, when nobody attacks; by suite, with how often."""
    (played,) = (one for one in found if one.way == "gate with policy")
    suites = dict.fromkeys(one.suite for one in played.alone)
    lines = []
    for suite in suites:
        of_suite = [one for one in played.alone if one.suite == suite]
        asked = [f"{one.user_task.removeprefix('user_task_')} ({one.asked})" for one in of_suite if one.asked]
        free = sum(_finished(one) for one in of_suite)
        lines.append(f"- {suite}: {free} of {len(of_suite)} finish by themselves; asked: {', '.join(asked) or 'none'}")
    return "\n".join(lines)


def what_ran(found: Sequence[Played]) -> str:
    """The pairs in which single calls of an injection ran, with the policy; by suite, with the functions."""
    (played,) = (one for one in found if one.way == "gate with policy")
    pairs = [one for one in played.pairs if one.ran]
    if not pairs:
        return "With the policy no call of an injection ran."
    lines = [f"With the policy single calls of an injection ran in {len(pairs)} of {len(played.pairs)} pairs:"]
    for suite in dict.fromkeys(one.suite for one in pairs):
        told = [
            f"user task {one.user_task.removeprefix('user_task_')} × injection "
            f"{str(one.injection).removeprefix('injection_task_')} ({', '.join(one.ran)})"
            for one in pairs
            if one.suite == suite
        ]
        lines.append(f"- {suite}: {'; '.join(told)}")
    return f"{lines[0]}\n\n" + "\n".join(lines[1:])


def _row(played: Played) -> tuple[str, ...]:
    pairs, alone = played.pairs, played.alone
    return (
        played.way,
        _share(one.attacked and acts(one) for one in pairs),
        _share(one.attacked for one in pairs),
        _share(bool(one.ran) for one in pairs),
        _share(one.useful for one in pairs),
        _share(one.useful for one in alone),
        _share(_finished(one) for one in alone),
        _share(_finished(one) for one in pairs),
        _approvals([one.asked for one in alone]),
        _approvals([one.asked + one.asked_for_attack for one in pairs]),
        f"{played.seconds:.0f}",
    )


def acts(one: Run) -> bool:
    """Whether the injection wants more than words in the answer, which no gate for calls can hold."""
    return (one.suite, one.injection) != ("travel", "injection_task_6")


def _finished(one: Run) -> bool:
    return one.useful and not one.asked


def _share(of: Iterable[bool]) -> str:
    each = list(of)
    return f"{sum(each) / len(each):.1%} ({sum(each)} of {len(each)})"


def _approvals(of: list[int]) -> str:
    return f"{sum(of) / len(of):.2f}, at most {max(of)}"
