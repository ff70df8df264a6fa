"""Replace exact text in a file of the workspace."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool

_SHOWN_PLACES = 5


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The file, relative to the workspace.")
    old: str = Field(min_length=1, description="The text to replace, exactly as in the file, blanks and all.")
    new: str = Field(description="The text to put there; empty to delete.")
    replace_all: bool = Field(default=False, description="Replace every place instead of the only one.")


@tool(display_name="Edit a file", category="file", security_level="moderate", retry_class="unsafe")
async def file_edit(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Replace a piece of a text file of the workspace by another, leaving the rest as it is.

    `old` must be found exactly once, unless replace_all is set: include enough of the lines around it. Read the file
    first. UTF-8 text only; line ends are kept.
    """
    try:
        text = context.workspace.read_bytes(arguments.path).decode()
    except UnicodeDecodeError:
        raise ToolRefused(f"{arguments.path!r} is not UTF-8 text; use a command to change it") from None
    old, new = _with_line_ends_of(text, arguments.old), _with_line_ends_of(text, arguments.new)
    count = text.count(old)
    if count == 0:
        raise ToolRefused(f"`old` is not in {arguments.path!r}{_hint(text, old)}")
    if count > 1 and not arguments.replace_all:
        raise ToolRefused(
            f"`old` is in {arguments.path!r} {count} times, at {_places(text, old)}; include more of the text around "
            "the one you mean, or set replace_all"
        )
    context.workspace.write_bytes(arguments.path, text.replace(old, new).encode())
    places = "1 place" if count == 1 else f"{count} places"
    return ToolResult(content=f"{arguments.path}: changed {places}", data={"replaced": count})


def _with_line_ends_of(text: str, piece: str) -> str:
    # Models write \n; in a file with \r\n their text would never be found.
    return piece.replace("\n", "\r\n") if "\r\n" in text and "\r\n" not in piece else piece


def _hint(text: str, old: str) -> str:
    first = next((line.strip() for line in old.splitlines() if line.strip()), "")
    for number, line in enumerate(text.splitlines(), start=1):
        if first and first in line:
            return f": its first line resembles line {number}, {line.strip()[:100]!r}; blanks or later lines differ"
    return "; read the file again and copy the text exactly"


def _places(text: str, old: str) -> str:
    lines: list[str] = []
    start = 0
    while (start := text.find(old, start)) >= 0 and len(lines) < _SHOWN_PLACES:
        lines.append(f"line {text.count(chr(10), 0, start) + 1}")
        start += len(old)
    return ", ".join(lines)
