"""Find lines in files of the workspace."""

from __future__ import annotations

import re
import warnings

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.search import Found, Search, search_files


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pattern: str = Field(
        min_length=1, max_length=1_000, description="A regular expression that a line must match, or text with fixed."
    )
    path: str = Field(default=".", description="The folder or file to search; the whole workspace if left out.")
    globs: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Search only files that fit one of these patterns, such as *.py or src/*.ts; !*.min.js leaves out.",
    )
    ignore_case: bool = Field(default=False, description="Upper and lower case are the same.")
    fixed: bool = Field(default=False, description="The pattern is text as it stands, not an expression.")
    context: int = Field(default=0, ge=0, le=10, description="Show so many lines before and after each.")
    counts: bool = Field(default=False, description="Say how many lines match in which file instead of showing them.")
    limit: int = Field(default=200, ge=1, le=1_000, description="Show at most so many lines (of counts, files).")
    caches: bool = Field(default=False, description="Search node_modules, .git, .venv and other caches too.")

    @field_validator("pattern")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        if "\n" in value or "\0" in value:
            raise ValueError("must not hold a line end or NUL: lines are searched one by one")
        return value


@tool(display_name="Search in files", category="file", retry_class="pure")
async def file_grep(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Find lines in files of the workspace by a regular expression, with the file and line of each.

    Use it to locate something before reading it. Binary files, files over 32 MiB and caches such as node_modules are
    passed over; documents such as PDF are not searched, read those. Lines are cut at 300 characters.
    """
    if not arguments.fixed:
        _check(arguments.pattern)
    search = Search(
        pattern=arguments.pattern,
        folder=arguments.path,
        globs=arguments.globs,
        ignore_case=arguments.ignore_case,
        fixed=arguments.fixed,
        context=arguments.context,
        with_caches=arguments.caches,
        counts=arguments.counts,
        limit=arguments.limit,
    )
    found = await search_files(context.workspace, search, context.sandbox)
    lines = _counts(found) if arguments.counts else _lines(found, arguments.context)
    if found.limited:
        lines.append(f"[limit of {arguments.limit} reached; narrow the pattern, the path or the globs]")
    files = len({line["path"] for line in found.lines})
    data = {"matches": found.matches, "files": files, "limited": found.limited}
    sources = [f"file {path}" for path in sorted({line["path"] for line in found.lines})[:20]]
    return ToolResult(content="\n".join(lines) or "nothing found", data=data, sources=sources)


def _check(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ToolRefused(
                f"pattern must be a regular expression ({error}); to look for text as it stands, set fixed"
            ) from None


def _counts(found: Found) -> list[str]:
    return [f"{line['path']}: {line['count']}" for line in found.lines]


def _lines(found: Found, context: int) -> list[str]:
    shown: list[str] = []
    before: tuple[str, int] | None = None
    for line in found.lines:
        if context and before is not None and before != (line["path"], line["line"] - 1):
            shown.append("--")
        mark = ":" if line["matched"] else "-"
        shown.append(f"{line['path']}{mark}{line['line']}{mark} {line['text']}")
        before = (line["path"], line["line"])
    return shown
