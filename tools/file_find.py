"""Find files of the workspace by name."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.search import CACHES
from agent_runtime.toolbox.search_lines import fits

_LIMIT = 200


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pattern: str = Field(
        default="*", max_length=256, description="Names to look for, with *, ? and {a,b}: `*.csv`, `data/*.json`."
    )
    caches: bool = Field(default=False, description="Look into node_modules, .git, .venv and other caches too.")


@tool(display_name="Find files", category="file", retry_class="pure")
async def file_find(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Find files of the workspace by name, with their sizes.

    Use it to locate a file; file_grep finds what is in files. A pattern without a slash looks at the file's name in
    every folder. Shows at most 200 files.
    """
    caches = frozenset(() if arguments.caches else CACHES)
    snapshot = context.workspace.snapshot(lambda path, is_folder: is_folder and path.rpartition("/")[2] in caches)
    found = sorted(path for path in snapshot.files if fits(path, [arguments.pattern]))
    lines = [f"{path}  {snapshot.files[path].size_bytes} bytes" for path in found[:_LIMIT]]
    limited = len(found) > _LIMIT or not snapshot.is_whole
    if len(found) > _LIMIT:
        lines.append(f"[limit of {_LIMIT} reached, {len(found) - _LIMIT} more; narrow the pattern]")
    if not snapshot.is_whole:
        lines.append("[the workspace has more entries than are looked at; list a folder instead]")
    return ToolResult(content="\n".join(lines) or "nothing found", data={"found": len(found), "limited": limited})
