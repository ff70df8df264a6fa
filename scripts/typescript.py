"""Writing TypeScript as oxfmt would (width 120, no semicolons, single quotes): generated files pass its check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 120


def quoted(text: str) -> str:
    """A string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def documented(text: str | None, indent: int = 0) -> list[str]:
    """A doc comment; no lines where there is nothing to say."""
    if not text:
        return []
    spaces = " " * indent
    lines = [line.strip().replace("*/", "* /") for line in text.strip().splitlines()]
    if len(lines) == 1:
        return [f"{spaces}/** {lines[0]} */"]
    return [f"{spaces}/**", *(f"{spaces} * {line}".rstrip() for line in lines), f"{spaces} */"]


def alternatives(before: str, members: Sequence[str], indent: int = 0) -> list[str]:
    """`before` and a union: on one line where it fits, on the next where it fits there, else a line for each member."""
    spaces, union = " " * indent, " | ".join(members)
    if len(f"{spaces}{before} {union}") <= WIDTH:
        return [f"{spaces}{before} {union}"]
    if len(f"{spaces}  {union}") <= WIDTH:
        return [f"{spaces}{before}", f"{spaces}  {union}"]
    return [f"{spaces}{before}", *(f"{spaces}  | {member}" for member in members)]


def block(before: str, fields: Iterable[list[str]], indent: int = 0) -> list[str]:
    """`before { … }`, the fields' lines being indented already; `before {}` without any."""
    spaces = " " * indent
    inner = [line for field in fields for line in field]
    return [f"{spaces}{before} {{", *inner, f"{spaces}}}"] if inner else [f"{spaces}{before} {{}}"]
