"""Write a file of the workspace."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The file, relative to the workspace; folders are made as needed.")
    content: str = Field(description="The whole text to write.")
    append: bool = Field(default=False, description="Add to the end of the file instead of replacing it.")


# Appending twice is not appending once, and the class is the tool's, not the call's.
@tool(display_name="Write a file", category="file", security_level="moderate", retry_class="unsafe")
async def file_write(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Write a text file in the workspace, replacing what was there, or add to its end with append.

    Use it for new files and complete rewrites; to change a part of a file use file_edit. Up to 32 MiB, UTF-8.
    """
    try:
        content = arguments.content.encode()
    except UnicodeEncodeError:
        raise ToolRefused("the content holds characters that UTF-8 cannot write (lone surrogates)") from None
    if arguments.append and context.workspace.is_file(arguments.path):
        content = context.workspace.read_bytes(arguments.path) + content
    context.workspace.write_bytes(arguments.path, content)
    data = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return ToolResult(content=f"{arguments.path} now has {len(content)} bytes", data=data)
