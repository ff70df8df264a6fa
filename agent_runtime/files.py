"""A task's files between its workspace and Storage: inputs come in before the run, what a step wrote goes out with it.

Bytes are stored first and recorded after, under a path that belongs to one version alone: a crash in between leaves
bytes that nobody refers to, never a row without bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from agent_runtime.errors import ToolRefused
from agent_runtime.records import FileRow, Task
from agent_runtime.storage import Storage, storage_path
from agent_runtime.toolbox.workspace import Entry, Workspace

log = structlog.get_logger()

IGNORED_FOLDERS = frozenset({"__pycache__", ".git", "node_modules", ".venv", ".cache", ".ipynb_checkpoints"})
TEMPORARY_FOLDER = "tmp"
"""What lies in it is kept for a day."""
FILES_AT_ONCE = 200
"""At most so many changed files are stored with one step."""
NAME_LIMIT_CHARACTERS = 255


class TaskFiles:
    """The files of one run. `limit_bytes` is the configuration's file_upload_max_size."""

    def __init__(self, workspace: Workspace, storage: Storage, task: Task, limit_bytes: int) -> None:
        self._workspace = workspace
        self._storage = storage
        self._task = task
        self._limit_bytes = limit_bytes
        self._seen: dict[str, Entry] = {}
        self._digests: dict[str, str | None] = {}
        self._versions: dict[str, int] = {}
        self.unrecorded: list[dict[str, Any]] = []
        """Rows of files whose bytes are stored and which no result has recorded yet: `filename`, `file_path`,
        `file_size`, `mime_type`, `file_hash`, `is_temporary`, `version`."""

    async def restore(self, rows: Sequence[FileRow]) -> None:
        """Bring the conversation's files into the workspace, but for those that are there."""
        for row in rows:
            if row.task_id == self._task.id:
                self._versions[row.filename] = row.version
            self._digests[row.filename] = row.file_hash
            if not await asyncio.to_thread(self._workspace.is_file, row.filename):
                await self._fetch(row)
        for entry in await asyncio.to_thread(self._workspace.scan):
            # A file that a crashed step left unrecorded is not in the rows; the next step stores it.
            if entry.path in self._digests:
                self._seen[entry.path] = entry

    async def store_changes(self) -> list[str]:
        """Store what changed since the last call, into `unrecorded`. Returns a line for each file that is not kept.

        Raises `StorageUnavailable`; what was not stored by then is tried again by the next call.
        """
        notes: list[str] = []
        for entry in await asyncio.to_thread(self._workspace.scan):
            if self._seen.get(entry.path) == entry or _is_ignored(entry.path):
                continue
            if len(self.unrecorded) >= FILES_AT_ONCE:
                notes.append(f"Over {FILES_AT_ONCE} files changed at once; the others are kept with the next step.")
                break
            if refusal := self._refusal(entry):
                notes.append(f"{entry.path} is not kept: {refusal}")
            else:
                await self._store(entry)
            self._seen[entry.path] = entry
        return notes

    def recorded(self) -> None:
        """What was in `unrecorded` is on record now."""
        self.unrecorded = []

    async def _fetch(self, row: FileRow) -> None:
        part = self._workspace.root.with_name(f".{self._workspace.root.name}.incoming")
        try:
            await self._storage.download(row.file_path, part, sha256=row.file_hash)
            await asyncio.to_thread(self._workspace.adopt, part, row.filename)
        finally:
            part.unlink(missing_ok=True)

    async def _store(self, entry: Entry) -> None:
        try:
            with self._workspace.open(entry.path) as file:
                digest = await asyncio.to_thread(_sha256, file)
                if self._digests.get(entry.path) == digest:
                    return
                version = self._versions.get(entry.path, 0) + 1
                path = storage_path(self._task.tenant_id, self._task.id, entry.path, version)
                file.seek(0)
                # Replacing: a run that died between storing and recording stores the same version again.
                stored = await self._storage.upload(path, file, _mime_type(entry.path), replace=True)
        except ToolRefused as gone:
            log.info("file went away while it was being stored", file=entry.path, reason=str(gone))
            return
        self._digests[entry.path], self._versions[entry.path] = stored.sha256, version
        self.unrecorded.append(
            {
                "filename": entry.path,
                "file_path": path,
                "file_size": stored.size_bytes,
                "mime_type": _mime_type(entry.path),
                "file_hash": stored.sha256,
                "is_temporary": entry.path.startswith(f"{TEMPORARY_FOLDER}/"),
                "version": version,
            }
        )

    def _refusal(self, entry: Entry) -> str | None:
        if entry.size_bytes > self._limit_bytes:
            return f"{entry.size_bytes} bytes are over file_upload_max_size ({self._limit_bytes})"
        if len(entry.path) > NAME_LIMIT_CHARACTERS:
            return f"its path is longer than {NAME_LIMIT_CHARACTERS} characters"
        return None


def workspace_of(root: Path, task: Task) -> Path:
    """The folder of a task's workspace."""
    return root / str(task.id)


def _is_ignored(path: str) -> bool:
    return not IGNORED_FOLDERS.isdisjoint(path.split("/")[:-1])


def _mime_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
