"""A task's files between its workspace and Storage: what is on record comes in before the run, what a step changed goes
out with it.

Bytes are stored first and recorded after, at a path that holds their sha256: a crash in between leaves bytes that
nobody refers to, and a worker that stalled and wakes late can put nothing there but what is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from agent_runtime.errors import BytesDiffer, FilesLost, InvalidInput, PathTaken, StorageUnavailable, ToolRefused
from agent_runtime.file_restore import AT_ONCE, restore_workspace
from agent_runtime.file_versions import TEMPORARY_FOLDER, Version, mime_type, patiently, sha256_of
from agent_runtime.ignored import Ignored
from agent_runtime.records import FileRow, Task
from agent_runtime.storage import Storage, content_path
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.snapshot import ENTRIES_LIMIT, Entry, Snapshot
from agent_runtime.toolbox.workspace import Workspace
from agent_runtime.vault.redact import Redactor
from agent_runtime.vault.scrub import Scrubber

log = structlog.get_logger()

FILE_LIMIT_BYTES = 104_857_600
WORKSPACE_LIMIT_BYTES = 1_073_741_824
CHANGES_AT_ONCE = 200
"""At most so many paths are recorded with one step; the others follow with the next, or at the end."""
NAME_LIMIT_CHARACTERS = 255
LINK_LIMIT_CHARACTERS = 4096
LAST_PATIENCE_FACTOR = 8
"""When a run ends, only this worker has what is not stored yet, so it waits longer."""
_ASK_FIRST_BYTES = 1 << 20
"""From this size on it is cheaper to ask whether Storage has the bytes than to send them for nothing."""
_TICK_NS = 20_000_000
"""A file that was written so shortly before it was looked at could be written again with the same times."""
_NAMES_SHOWN = 10

ATTEMPT_SECONDS = 10.0
SLOWEST_BYTES_PER_SECOND = 1024 * 1024
"""An upload gets so long at least, and as long as its bytes need at this rate."""


class TaskFiles:
    """The files of one run.

    `config` is the platform's (`file_upload_max_size`, `workspace_max_size`), `configuration` the agent's
    (`workspace.ignore`); a step waits `patience_seconds` for Storage. No file is stored with what `secrets` knows.
    """

    def __init__(
        self,
        workspace: Workspace,
        storage: Storage,
        task: Task,
        config: Mapping[str, Any],
        *,
        configuration: Mapping[str, Any] | None = None,
        patience_seconds: float = 60.0,
        secrets: Scrubber | None = None,
    ) -> None:
        self._workspace = workspace
        self._redactor = Redactor(workspace, Scrubber() if secrets is None else secrets)
        self._storage = storage
        self._task = task
        self._file_limit_bytes = int(config.get("file_upload_max_size") or FILE_LIMIT_BYTES)
        self._workspace_limit_bytes = int(config.get("workspace_max_size") or WORKSPACE_LIMIT_BYTES)
        self._ignored = Ignored.of(configuration or {})
        self._patience_seconds = patience_seconds
        self._deadline = 0.0
        self._versions: dict[str, Version] = {}
        """What is on record, or will be with `unrecorded`."""
        self._seen: dict[str, Entry] = {}
        """The files as they were when `_versions` was made of them."""
        self._sizes: dict[str, int] = {}
        self._has_stored: set[str] = set()
        """sha256 of bytes that are on record as stored for good."""
        self._told: dict[str, str] = {}
        """What the model has been told of a path, so that it is told once."""
        self._lost: list[str] = []
        self._owed: set[str] = set()
        """Paths whose bytes Storage has not taken."""
        self._has_more = False
        self._unrecorded: dict[str, Version] = {}

    @property
    def unrecorded(self) -> list[dict[str, Any]]:
        """Rows of what changed and no result has recorded yet, for `worker_finish_execution`."""
        return [version.row(path) for path, version in self._unrecorded.items()]

    def recorded(self) -> None:
        """What was in `unrecorded` is on record now."""
        self._unrecorded = {}

    async def restore(self, rows: Sequence[FileRow]) -> None:
        """Make the workspace what is on record. Raises `StorageUnavailable`, `BytesDiffer`, `NotFound`."""
        recorded = {row.filename: Version.of(row) for row in rows}
        self._seen, self._lost = await restore_workspace(
            self._workspace, self._storage, recorded, self._ignored, self._begin(LAST_PATIENCE_FACTOR)
        )
        for path, version in recorded.items():
            self._know(path, version)
        own = [row for row in rows if row.task_id == self._task.id]
        self._has_stored = {
            row.file_hash
            for row in own
            # At the path where a run looks for it: an upload's and a parent's bytes are elsewhere.
            if row.file_hash and row.is_stored and row.file_path == self._content_path(row.file_hash)
        }

    async def store_changes(self, retry_class: str = "unsafe") -> list[str]:
        """Store what changed since the last call, into `unrecorded`. Returns what the model should know, in lines.

        A `pure` call changed nothing. Storage that is away does not stop a step: what it made is recorded as not
        stored, and stored later. Never raises for what is in the workspace.
        """
        if retry_class == "pure" and not (self._has_more or self._lost or self._owed):
            return []
        return await self._store_changes(1.0)

    async def store_rest(self) -> bool:
        """Store all that is left, a part at a time; whether `unrecorded` has something to record before the next.

        Raises `StorageUnavailable` when Storage stays away, and `FilesLost` for files that are on record and not to be
        had, which the model does not know.
        """
        lost = [path for path in self._lost if not self._versions[path].is_temporary]
        await self._store_changes(LAST_PATIENCE_FACTOR)
        if lost := [path for path in lost if self._versions[path].kind == "removed"]:
            raise FilesLost(
                f"the worker that wrote {_listed(lost)} could not store it, and this is another: run the task again"
            )
        if not self._unrecorded and self._owed:
            raise StorageUnavailable("Storage stayed away; this worker has files that are not stored")
        return bool(self._unrecorded)

    # -- what changed ----------------------------------------------------------------------------------------------

    async def _store_changes(self, patience_factor: float) -> list[str]:
        redacted = await asyncio.to_thread(self._redactor.redact)
        self._begin(patience_factor)
        scanned_at_ns = time.time_ns()
        snapshot = await asyncio.to_thread(self._workspace.snapshot, self._ignored)
        notes = redacted + self._left_out(snapshot)
        notes += [f"{path} is gone: the worker that wrote it could not store it." for path in self._lost]
        self._lost = []

        changes = self._changes_without_bytes(snapshot)
        files = self._changed_files(snapshot, notes)
        room = max(0, CHANGES_AT_ONCE - len(changes))
        self._has_more = len(files) > room or len(changes) > CHANGES_AT_ONCE
        if self._has_more:
            more = len(changes) + len(files) - CHANGES_AT_ONCE
            notes.append(f"Over {CHANGES_AT_ONCE} files changed at once; {more} of them are kept with the next step.")
        for path, version in changes[:CHANGES_AT_ONCE]:
            self._set(path, version)
        for path, reason in await self._keep_files(files[:room], scanned_at_ns):
            self._tell(path, f"{path} is not kept: {reason}", notes)
        await self._store_what_is_owed()
        if owed := [path for path, version in self._unrecorded.items() if not version.is_stored]:
            notes.append(
                f"Storage does not answer: for now only this worker has {_listed(owed)}. That is stored later; there is"
                " nothing to do again."
            )
        return notes

    def _changes_without_bytes(self, snapshot: Snapshot) -> list[tuple[str, Version]]:
        unknown = tuple(f"{path}/" for path in snapshot.left_out)
        changes = []
        # Of what was not looked at nobody can say that it is gone.
        missing = self._versions.keys() - snapshot.files.keys() if snapshot.is_whole else ()
        for path in missing:
            is_there = path in snapshot.links or path in snapshot.folders or path in snapshot.left_out
            if self._versions[path].kind != "removed" and not is_there and not path.startswith(unknown):
                changes.append((path, Version("removed")))
        for path in snapshot.folders:
            known = self._versions.get(path)
            if path in snapshot.empty_folders and (known is None or known.kind != "folder"):
                changes.append((path, Version("folder")))
            elif known is not None and known.kind in ("file", "link"):
                changes.append((path, Version("removed")))  # what is in it says that it is a folder
        for path, target in snapshot.links.items():
            known = self._versions.get(path)
            if known is None or known.kind != "link" or known.link_target != target:
                changes.append((path, Version("link", link_target=target)))
        return [change for change in sorted(changes, key=lambda change: change[0]) if not _name_refusal(change[0])]

    def _changed_files(self, snapshot: Snapshot, notes: list[str]) -> list[Entry]:
        """Those to be kept, the smallest first, so that a huge one is what does not fit."""
        seen = self._seen
        changed = [entry for path, entry in snapshot.files.items() if seen.get(path) != entry]
        if not changed:
            return []
        changed.sort(key=lambda entry: (entry.size_bytes, entry.path))
        gone = sum(size for path, size in self._sizes.items() if path not in snapshot.files)
        total = sum(self._sizes.values()) - gone
        kept = []
        for entry in changed:
            after = total - self._sizes.get(entry.path, 0) + entry.size_bytes
            if refusal := self._refusal(entry, after):
                self._tell(entry.path, f"{entry.path} is not kept: {refusal}", notes)
                continue
            self._told.pop(entry.path, None)
            total = after
            kept.append(entry)
        return kept

    def _refusal(self, entry: Entry, total_bytes: int) -> str | None:
        if entry.size_bytes > self._file_limit_bytes:
            return f"limit file_upload_max_size reached: {entry.size_bytes} of {self._file_limit_bytes} bytes"
        if total_bytes > self._workspace_limit_bytes:
            return (
                f"limit workspace_max_size reached: with it the workspace has {total_bytes} of "
                f"{self._workspace_limit_bytes} bytes. Remove what is no longer needed"
            )
        return _name_refusal(entry.path)

    def _left_out(self, snapshot: Snapshot) -> list[str]:
        notes: list[str] = []
        for path, reason in sorted(snapshot.left_out.items()):
            self._tell(path, f"{path} is not kept: {reason}", notes)
        for path in (*snapshot.folders, *snapshot.links):
            if too_long := _name_refusal(path):
                self._tell(path, f"{path[:NAME_LIMIT_CHARACTERS]}… is not kept: {too_long}", notes)
        if not snapshot.is_whole:
            self._tell(".", f"The workspace has over {ENTRIES_LIMIT} entries; not all are kept. Remove some", notes)
        return notes

    def _tell(self, path: str, note: str, notes: list[str]) -> None:
        if self._told.get(path) != note:
            self._told[path] = note
            log.info("not kept", file=path, reason=note)
            if len(notes) < _NAMES_SHOWN:
                notes.append(note)
            elif len(notes) == _NAMES_SHOWN:
                notes.append("More files are not kept, for the same kind of reason.")

    # -- keeping files ---------------------------------------------------------------------------------------------

    async def _keep_files(self, entries: Iterable[Entry], scanned_at_ns: int) -> list[tuple[str, str]]:
        """Returns the paths of those that cannot be kept, and why."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def keep(entry: Entry) -> tuple[str, str] | None:
            async with limit:
                try:
                    await self._keep(entry)
                except (ToolRefused, OSError, BytesDiffer, InvalidInput) as refusal:
                    # It cannot be read, changed meanwhile, or is larger than Storage takes.
                    return entry.path, str(refusal)
            if scanned_at_ns - entry.ctime_ns > _TICK_NS:
                self._seen[entry.path] = entry
            return None

        refused = await asyncio.gather(*(keep(entry) for entry in entries))
        return [one for one in refused if one]

    async def _keep(self, entry: Entry) -> None:
        with self._workspace.open(entry.path) as file:
            sha256 = await asyncio.to_thread(sha256_of, file)
            size_bytes = file.tell()
            known = self._versions.get(entry.path)
            if known and known.kind == "file" and known.sha256 == sha256:
                if known.is_executable != entry.is_executable:
                    changed = Version(**{**vars(known), "is_executable": entry.is_executable})
                    self._set(entry.path, changed)
                return
            is_temporary = entry.path.startswith(f"{TEMPORARY_FOLDER}/")
            path = content_path(self._task.tenant_id, self._task.id, sha256, temporary=is_temporary)
            version = Version(
                "file",
                path,
                size_bytes,
                sha256,
                entry.is_executable,
                is_stored=await self._is_stored(entry.path, file, path, sha256, size_bytes),
                is_temporary=is_temporary,
            )
        self._set(entry.path, version)

    def _content_path(self, sha256: str) -> str:
        return content_path(self._task.tenant_id, self._task.id, sha256)

    async def _is_stored(self, filename: str, file: BinaryIO, path: str, sha256: str, size_bytes: int) -> bool:
        """Whether Storage has the bytes now. Raises `BytesDiffer`, `InvalidInput`."""
        if sha256 in self._has_stored:
            return True
        if not self._deadline:
            # One that waited for Storage is enough: a server that hangs would be waited for with each file.
            return False

        # A server that takes the request and never answers must not hold the step for longer than one that is away.
        seconds = max(self._deadline - time.monotonic(), ATTEMPT_SECONDS) + size_bytes / SLOWEST_BYTES_PER_SECOND

        async def upload() -> None:
            try:
                async with asyncio.timeout(seconds):
                    await once()
            except TimeoutError:
                raise StorageUnavailable(f"Storage did not take {filename} within {seconds:.0f} s") from None

        async def once() -> None:
            if size_bytes >= _ASK_FIRST_BYTES and await self._storage.size_of(path) == size_bytes:
                return
            file.seek(0)
            try:
                await self._storage.upload(path, file, mime_type(filename), sha256=sha256)
            except PathTaken:
                return  # by these bytes: nothing else is ever stored there

        try:
            await patiently(upload, self._deadline)
        except StorageUnavailable as error:
            self._deadline = 0.0
            log.warning("a file is stored later", file=filename, error=str(error))
            return False
        if not filename.startswith(f"{TEMPORARY_FOLDER}/"):
            self._has_stored.add(sha256)
        return True

    async def _store_what_is_owed(self) -> None:
        """Bytes of earlier steps that Storage did not take then, if the file is still the same."""
        for path in sorted(self._owed - self._unrecorded.keys()):
            version = self._versions[path]
            if not version.sha256:
                continue
            try:
                with self._workspace.open(path) as file:
                    stored = await self._is_stored(path, file, version.file_path, version.sha256, version.size_bytes)
            except (ToolRefused, OSError, BytesDiffer, InvalidInput) as error:
                log.warning("a file cannot be stored any more", file=path, error=str(error))
                continue
            if not stored:
                return
            self._set(path, Version(**{**vars(version), "is_stored": True}))

    def _begin(self, patience_factor: float) -> float:
        self._deadline = time.monotonic() + self._patience_seconds * patience_factor
        return self._deadline

    def _set(self, path: str, version: Version) -> None:
        self._know(path, version)
        self._unrecorded[path] = version

    def _know(self, path: str, version: Version) -> None:
        self._versions[path] = version
        self._owed.discard(path)
        if not version.is_stored:
            self._owed.add(path)
        self._sizes.pop(path, None)
        if version.kind == "file":
            self._sizes[path] = version.size_bytes
        else:
            self._seen.pop(path, None)


def _name_refusal(path: str) -> str | None:
    if len(path) > NAME_LIMIT_CHARACTERS:
        return f"its path is longer than {NAME_LIMIT_CHARACTERS} characters"
    return None


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _NAMES_SHOWN
    return ", ".join(paths[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
