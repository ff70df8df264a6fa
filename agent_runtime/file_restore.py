"""Makes a workspace what is on record, to the byte: what differs is fetched, what is not on record is removed.

The record decides, on the worker that wrote the files too. A step whose result was not recorded has not happened to the
workspace: half-written files cannot be told from whole ones, a call that runs again must find what it found at first,
and a run must not depend on which machine goes on with it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent_runtime.errors import ToolRefused
from agent_runtime.file_versions import Version, patiently, sha256_of
from agent_runtime.storage import Storage
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.snapshot import Entry, Skip, Snapshot
from agent_runtime.toolbox.workspace import Workspace

log = structlog.get_logger()

AT_ONCE = 8
"""Files on their way at a time."""
_HASHING_THREADS = 4
_NAMES_LOGGED = 20


async def restore_workspace(
    workspace: Workspace, storage: Storage, recorded: Mapping[str, Version], skip: Skip, deadline: float
) -> tuple[dict[str, Entry], list[str]]:
    """Make the workspace what `recorded` says by path; what `skip` ignores stays.

    Returns the files as they are then, and the paths that cannot be had, because Storage never took their bytes and
    they are not here. Raises `StorageUnavailable`, `BytesDiffer`, `NotFound`; it can be done again.
    """
    snapshot = await asyncio.to_thread(workspace.snapshot, skip)
    if not snapshot.is_whole:
        # What is not recorded cannot be told from what is, so nothing of it stays.
        await asyncio.to_thread(_empty, workspace)
        snapshot = Snapshot()
    wrong = await _differing(workspace, recorded, snapshot)
    lost = sorted(path for path in wrong if recorded[path].kind == "file" and not recorded[path].is_stored)
    kept = recorded.keys() - set(lost)
    await asyncio.to_thread(_clear, workspace, {path: recorded[path] for path in kept}, wrong, snapshot)
    await _put(workspace, storage, {path: recorded[path] for path in wrong if path in kept}, deadline)
    if wrong:
        log.info("workspace restored", files=len(recorded), brought=len(wrong) - len(lost), lost=lost[:_NAMES_LOGGED])
        snapshot = await asyncio.to_thread(workspace.snapshot, skip)
    return {path: entry for path, entry in snapshot.files.items() if path in kept}, lost


async def _differing(workspace: Workspace, recorded: Mapping[str, Version], snapshot: Snapshot) -> set[str]:
    """The paths where the workspace is not what is recorded."""
    wrong: set[str] = set()
    to_hash: list[tuple[Entry, Version]] = []
    for path, version in recorded.items():
        entry = snapshot.files.get(path)
        if version.kind == "folder":
            is_there = path in snapshot.folders
        elif version.kind == "link":
            is_there = snapshot.links.get(path) == version.link_target
        else:
            is_there = entry is not None and entry.size_bytes == version.size_bytes
            if entry is not None and is_there:
                to_hash.append((entry, version))
        if not is_there:
            wrong.add(path)
    shares = [to_hash[start::_HASHING_THREADS] for start in range(_HASHING_THREADS)]
    for found in await asyncio.gather(*(asyncio.to_thread(_mismatches, workspace, share) for share in shares)):
        wrong.update(found)
    return wrong


def _mismatches(workspace: Workspace, share: Iterable[tuple[Entry, Version]]) -> list[str]:
    return [entry.path for entry, version in share if not _matches(workspace, entry, version)]


def _matches(workspace: Workspace, entry: Entry, version: Version) -> bool:
    try:
        with workspace.open(entry.path) as file:
            if sha256_of(file) != version.sha256:
                return False
        if entry.is_executable != version.is_executable:
            workspace.set_executable(entry.path, version.is_executable)
    except (ToolRefused, OSError):
        return False
    return True


def _clear(workspace: Workspace, kept: Mapping[str, Version], wrong: Iterable[str], snapshot: Snapshot) -> None:
    """Remove what is not on record, and what is in the way of what is."""
    leftovers = sorted(path for path in (*snapshot.files, *snapshot.links) if path not in kept)
    if leftovers:
        log.info("files that no recorded step made are removed", count=len(leftovers), files=leftovers[:_NAMES_LOGGED])
    for path in leftovers:
        workspace.remove(path)
    for path in wrong:
        if path in kept and (kept[path].kind != "folder" or path not in snapshot.folders):
            workspace.remove(path)
    needed = {path for path, version in kept.items() if version.kind == "folder"} | _folders_above(kept)
    # From below upwards; one that holds what is ignored stays.
    for path in sorted(snapshot.folders - needed, reverse=True):
        workspace.remove_folder(path)


def _folders_above(paths: Iterable[str]) -> set[str]:
    above: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in above:
            above.add(folder)
            folder = folder.rpartition("/")[0]
    return above


async def _put(workspace: Workspace, storage: Storage, wanted: Mapping[str, Version], deadline: float) -> None:
    incoming = workspace.root.with_name(f".{workspace.root.name}.incoming")
    await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)
    incoming.mkdir(mode=0o700)
    limit = asyncio.Semaphore(AT_ONCE)

    async def put(path: str, version: Version, part: Path) -> None:
        async with limit:
            if version.kind == "folder":
                await asyncio.to_thread(workspace.make_folder, path)
            elif version.kind == "link":
                await asyncio.to_thread(workspace.make_link, path, version.link_target or "")
            else:
                await patiently(lambda: storage.download(version.file_path, part, sha256=version.sha256), deadline)
                await asyncio.to_thread(workspace.adopt, part, path, executable=version.is_executable)

    try:
        async with asyncio.TaskGroup() as group:
            for number, (path, version) in enumerate(wanted.items()):
                group.create_task(put(path, version, incoming / str(number)))
    except* Exception as errors:
        raise _first(errors) from None
    finally:
        await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)


def _first(errors: BaseExceptionGroup[Exception]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def _empty(workspace: Workspace) -> None:
    for name in [path.name for path in workspace.root.iterdir()]:
        workspace.remove(name)
