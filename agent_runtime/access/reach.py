"""Whose rows somebody reached, in the matrix's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

from agent_runtime.access.matrix import DENIED

YES = "yes"

NOT_WRITABLE = frozenset({"55000", "42809"})
"""There is nothing to write to, in a view."""

# What a denial may look like.
_REFUSED = frozenset({"42501", "AR002"}) | NOT_WRITABLE
# The API does not expose it, or does not take the token.
_NOT_EXPOSED = frozenset({"PGRST106", "PGRST202", "PGRST205", "PGRST301", "PGRST302", "PGRST303", "401", "403", "404"})


@dataclass(frozen=True)
class Row:
    """A row that tries are aimed at, by its key as text, with whose it is. No tenant: the platform's."""

    key: str
    user: str | None
    tenant: str | None
    shared: bool


@dataclass(frozen=True)
class Me:
    """The caller, where the caller is a person."""

    user: str | None = None
    tenant: str | None = None
    home: str | None = None


@dataclass(frozen=True)
class Outcome:
    """Of one cell: which of the rows were tried, which were reached, and what the others answered, as SQLSTATEs."""

    tried: tuple[Row, ...]
    reached: frozenset[str]
    answers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, reached: bool, answer: str | None = None) -> Outcome:
        """Of what is about no row."""
        yes = Row(YES, None, None, False)
        return cls((yes,), frozenset({YES} if reached else set()), frozenset({answer} if answer else set()))


def is_refusal(code: str) -> bool:
    """Whether the SQLSTATE (or what the API says instead) tells nothing but no."""
    return code in _REFUSED or code in _NOT_EXPOSED


_WORDS: dict[str, Callable[[Row, Me], bool]] = {
    "own": lambda row, me: me.user is not None and row.user == me.user and row.tenant in (me.tenant, me.home),
    "shared": lambda row, me: row.tenant is not None and row.tenant == me.tenant and row.shared,
    "tenant": lambda row, me: row.tenant is not None and row.tenant == me.tenant,
    "platform": lambda row, _: row.tenant is None and row.shared,
    "tenants": lambda row, _: row.tenant is not None,
    "all": lambda _, __: True,
    YES: lambda row, _: row.key == YES,
    DENIED: lambda _, __: False,
}


def expected(word: str, rows: Iterable[Row], me: Me) -> frozenset[str]:
    """The keys of the rows that a cell's word means for this caller."""
    words = set(word.split(" + "))
    if words & {"shared", "tenant"}:
        words.add("own")
    return frozenset(row.key for row in rows if any(_WORDS[one](row, me) for one in words))


def word(outcome: Outcome, declared: str, me: Me) -> str:
    """The cell's word for what was reached: the declared one if it fits, else another, else how many rows of how many.

    An answer that is neither success nor a plain no is named with it: it may say that there is something.
    """
    strange = sorted(code for code in outcome.answers if not is_refusal(code))
    candidates = [declared, DENIED, YES, "own", "shared", "tenant", "platform", "tenants", "all"]
    candidates += [" + ".join(pair) for pair in combinations(("own", "shared", "tenant", "platform"), 2)]
    for candidate in candidates:
        if expected(candidate, outcome.tried, me) == outcome.reached:
            return ", ".join([candidate, *strange])
    return ", ".join([f"{len(outcome.reached)} of {len(outcome.tried)} rows", *strange])
