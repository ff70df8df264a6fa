"""The world outside the database: a file to which each effect of a tool appends a line, and keys that are applied once.

The folder is named by the environment variable CHAOS_FOLDER, the same for all workers: it is the one thing that they
share beside the database and Storage.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from agent_runtime.toolbox import ToolContext, ToolResult
from agent_runtime.toolbox.definition import RetryClass

FOLDER = "CHAOS_FOLDER"
TOOL_SECONDS = "CHAOS_TOOL_SECONDS"
"""How long a call takes, half of it before its effect."""

CLASSES: tuple[RetryClass, ...] = ("pure", "idempotent", "keyed", "unsafe")


@dataclass(frozen=True)
class Effect:
    """One line: a call had its effect, or in the case of `pure` was made at all."""

    task: str
    execution: str
    number: int
    """Which of the task's calls it is, counted by the model."""
    pid: int
    began: float
    """When the tool was called, in seconds since 1970, before it did anything."""


async def act(number: int, context: ToolContext, retry_class: RetryClass) -> ToolResult:
    """The body of all our tools: wait, have the effect, wait, and leave a file in the workspace."""
    began = time.time()
    pause = float(os.environ.get(TOOL_SECONDS, "0")) / 2
    await asyncio.sleep(pause)
    apply(
        Effect(str(context.task_id), str(context.execution_id), number, os.getpid(), began),
        key=context.execution_id if retry_class == "keyed" else None,
    )
    await asyncio.sleep(pause)
    if retry_class != "pure":
        context.workspace.write_bytes(filename(number), f"call {number}\n".encode())
    return ToolResult(content=f"call {number} is done")


def apply(effect: Effect, key: UUID | None = None) -> None:
    """The effect itself. With a key it is applied once, however often it is asked for."""
    folder = Path(os.environ[FOLDER])
    # One short write to the end: lines of several processes never mix, and one that is killed leaves all or nothing.
    _append(folder / "effects", json.dumps(asdict(effect)))
    if key is not None:
        descriptor = os.open(folder / "keys" / str(key), os.O_WRONLY | os.O_CREAT, 0o600)
        os.close(descriptor)


def note(name: str, text: str) -> None:
    """Leave a line for the harness."""
    _append(Path(os.environ[FOLDER]) / name, text)


def filename(number: int) -> str:
    """The file that a call leaves, for each class but `pure`."""
    return f"call-{number}.txt"


def read_effects(folder: Path) -> list[Effect]:
    """All of them, in the order in which they happened."""
    return [Effect(**json.loads(line)) for line in read_lines(folder / "effects")]


def read_keys(folder: Path) -> set[str]:
    """The keys that were applied."""
    return {path.name for path in (folder / "keys").iterdir()}


def read_lines(file: Path) -> list[str]:
    """Nothing where nothing was written yet."""
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _append(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
