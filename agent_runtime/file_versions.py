"""What is at a path of a workspace, as it is recorded: a file, an empty folder, a link, or nothing any more."""

from __future__ import annotations

import hashlib
import mimetypes
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from agent_runtime.errors import StorageUnavailable
from agent_runtime.records import FileRow

TEMPORARY_FOLDER = "tmp"
"""What lies in it is kept for a day."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Version:
    """One version of one path. `sha256` is None for what has no bytes and for what a person recorded without it."""

    kind: Literal["file", "folder", "link", "removed"]
    file_path: str = ""
    size_bytes: int = 0
    sha256: str | None = None
    is_executable: bool = False
    link_target: str | None = None
    is_stored: bool = True
    is_temporary: bool = False

    @classmethod
    def of(cls, row: FileRow) -> Version:
        return cls(
            kind=row.kind,
            file_path=row.file_path,
            size_bytes=row.file_size,
            sha256=row.file_hash,
            is_executable=row.is_executable,
            link_target=row.link_target,
            is_stored=row.is_stored,
            is_temporary=row.is_temporary,
        )

    def row(self, filename: str) -> dict[str, Any]:
        """For `worker_finish_execution` and `worker_add_files`."""
        return {
            "filename": filename,
            "kind": self.kind,
            "file_path": self.file_path,
            "file_size": self.size_bytes,
            "mime_type": mime_type(filename) if self.kind == "file" else "",
            "file_hash": self.sha256,
            "is_executable": self.is_executable,
            "link_target": self.link_target,
            "is_stored": self.is_stored,
            "is_temporary": self.is_temporary,
        }


def mime_type(filename: str) -> str:
    """By the name's ending alone."""
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"


def sha256_of(file: BinaryIO) -> str:
    """Of what is left to read, in hex."""
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


async def patiently(call: Callable[[], Awaitable[_T]], deadline: float) -> _T:
    """`call`, again with growing pauses while Storage is away, until `deadline` (of `time.monotonic`).

    Raises `StorageUnavailable` when it stayed away.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StorageUnavailable),
        stop=_Deadline(deadline),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            return await call()
    raise AssertionError("unreachable: the retries end by returning or raising")


class _Deadline:
    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def __call__(self, state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep >= self._deadline
