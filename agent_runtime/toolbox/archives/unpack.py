"""Lists and unpacks an archive, in a process of its own with bounded memory: a packed byte can ask for any amount."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.archives.entries import (
    BROKEN,
    ENTRIES_LIMIT,
    Content,
    Entries,
    Item,
    NotUnpacked,
    open_entries,
)
from agent_runtime.toolbox.sandbox.isolated import MEMORY_LIMIT_BYTES, run_isolated
from agent_runtime.toolbox.sandbox.launch import MIB
from agent_runtime.toolbox.workspace import FILE_LIMIT_BYTES, Workspace

UNPACKED_LIMIT_BYTES = 256 * MIB
_TIMEOUT_SECONDS = 50.0
_CHUNK_BYTES = 1 * MIB
_SHOWN_REFUSALS = 50


async def list_archive(workspace: Workspace, path: str) -> dict[str, Any]:
    """What is in it: `entries` as dicts of `name`, `size_bytes`, `folder`, `refusal`; `is_whole`.

    Raises `ToolRefused` when it cannot be read.
    """
    return await _run(workspace, {"path": path, "into": None, "only": [], "replace": False})


async def unpack_archive(
    workspace: Workspace, path: str, into: str, only: list[str], *, replace: bool
) -> dict[str, Any]:
    """Unpack what fits one of the patterns `only` (all, if there are none) into the folder `into`.

    Answers `files` (written, with sizes), `refused` (dicts of `name`, `why`) and `stopped`: the limit that ended it, or
    None. Raises `ToolRefused` when nothing of it can be unpacked.
    """
    return await _run(workspace, {"path": path, "into": into, "only": only, "replace": replace})


async def _run(workspace: Workspace, request: dict[str, Any]) -> dict[str, Any]:
    return await run_isolated(
        "agent_runtime.toolbox.archives.unpack",
        {"root": str(workspace.root), **request},
        timeout_seconds=_TIMEOUT_SECONDS,
        limits={"AS": MEMORY_LIMIT_BYTES, "FSIZE": 2 * FILE_LIMIT_BYTES, "CORE": 0},
        opens_files=True,
    )


class _Limit(Exception):
    """A bound of the whole was reached; the text names it."""


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    workspace, path = Workspace(Path(request["root"])), request["path"]
    work: Callable[[Entries], dict[str, Any]] = _list
    if request["into"] is not None:
        unpacking = _Unpacking(workspace, request["into"], request["only"], replace=request["replace"])
        work = unpacking.run
    try:
        with _opened(workspace, path) as entries:
            return work(entries)
    except (NotUnpacked, ToolRefused) as refusal:
        return {"error": str(refusal)}
    except BROKEN as error:
        return {"error": f"{path!r} is broken and cannot be unpacked: {' '.join(str(error).split())[:200]}"}


@contextmanager
def _opened(workspace: Workspace, path: str) -> Iterator[Entries]:
    with workspace.open(path) as file, open_entries(file, path.rpartition("/")[2]) as entries:
        yield entries


def _list(entries: Entries) -> dict[str, Any]:
    listed: list[dict[str, Any]] = []
    problem = None
    try:
        for item, _ in entries:
            if len(listed) >= ENTRIES_LIMIT:
                problem = f"limit of {ENTRIES_LIMIT} entries reached"
                break
            listed.append(
                {"name": item.shown, "size_bytes": item.size_bytes, "folder": item.is_folder, "refusal": item.refusal}
            )
    except BROKEN as error:
        problem = f"it is broken from here on: {' '.join(str(error).split())[:200]}"
    return {"entries": listed, "problem": problem}


class _Unpacking:
    def __init__(self, workspace: Workspace, into: str, only: list[str], *, replace: bool) -> None:
        self._workspace, self._into, self._only, self._replace = workspace, into, only, replace
        self._files: list[dict[str, Any]] = []
        self._refused: list[dict[str, str]] = []
        self._refusals = self._entries = self._bytes = 0

    def run(self, entries: Entries) -> dict[str, Any]:
        stopped = None
        try:
            for item, content in entries:
                self._entries += 1
                if self._entries > ENTRIES_LIMIT:
                    raise _Limit(f"limit of {ENTRIES_LIMIT} entries reached")
                self._take(item, content)
        except _Limit as limit:
            stopped = str(limit)
        except BROKEN as error:
            stopped = f"it is broken from here on: {' '.join(str(error).split())[:200]}"
        return {"files": self._files, "refused": self._refused, "refusals": self._refusals, "stopped": stopped}

    def _take(self, item: Item, content: Content) -> None:
        if self._only and not any(fnmatchcase(item.shown, pattern) for pattern in self._only):
            return
        target = f"{self._into}/{item.name}".removeprefix("./")
        try:
            if item.refusal:
                raise ToolRefused(item.refusal)
            if item.is_folder:
                self._workspace.make_folder(target)
                return
            if not self._replace and self._is_there(target):
                raise ToolRefused("there is a file of that name; set replace to write over it")
            written = self._bounded(content)
            self._workspace.write_bytes(target, written)
            if item.is_executable:
                self._workspace.set_executable(target, True)
        except (ToolRefused, *BROKEN) as refusal:
            self._refusals += 1
            if len(self._refused) < _SHOWN_REFUSALS:
                self._refused.append({"name": item.shown, "why": " ".join(str(refusal).split())[:300]})
            return
        self._files.append({"path": target, "size_bytes": len(written)})

    def _is_there(self, target: str) -> bool:
        return (self._workspace.root / target).is_symlink() or self._workspace.is_file(target)

    def _bounded(self, content: Content) -> bytes:
        """The bytes themselves count, whatever the archive says of their number."""
        assert content is not None
        read = bytearray()
        while chunk := content.read(_CHUNK_BYTES):
            read += chunk
            self._bytes += len(chunk)
            if self._bytes > UNPACKED_LIMIT_BYTES:
                raise _Limit(f"limit of {UNPACKED_LIMIT_BYTES} unpacked bytes reached")
            if len(read) > FILE_LIMIT_BYTES:
                raise ToolRefused(f"it is over the limit of {FILE_LIMIT_BYTES} bytes for one file")
        return bytes(read)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(json.loads(sys.argv[1]))))
