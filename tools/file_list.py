"""List a folder of the workspace."""

from __future__ import annotations

import stat
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolResult, tool

_ENTRIES_LIMIT = 500


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(
        default=".", description="The folder, relative to the workspace; the workspace itself if left out."
    )
    depth: int = Field(default=2, ge=1, le=10, description="How many levels of folders to show.")


@tool(display_name="List files", category="file", retry_class="pure")
async def file_list(arguments: Arguments, context: ToolContext) -> ToolResult:
    """List the files and folders of the workspace with their sizes.

    Use it first, to see what there is. Shows at most 500 entries; links are left out.
    """
    found = list(islice(context.workspace.entries(arguments.path, arguments.depth), _ENTRIES_LIMIT + 1))
    lines = [
        f"{path}/" if stat.S_ISDIR(status.st_mode) else f"{path}  {status.st_size} bytes"
        for path, status in found[:_ENTRIES_LIMIT]
    ]
    if len(found) > _ENTRIES_LIMIT:
        lines.append(f"[limit of {_ENTRIES_LIMIT} entries reached; list a folder below, or use file_find]")
    return ToolResult(content="\n".join(lines) or "(empty)", data={"entries": min(len(found), _ENTRIES_LIMIT)})
