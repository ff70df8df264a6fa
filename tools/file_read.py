"""Read a file of the workspace."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolResult, tool
from agent_runtime.toolbox.archives.unpack import list_archive
from agent_runtime.toolbox.documents.document import is_archive, is_document, is_picture, parse_document, read_document
from agent_runtime.toolbox.text_part import TextPart, part_of

_NOTICE_BYTES = 300
_SHOWN_ENTRIES = 500


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The file, relative to the workspace.")
    start_line: int = Field(default=1, ge=1, description="The first line to show, counted from 1.")
    max_lines: int = Field(default=400, ge=1, le=5_000, description="Show at most so many lines.")
    part: str | None = Field(
        default=None,
        max_length=200,
        description="Of a document: pages of a PDF or slides of a presentation (3, 3-7 or 3-), or the name of a sheet.",
    )
    start_character: int = Field(
        default=1, ge=1, description="Where to begin in the first line, of one too long to be shown at once."
    )


@tool(display_name="Read a file", category="file", retry_class="pure", output_limit_bytes=65_536)
async def file_read(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Read a file of the workspace: text, a document as text, a picture, or the list of what is in an archive.

    Documents are PDF, Word (.docx), Excel (.xlsx, .xls, .ods), PowerPoint (.pptx), HTML and mails (.eml, .msg). Use it
    before editing a file and to look at what a command wrote. Long files come in parts; the last line says how to go
    on. Files up to 32 MiB; larger ones and other binary files need a command.
    """
    path = context.workspace.relative(arguments.path)
    content = await asyncio.to_thread(context.workspace.read_bytes, path)
    sources = [f"file {path}"]
    if is_picture(content):
        data: dict[str, Any] = {"kind": "picture", "size_bytes": len(content)}
        return ToolResult(content=f"{path} is a picture", data=data, images=[path], sources=sources)
    document = await parse_document(path, content, arguments.part) if is_document(path, content) else None
    if document is None and is_archive(content):
        return await _listing(path, content, context, sources)
    if document is None:
        document = await read_document(path, content, arguments.part)
    data = {"kind": document.kind, "encoding": document.encoding, "size_bytes": len(content)}
    # By which an upload is told from what a step wrote: the addresses in it are somebody else's.
    data["sha256"] = hashlib.sha256(content).hexdigest()
    part = await asyncio.to_thread(
        part_of,
        document.text,
        document.encoding if document.kind == "text" else None,
        arguments.start_line,
        arguments.start_character,
        arguments.max_lines,
        context.output_limit_bytes - _NOTICE_BYTES,
    )
    data["lines"] = part.lines
    if not part.lines:
        return ToolResult(content=f"{path} is empty", data=data)
    if part.first > part.lines:
        text = f"{path} has {part.lines} lines; start_line {part.first} is after its end"
        return ToolResult(content=text, data=data, failed=True)
    notice = _notice(part, "bytes" if document.kind == "text" else "characters")
    return ToolResult(content=f"{part.text}{notice}", data=data, sources=sources)


def _notice(part: TextPart, unit: str) -> str:
    if part.is_whole:
        return ""
    lines = f"\n[lines {part.first} to {part.last} of {part.lines}"
    if not part.left:
        return f"{lines}, to the end]"
    if part.next_character:
        how = f"start_line {part.last} and start_character {part.next_character}"
    else:
        how = f"start_line {part.last + 1}"
    return f"{lines}; {part.left} {unit} left; go on with {how}]"


async def _listing(path: str, content: bytes, context: ToolContext, sources: list[str]) -> ToolResult:
    found = await list_archive(context.workspace, path)
    entries: list[dict[str, Any]] = found["entries"]
    lines = [f"{path} is an archive of {len(entries)} entries; archive_unpack takes them out"]
    lines += [_entry(entry) for entry in entries[:_SHOWN_ENTRIES]]
    if len(entries) > _SHOWN_ENTRIES:
        lines.append(f"[and {len(entries) - _SHOWN_ENTRIES} more]")
    if found["problem"]:
        lines.append(f"[{found['problem']}]")
    data = {"kind": "archive", "size_bytes": len(content), "entries": len(entries)}
    return ToolResult(content="\n".join(lines), data=data, sources=sources)


def _entry(entry: dict[str, Any]) -> str:
    size = "" if entry["folder"] or entry["size_bytes"] is None else f"  {entry['size_bytes']} bytes"
    return f"{entry['name']}{size}" + (f"  [not unpacked: {entry['refusal']}]" if entry["refusal"] else "")
