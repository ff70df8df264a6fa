"""The files that a person gives to a task: looked at and opened before anything is sent, under names that differ."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agent_runtime.errors import InvalidInput

_NAME_BYTES = 200


@dataclass(frozen=True)
class Attachment:
    """An open file of the person's. `name` is what it is called in the workspace."""

    path: Path
    name: str
    size_bytes: int
    mime_type: str
    file: BinaryIO


@contextlib.contextmanager
def open_attachments(paths: Sequence[Path], limit_bytes: int) -> Iterator[list[Attachment]]:
    """Open each file.

    Raises `InvalidInput` naming the path when one is missing, unreadable, no ordinary file or over `limit_bytes`.
    """
    with contextlib.ExitStack() as opened:
        taken: set[str] = set()
        attachments = []
        for path in paths:
            file = opened.enter_context(_open(path))
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes > limit_bytes:
                raise InvalidInput(
                    f"file {_shown(path)} has {size_bytes:,} bytes; file_upload_max_size allows {limit_bytes:,}"
                )
            name = _distinct(_tame(path.name), taken)
            mime_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            attachments.append(Attachment(path, name, size_bytes, mime_type, file))
        yield attachments


def _open(path: Path) -> BinaryIO:
    try:
        # Without waiting: opening a named pipe would block until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InvalidInput(f"file {_shown(path)}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"file {_shown(path)}: {getattr(error, 'strerror', None) or error}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder: give the files in it one by one" if stat.S_ISDIR(mode) else "not an ordinary file"
        raise InvalidInput(f"file {_shown(path)}: it is {what}")
    return os.fdopen(descriptor, "rb")


def _tame(name: str) -> str:
    """A name without control characters or undecodable bytes, short enough for every file system."""
    name = "".join(character if character.isprintable() else "_" for character in name) or "file"
    stem, suffix = Path(name).stem, Path(name).suffix
    suffix = suffix if len(suffix.encode()) <= _NAME_BYTES // 4 else ""
    kept = stem.encode()[: _NAME_BYTES - len(suffix.encode())].decode(errors="ignore")
    return f"{kept}{suffix}"


def _distinct(name: str, taken: set[str]) -> str:
    # Compared without case: some file systems do not tell Report.md from report.md.
    stem, suffix = Path(name).stem, Path(name).suffix
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem}-{number}{suffix}"
    taken.add(candidate.casefold())
    return candidate


def _shown(path: Path) -> str:
    return "".join(character if character.isprintable() else "?" for character in str(path))
