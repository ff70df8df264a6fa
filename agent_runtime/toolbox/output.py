"""What a tool gave, made fit for the record and for the model: text that shows all that it says, and not too long."""

from __future__ import annotations

import re
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.definition import ToolContext

OUTPUT_FOLDER = ".outputs"
OUTPUT_LIMIT_LINES = 2_000
BINARY = "[binary, {size} characters that are no text: nothing of it is shown; write it to a file and look at that]"

# Escape sequences of terminals (ECMA-48: CSI, OSC and the like, two-character ones), then what is left of C0 and C1
# besides tab and newline. Postgres cannot store a NUL, and a person's terminal must not obey a web page.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# What nobody sees and a model reads: tags and variation selectors that spell sentences, marks without a width. And
# what turns the direction of writing, by which a person reads another text than the model. Joiners and direction marks
# stay, which scripts and emoji need, and one variation selector after a character.
_INVISIBLE = re.compile(
    "[\u180e\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]+"
)
_SAMPLE_CHARACTERS = 4_096
_ILLEGIBLE_SHARE = 0.2


def clean(text: str) -> str:
    """`text` without terminal escapes, control characters, lone surrogates and what is invisible; carriage returns
    become newlines."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _INVISIBLE.sub("", _CONTROLS.sub("", text.replace("\r", "\n")))


def legible(text: str) -> str:
    """`text`, or one line that says that it is none: bytes of a picture or a program, read as if they were."""
    sample = text[:_SAMPLE_CHARACTERS]
    strange = sample.count("\ufffd") + len(_CONTROLS.findall(_ESCAPES.sub("", sample.replace("\r", "\n"))))
    return BINARY.format(size=len(text)) if strange > max(8, len(sample) * _ILLEGIBLE_SHARE) else text


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
    size, limit, lines = len(text.encode()), context.output_limit_bytes, text.count("\n") + 1
    if size <= limit and lines <= OUTPUT_LIMIT_LINES:
        return text
    path = f"{OUTPUT_FOLDER}/{context.execution_id}.txt"
    try:
        context.workspace.write_bytes(path, text.encode())
        rest = f"the whole text is in {path}; read the part you need with file_read"
    except ToolRefused as refusal:
        rest = f"the rest could not be kept: {refusal}"
    reached = (
        f"output_limit_bytes reached: {size} of {limit} bytes"
        if size > limit
        else f"output_limit_lines reached: {lines} of {OUTPUT_LIMIT_LINES} lines"
    )
    notice = f"\n\n[limit {reached}; {rest}]\n\n"
    room = max(limit - len(notice.encode()), 0)
    head, tail = _ends(text)
    return _cut(head, room * 2 // 3, from_end=False) + notice + _cut(tail, room // 3, from_end=True)


def _ends(text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    if len(lines) <= OUTPUT_LIMIT_LINES:
        return text, text
    head = OUTPUT_LIMIT_LINES * 2 // 3
    return "".join(lines[:head]), "".join(lines[head - OUTPUT_LIMIT_LINES :])


def _cut(text: str, size_bytes: int, *, from_end: bool) -> str:
    encoded = text.encode()
    kept = encoded[max(len(encoded) - size_bytes, 0) :] if from_end else encoded[:size_bytes]
    return kept.decode(errors="ignore")
