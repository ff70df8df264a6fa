"""Replace exact text in a file of the workspace."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.edits import Edit, apply_edits, diff_of


class Replacement(BaseModel):
    model_config = ConfigDict(extra="forbid")

    old: str = Field(min_length=1, description="The text to replace, exactly as in the file, blanks and all.")
    new: str = Field(description="The text to put there; empty to delete.")
    replace_all: bool = Field(default=False, description="Replace every place instead of the only one.")


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The file, relative to the workspace.")
    edits: list[Replacement] = Field(
        min_length=1,
        max_length=100,
        description="What to replace, each as {old, new, replace_all}; each sees what the ones before it made.",
    )


@tool(display_name="Edit a file", category="file", security_level="moderate", retry_class="unsafe")
async def file_edit(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Replace pieces of a text file of the workspace by others, leaving the rest as it is; shows what changed.

    Each `old` must be found exactly once, unless its replace_all is set: include enough of the lines around it. Read
    the file first. If one of the edits does not fit, nothing is changed. UTF-8 text only; line ends are kept.
    """
    path = context.workspace.relative(arguments.path)
    try:
        before = context.workspace.read_bytes(path).decode()
    except UnicodeDecodeError:
        raise ToolRefused(f"{path!r} is not UTF-8 text; use a command to change it") from None
    edits = [Edit(one.old, one.new, one.replace_all) for one in arguments.edits]
    after, places = await asyncio.to_thread(apply_edits, path, before, edits)
    try:
        content = after.encode()
    except UnicodeEncodeError:
        raise ToolRefused("`new` holds characters that UTF-8 cannot write (lone surrogates)") from None
    if after == before:
        raise ToolRefused(f"the edits leave {path!r} as it is: old and new are the same")
    context.workspace.write_bytes(path, content)
    diff = await asyncio.to_thread(diff_of, path, before, after)
    changed = "1 place" if places == 1 else f"{places} places"
    return ToolResult(content=f"{path}: changed {changed}\n{diff}", data={"replaced": places, "diff": diff})
