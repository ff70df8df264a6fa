"""What a step costs for its workspace: looking for changes, storing them, and bringing all of it to another machine."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from agent_runtime.file_versions import sha256_of
from agent_runtime.files import TaskFiles
from agent_runtime.local.stack import Stack
from agent_runtime.records import FileRow, Task
from agent_runtime.storage import Storage
from agent_runtime.toolbox.workspace import Workspace
from bench.postgres import open_folder
from bench.report import Line, Report, Steps

HOW = (
    "A workspace whose files are on record, on a disk, with the embedded Storage. Looking: after a call that changed "
    "nothing. One change: a file of 100 bytes is written, found, hashed and uploaded. Begin again: a run that finds "
    "its workspace as it left it compares every hash."
)
LIMITS = {"file_upload_max_size": 4 << 30, "workspace_max_size": 8 << 30}
FILE_BYTES = 2_000
TRAVELLING = 100


@dataclass(frozen=True)
class Shape:
    """A workspace: how many files of how many bytes."""

    name: str
    files: int
    size_bytes: int


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    rounds = 1 if quick else 5
    big = 1 << 20 if quick else 1 << 30
    counts = (10, 100) if quick else (10, 1_000, 10_000)
    shapes = [Shape(f"{count:,} files", count, FILE_BYTES) for count in counts]
    shapes.append(Shape("one file of 1 MB" if quick else "one file of 1 GB", 1, big))
    travelling = 10 if quick else TRAVELLING
    steps.expect(len(shapes) + rounds)
    lines: list[Line] = []
    out, back = [], []
    async with (
        open_folder() as folder,
        Stack(folder / "stack", look_for_ollama=False, durable=not quick) as stack,
        Storage(stack.supabase_url, stack.secret_key) as storage,
    ):
        for shape in shapes:
            lines += await _standing(folder / uuid4().hex, shape, storage, rounds)
            steps.done()
        for _ in range(rounds):
            sent, brought = await _travelling(folder, travelling, storage)
            out.append(sent)
            back.append(brought)
            steps.done()
    lines.append(Line(f"{travelling} new files of {FILE_BYTES:,} bytes: stored", "ms", out))
    lines.append(Line(f"{travelling} files of {FILE_BYTES:,} bytes: brought to an empty folder", "ms", back))
    return Report("the workspace's part of a step", HOW, lines)


async def _standing(root: Path, shape: Shape, storage: Storage, rounds: int) -> list[Line]:
    workspace = Workspace.create(root)
    rows = await asyncio.to_thread(_fill, workspace, shape)
    files = _files(workspace, storage)
    begun = [await _milliseconds(lambda: files.restore(rows))]
    # The scan after a restore looks at files that are older than the clock's tick.
    await files.store_changes()
    looked, pure, changed = [], [], []
    for number in range(rounds):
        looked.append(await _milliseconds(files.store_changes))
        pure.append(await _milliseconds(lambda: files.store_changes("pure")))
        workspace.write_bytes("small.txt", f"{number:>100}".encode())
        changed.append(await _milliseconds(files.store_changes))
        files.recorded()
        await asyncio.sleep(0.05)
        await files.store_changes()
    return [
        Line(f"{shape.name}: looking", "ms", looked),
        Line(f"{shape.name}: after a pure call", "ms", pure),
        Line(f"{shape.name}: one change", "ms", changed),
        Line(f"{shape.name}: begin again", "ms", begun),
    ]


async def _travelling(folder: Path, count: int, storage: Storage) -> tuple[float, float]:
    task = _task()
    here = Workspace.create(folder / uuid4().hex)
    files = _files(here, storage, task)
    await asyncio.to_thread(_fill, here, Shape("", count, FILE_BYTES))
    sent = await _milliseconds(files.store_changes)
    rows = [FileRow(id=uuid4(), task_id=task.id, **row) for row in files.unrecorded]
    there = _files(Workspace.create(folder / uuid4().hex), storage, task)
    return sent, await _milliseconds(lambda: there.restore(rows))


def _files(workspace: Workspace, storage: Storage, task: Task | None = None) -> TaskFiles:
    return TaskFiles(workspace, storage, task or _task(), LIMITS)


def _task() -> Task:
    ids = {name: uuid4() for name in ("id", "conversation_id", "tenant_id", "user_id", "agent_id")}
    return Task(**ids, title="travel", status="running", priority=1)


def _fill(workspace: Workspace, shape: Shape) -> list[FileRow]:
    rows = []
    for number in range(shape.files):
        name = f"folder-{number % 50}/file-{number}.txt"
        if shape.size_bytes <= FILE_BYTES:
            content = os.urandom(shape.size_bytes // 2).hex().encode()
            workspace.write_bytes(name, content)
            sha256 = hashlib.sha256(content).hexdigest()
        else:
            workspace.write_bytes(name, b"")
            os.truncate(workspace.root / name, shape.size_bytes)
            with workspace.open(name) as file:
                sha256 = sha256_of(file)
        rows.append(
            FileRow(
                id=uuid4(),
                task_id=uuid4(),
                filename=name,
                file_path=name,
                file_size=shape.size_bytes,
                mime_type="text/plain",
                file_hash=sha256,
            )
        )
    return rows


async def _milliseconds(call: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await call()
    return 1_000 * (time.perf_counter() - started)
