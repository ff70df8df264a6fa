"""`docs/access.md`, made from `sql/access.yaml`: `python -m agent_runtime.access.page` writes it."""

from __future__ import annotations

from pathlib import Path

from agent_runtime.access.matrix import DENIED, Caller, Matrix, Section, Thing, Verb, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"

_VERBS: dict[Verb, str] = {
    "select": "read", "insert": "add", "update": "change", "delete": "remove", "truncate": "truncate",
    "execute": "call", "sign": "sign a URL",
}  # fmt: skip
_SECTIONS: dict[Section, tuple[str, str]] = {
    "tables": ("Tables", ""),
    "views": ("Views", "Each with the caller's own rights."),
    "functions": ("Functions", "Of those that name a task, an execution or a conversation, the cell says whose."),
    "storage": ("Files in Storage", ""),
    "buckets": ("Buckets", "Which there are, and making, changing and removing them."),
    "sequences": ("Sequences", ""),
    "private_functions": (
        "What policies call as the caller",
        "Of the schema `private`, which the REST API does not expose. Each tells people about themselves alone.",
    ),
    "private": ("Tables of the schema `private`", "Nobody's but the owner's."),
}
_HEAD = """\
# Who reaches what

<!-- Made from sql/access.yaml by `make access`; a test fails when it is stale. -->

Whoever holds a token, a key or a worker's password gets this and no more: row-level security, grants and triggers
decide, and `agent-runtime db access` tries every cell, by SQL and by the REST API, with two tenants of made-up people.
A table, view, function or bucket without a line here fails the tests.

A cell says whose rows a caller reaches. An empty one is a denial: SQLSTATE 42501, or no rows, and never a hint of what
there is; another's row reads as no row.

| word | whose |
| --- | --- |
| own | the caller's own |
| shared | the caller's own, and what is shared with the caller's tenant |
| tenant | everything of the caller's tenant |
| tenants | everything of every tenant, and nothing of the platform's |
| platform | what belongs to no tenant and is open to all |
| tenants | everything of every tenant, and nothing of the platform |
| all | everything, the platform's too |
| yes | allowed; there is no row that it could be about |

Nobody truncates anything. The words are about the caller: an outsider's `tenant` is another one.

## Callers
"""
_TAIL = """\
## Realtime

No table is published and no topic has a policy, so nothing is heard. A table that is published, or a policy on
`realtime.messages`, without its word in `sql/access.yaml` is a difference.
"""


def page(matrix: Matrix) -> str:
    """The whole page."""
    columns = [caller for caller in matrix.callers.values() if not caller.like or _differs(matrix, caller)]
    lines = [_HEAD, "| caller | who |", "| --- | --- |"]
    for caller in matrix.callers.values():
        like = f" Declared as {caller.like}." if caller.like and caller not in columns else ""
        lines.append(f"| {caller.name} | {caller.is_}{like} |")
    for section, (title, about) in _SECTIONS.items():
        lines += ["", f"## {title}", ""]
        if about:
            lines += [about, ""]
        if section == "private":
            lines += [", ".join(f"`{thing.name}`" for thing in matrix.of(section)), ""]
            continue
        lines += _table(list(matrix.of(section)), columns)
    return "\n".join([*lines, "", _TAIL])


def _table(things: list[Thing], columns: list[Caller]) -> list[str]:
    used = [
        caller
        for caller in columns
        if any(thing.declared(v, caller) != DENIED for thing in things for v in thing.verbs)
    ]
    lines = [f"| | {' | '.join(caller.name for caller in used)} |", f"| --- |{' --- |' * len(used)}"]
    for thing in things:
        lines.append(f"| `{thing.name}` | {' | '.join(_cell(thing, caller) for caller in used)} |")
    notes = [f"- `{thing.name}`: {thing.note}" for thing in things if thing.note]
    return [*lines, "", *notes]


def _cell(thing: Thing, caller: Caller) -> str:
    words = [(verb, thing.declared(verb, caller)) for verb in thing.verbs]
    if thing.verbs == ("execute",):
        return words[0][1] if words[0][1] != DENIED else ""
    return "<br>".join(f"{_VERBS[verb]} {word}" for verb, word in words if word != DENIED)


def _differs(matrix: Matrix, caller: Caller) -> bool:
    like = matrix.callers[caller.like or ""]
    return any(
        thing.declared(verb, caller) != thing.declared(verb, like) for thing in matrix.things for verb in thing.verbs
    )


if __name__ == "__main__":
    PAGE.write_text(page(load()), encoding="utf-8")
