"""Read a file of the workspace."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.documents.document import read_document


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The file, relative to the workspace.")
    start_line: int = Field(default=1, ge=1, description="The first line to show, counted from 1.")
    max_lines: int = Field(default=400, ge=1, le=5_000, description="Show at most so many lines.")


@tool(display_name="Read a file", category="file", retry_class="pure", output_limit_bytes=65_536)
async def file_read(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Read a text, HTML or PDF file of the workspace; HTML and PDF are given as plain text.

    Use it before editing a file and to look at what a command wrote. Long files come in parts: ask for the next with
    start_line. Files up to 32 MiB; images, archives and other binary files are described, not shown.
    """
    content = context.workspace.read_bytes(arguments.path)
    document = await read_document(arguments.path, content)
    lines = document.text.splitlines()
    first, last = arguments.start_line, min(arguments.start_line + arguments.max_lines - 1, len(lines))
    data = {"kind": document.kind, "encoding": document.encoding, "lines": len(lines), "size_bytes": len(content)}
    # By which an upload is told from what a step wrote: the addresses in it are somebody else's.
    data["sha256"] = hashlib.sha256(content).hexdigest()
    if not lines:
        return ToolResult(content=f"{arguments.path} is empty", data=data)
    if first > len(lines):
        text = f"{arguments.path} has {len(lines)} lines; start_line {first} is after its end"
        return ToolResult(content=text, data=data, failed=True)
    shown = "\n".join(lines[first - 1 : last])
    if first == 1 and last == len(lines):
        return ToolResult(content=shown, data=data)
    more = f"; go on with start_line {last + 1}" if last < len(lines) else ""
    return ToolResult(content=f"{shown}\n[lines {first} to {last} of {len(lines)}{more}]", data=data)
