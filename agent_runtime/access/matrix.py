"""Reading `sql/access.yaml`: who reaches what, and how each of it is tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from agent_runtime import resources
from agent_runtime.errors import ConfigError

Section = Literal["tables", "views", "private", "sequences", "functions", "private_functions", "storage", "buckets"]
Verb = Literal["select", "insert", "update", "delete", "truncate", "execute", "sign"]

VERBS: dict[Section, tuple[Verb, ...]] = {
    "tables": ("select", "insert", "update", "delete", "truncate"),
    "views": ("select", "insert", "update", "delete"),
    "private": ("select", "insert", "update", "delete", "truncate"),
    "sequences": ("select", "update"),
    "functions": ("execute",),
    "private_functions": ("execute",),
    "storage": ("select", "insert", "update", "delete", "truncate", "sign"),
    "buckets": ("select", "insert", "update", "delete", "truncate"),
}
"""What can be done with what is in each section. Of a sequence: `select` reads where it is, `update` moves it."""

DENIED = "denied"
WORDS = frozenset({DENIED, "own", "shared", "tenant", "platform", "tenants", "all", "yes"})

REACHED = frozenset({"AR001", "AR003", "AR004", "AR005", "AR006"})
"""SQLSTATEs of ours for who got as far as the row: a lease that is over, a wrong state, bad input."""


@dataclass(frozen=True)
class Caller:
    """One who tries. `role` is the database's; a person's is `authenticated`."""

    name: str
    is_: str
    role: str = "authenticated"
    tenant: str | None = None
    """here, elsewhere, or none for an account that was deleted; None for who is no person."""
    as_role: str | None = None
    active: bool = True
    operator: bool = False
    like: str | None = None
    acts_for: str | None = None

    @property
    def is_person(self) -> bool:
        return self.tenant in ("here", "elsewhere")


@dataclass(frozen=True)
class Trial:
    """How a thing is tried; see the end of `sql/access.yaml`."""

    make: dict[str, Any] | None = None
    platform: tuple[dict[str, Any], ...] = ()
    whose: str = "select r.user_id, r.tenant_id, false"
    find: str = "r.tenant_id = any (%(tenants)s)"
    key: str = "id"
    of: str | None = None
    """The relation that the rows are found in, where the owner sees none in the thing itself."""
    insert: dict[str, Any] = field(default_factory=dict)
    update: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    fresh: str | None = None
    last: bool = False
    reached: frozenset[str] = REACHED


@dataclass(frozen=True)
class Thing:
    """A table, view, function, … with its cells: verb, then caller, then word."""

    section: Section
    name: str
    note: str
    cells: dict[Verb, dict[str, str]]
    trial: Trial

    @property
    def schema(self) -> str:
        return {"private": "private", "private_functions": "private", "storage": "storage", "buckets": "storage"}.get(
            self.section, "public"
        )

    @property
    def relation(self) -> str:
        """The name for SQL, which is no user's input but the file's."""
        name = {"storage": "objects", "buckets": "buckets"}.get(self.section, self.name)
        return f'{self.schema}."{name}"'

    @property
    def verbs(self) -> tuple[Verb, ...]:
        return VERBS[self.section]

    def declared(self, verb: Verb, caller: Caller) -> str:
        """The word of one cell."""
        return self.cells.get(verb, {}).get(caller.name, DENIED)


@dataclass(frozen=True)
class Matrix:
    """The whole file."""

    callers: dict[str, Caller]
    things: tuple[Thing, ...]
    trials: tuple[str, ...]
    """Names in the order in which rows are made."""
    realtime: dict[str, Any]

    @property
    def made(self) -> tuple[Thing, ...]:
        """The tables, in that order."""
        tables = {thing.name: thing for thing in self.of("tables")}
        return tuple(tables[name] for name in self.trials if name in tables)

    def of(self, *sections: Section) -> Iterator[Thing]:
        """The things of these sections, in the file's order."""
        return (thing for thing in self.things if thing.section in sections)

    def thing(self, section: Section, name: str) -> Thing:
        """Raises `KeyError`."""
        for thing in self.of(section):
            if thing.name == name:
                return thing
        raise KeyError(name)


def path() -> Path:
    """Where the file is."""
    return resources.sql() / "access.yaml"


def load(file: Path | None = None) -> Matrix:
    """Raises `ConfigError` naming what the file gets wrong."""
    content = yaml.safe_load((file or path()).read_text(encoding="utf-8"))
    callers = {name: _caller(name, given) for name, given in content["callers"].items()}
    groups: dict[str, list[str]] = content.get("groups", {})
    trials = dict(content.get("trials") or {})
    order = tuple(trials)
    things = []
    for section in VERBS:
        for name, given in (content.get(section) or {}).items():
            cells = {verb: _cells(f"{name}.{verb}", given.get(verb), callers, groups) for verb in VERBS[section]}
            unknown = set(given) - set(VERBS[section]) - {"note"}
            if unknown:
                raise ConfigError(f"access.yaml: {name} has no verb {', '.join(sorted(unknown))}")
            things.append(Thing(section, name, given.get("note", ""), cells, _trial(name, trials.pop(name, {}))))
    if trials:
        raise ConfigError(f"access.yaml: trials of what is not in the matrix: {', '.join(sorted(trials))}")
    return Matrix(callers, tuple(things), order, content.get("realtime") or {})


def _caller(name: str, given: dict[str, Any]) -> Caller:
    return Caller(
        name=name,
        is_=given["is"],
        role=given.get("role", "authenticated"),
        tenant=given.get("tenant"),
        as_role=given.get("as"),
        active=given.get("active", True),
        operator=given.get("operator", False),
        like=given.get("like"),
        acts_for=given.get("acts_for"),
    )


def _cells(
    where: str, given: dict[str, str] | None, callers: dict[str, Caller], groups: dict[str, list[str]]
) -> dict[str, str]:
    named: dict[str, str] = {}
    # A caller's own name goes before that of a group it is in.
    for name, word in sorted((given or {}).items(), key=lambda item: item[0] not in groups):
        if name not in groups and name not in callers:
            raise ConfigError(f"access.yaml: {where} names {name}, who is no caller")
        if not isinstance(word, str) or not set(word.split(" + ")) <= WORDS:
            raise ConfigError(f"access.yaml: {where} says {word!r} of {name}: it is one of {', '.join(sorted(WORDS))}")
        named |= dict.fromkeys(groups.get(name, [name]), word)
    like = {caller.name: named[caller.like] for caller in callers.values() if caller.like in named}
    return like | named


def _trial(name: str, given: dict[str, Any]) -> Trial:
    known = {
        "make",
        "platform",
        "platform_hidden",
        "whose",
        "find",
        "key",
        "of",
        "insert",
        "update",
        "arguments",
        "fresh",
        "last",
    }
    if unknown := set(given) - known - {"reached"}:
        raise ConfigError(f"access.yaml: the trial of {name} has no {', '.join(sorted(unknown))}")
    default = Trial()
    return Trial(
        make=given.get("make"),
        platform=tuple(given[part] for part in ("platform", "platform_hidden") if part in given),
        whose=given.get("whose", default.whose),
        find=given.get("find", default.find),
        key=given.get("key", default.key),
        of=given.get("of"),
        insert=given.get("insert", {}),
        update=given.get("update", {}),
        arguments=given.get("arguments", {}),
        fresh=given.get("fresh"),
        last=given.get("last", False),
        reached=REACHED | frozenset(given.get("reached", [])),
    )
