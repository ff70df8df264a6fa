"""A part of the work: what it may use, how it names its files, and what it came to."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from agent_runtime.llm.scripted.conversation import Attachment
from agent_runtime.llm.scripted.wire import ScriptedCall

Work = Generator[ScriptedCall, str, None]
Part = Generator[ScriptedCall, str, "Result"]
Tools = Mapping[str, frozenset[str]]


@dataclass
class Result:
    """What a part of the work came to: sentences for the answer, and the files that belong to it."""

    said: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class Names:
    """Names for the files that the work writes, none of which is a file of the person."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = set(taken)

    def free(self, name: str) -> str:
        path, number, candidate = PurePosixPath(name), 1, name
        while candidate in self._taken:
            number += 1
            candidate = f"{path.stem}-{number}{path.suffix}"
        self._taken.add(candidate)
        return candidate


def advance(tools: Tools) -> Generator[ScriptedCall, str, None]:
    """The phase is done."""
    if "plan_advance" in tools:
        yield ScriptedCall(name="plan_advance")


def suffixed(name: str, file: Attachment, files: Sequence[Attachment]) -> str:
    """`report.md`, or `report-sales.md` where there are several."""
    if len(files) == 1:
        return name
    path = PurePosixPath(name)
    stem = "".join(character if character.isalnum() else "-" for character in PurePosixPath(file.name).stem)
    return f"{path.stem}-{stem[:40].strip('-') or 'file'}{path.suffix}"


def quoted(result: str, length: int = 300) -> str:
    """The end of a tool's result, on one line: the end is where programs say what went wrong."""
    line = " ".join(result.split())
    return line if len(line) <= length else "…" + line[-length:]
