"""Find files of the workspace by name and by content."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.search import search_files

_LIMIT = 200


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pattern: str = Field(
        default="*", max_length=256, description="Names to look for, with * and ?: `*.csv`, `data/*.json`."
    )
    contains: str | None = Field(
        default=None, max_length=1_000, description="A regular expression that a line of the file must match."
    )

    @field_validator("contains")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"must be a regular expression ({error})") from None
        return value


@tool(display_name="Find files", category="file", retry_class="pure")
async def file_find(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Find files of the workspace by name and, with `contains`, the lines in them that match a regular expression.

    Use it to locate something before reading it. A pattern without a slash looks at the file's name in every folder.
    Shows at most 200 files or lines; binary files and files over 4 MiB are not searched.
    """
    paths = [entry.path for entry in context.workspace.scan() if _fits(entry.path, arguments.pattern)]
    if arguments.contains is None:
        lines = paths
    else:
        matches = await search_files(context.workspace, paths, arguments.contains, _LIMIT + 1)
        lines = [f"{match['path']}:{match['line']}: {match['text']}" for match in matches]
    data = {"found": min(len(lines), _LIMIT), "limited": len(lines) > _LIMIT}
    if len(lines) > _LIMIT:
        lines[_LIMIT:] = [f"[limit of {_LIMIT} reached; narrow the pattern]"]
    return ToolResult(content="\n".join(lines) or "nothing found", data=data)


def _fits(path: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("./").removeprefix("**/")
    return fnmatchcase(path if "/" in pattern else PurePosixPath(path).name, pattern)
