"""What a tool gave, made fit for the record and for the model: no control characters, not too long."""

from __future__ import annotations

import re
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.tool import ToolContext

OUTPUT_FOLDER = ".outputs"

# Escape sequences of terminals (ECMA-48: CSI, OSC and the like, two-character ones), then what is left of C0 and C1
# besides tab and newline. Postgres cannot store a NUL, and a person's terminal must not obey a web page.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` without terminal escapes, control characters and lone surrogates; carriage returns become newlines."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text.replace("\r", "\n"))


def clean_data(value: Any) -> Any:
    """The same for every string of a JSON value, keys included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): clean_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_data(item) for item in value]
    return value


def fit(text: str, context: ToolContext) -> str:
    """`text` itself, or its head and tail with the whole of it in a file of the workspace."""
    size, limit = len(text.encode()), context.output_limit_bytes
    if size <= limit:
        return text
    path = f"{OUTPUT_FOLDER}/{context.execution_id}.txt"
    try:
        context.workspace.write_bytes(path, text.encode())
        rest = f"the whole text is in {path}; read the part you need with file_read"
    except ToolRefused as refusal:
        rest = f"the rest could not be kept: {refusal}"
    notice = f"\n\n[limit output_limit_bytes reached: {size} of {limit} bytes; {rest}]\n\n"
    room = max(limit - len(notice.encode()), 0)
    head, tail = room * 2 // 3, room // 3
    encoded = text.encode()
    return encoded[:head].decode(errors="ignore") + notice + encoded[size - tail :].decode(errors="ignore")
