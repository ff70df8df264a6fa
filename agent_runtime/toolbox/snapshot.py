"""What is in a workspace at one moment: one pass over its folders, without following a link or opening a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

DEPTH_LIMIT = 64
TEMPORARY_PREFIX = ".~"
"""Of names that are half-way to being something else."""
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY
ENTRIES_LIMIT = 100_000
"""A snapshot ends there."""

Skip = Callable[[str, bool], bool]
"""Whether to leave out a path; the second argument says whether it is a folder, which is then not entered."""


class Entry(NamedTuple):
    """A regular file of the workspace. `path` is relative, with forward slashes.

    Two equal entries of one path are the same bytes, unless the file was written twice in one tick of the file system's
    clock (`ctime_ns` cannot be set, so a file that was given an old time again differs all the same).
    """

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    is_executable: bool


@dataclass
class Snapshot:
    """What is in a workspace at one moment, by relative path."""

    files: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    """Where each points."""
    folders: set[str] = field(default_factory=set)
    empty_folders: set[str] = field(default_factory=set)
    """Those with nothing in them that is here."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why something is not here. What is below such a folder is not known."""
    is_whole: bool = True
    """False when there were more than `ENTRIES_LIMIT`."""


def take_snapshot(folder: int, skip: Skip | None = None, limit: int = ENTRIES_LIMIT) -> Snapshot:
    """Of the folder that the descriptor is open on. Raises `OSError` when that one cannot be read."""
    found = Snapshot()
    _take(folder, "", DEPTH_LIMIT, skip or _take_all, limit, found)
    return found


def is_utf8(text: str) -> bool:
    """Whether a name is text; any other cannot be recorded."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _take_all(_path: str, _is_folder: bool) -> bool:
    return False


def _take(folder: int, prefix: str, depth: int, skip: Skip, limit: int, found: Snapshot) -> bool:
    """Whether anything in the folder was taken."""
    taken = False
    with os.scandir(folder) as listing:
        for entry in listing:
            name, path = entry.name, f"{prefix}{entry.name}"
            if name.startswith(TEMPORARY_PREFIX):
                continue
            if not is_utf8(name):
                found.left_out[os.fsencode(path).decode(errors="replace")] = "its name is not UTF-8"
                continue
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                if skip(path, is_folder):
                    continue
                if len(found.files) + len(found.links) + len(found.folders) >= limit:
                    found.is_whole = False
                    return taken
                if is_folder:
                    found.folders.add(path)
                    if not _take_below(folder, name, path, depth - 1, skip, limit, found):
                        found.empty_folders.add(path)
                elif entry.is_symlink():
                    target = os.readlink(name, dir_fd=folder)
                    if is_utf8(target):
                        found.links[path] = target
                    else:
                        found.left_out[path] = "it is a link to a name that is not UTF-8"
                else:
                    _take_file(path, entry.stat(follow_symlinks=False), found)
            except FileNotFoundError:
                continue  # it went away meanwhile
            taken = True
    return taken


def _take_below(folder: int, name: str, path: str, depth: int, skip: Skip, limit: int, found: Snapshot) -> bool:
    if depth < 1:
        found.left_out[path] = f"it lies deeper than {DEPTH_LIMIT} folders"
        return True
    try:
        below = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        found.left_out[path] = f"the folder cannot be read ({error.strerror})"
        return True
    try:
        return _take(below, f"{path}/", depth, skip, limit, found)
    finally:
        os.close(below)


def _take_file(path: str, status: os.stat_result, found: Snapshot) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        found.files[path] = Entry(
            path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, bool(mode & stat.S_IXUSR)
        )
    else:
        found.left_out[path] = "it is a device, a pipe or a socket"
