"""A task's folder. Every path that a model names goes through here, and none of them leads out.

The one rule: open first, beneath the root and without leaving it, then look at what was opened. A path that is checked
and opened later could be exchanged for a link in between.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.beneath import open_beneath
from agent_runtime.toolbox.sandbox.identity import give_to_sandbox
from agent_runtime.toolbox.snapshot import (
    DEPTH_LIMIT,
    ENTRIES_LIMIT,
    FOLDER_FLAGS,
    TEMPORARY_PREFIX,
    Entry,
    Skip,
    Snapshot,
    is_utf8,
    take_snapshot,
)

SANDBOX_PATH = "/workspace"
"""Where a sandboxed command sees the workspace; a model that names it means the workspace."""

FILE_LIMIT_BYTES = 32 * 1024 * 1024


class Workspace:
    """The folder of one task. Every method raises `ToolRefused` with a text that the model can act on."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """The workspace at `root`, made if need be, closed to others and writable for sandboxed commands."""
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root, FOLDER_FLAGS)
        try:
            os.fchmod(descriptor, 0o700)
            give_to_sandbox(descriptor)
        finally:
            os.close(descriptor)
        return cls(root)

    def resolve(self, path: str) -> Path:
        """The absolute path of something in the workspace that exists or could be made there.

        For display and for handing to a sandboxed command; to read or write, use the methods below.
        """
        relative = self.relative(path)
        target = (self.root / relative).resolve()
        if not target.is_relative_to(self.root):
            raise ToolRefused(f"{path!r} leads out of the workspace")
        if target.exists() and not (target.is_file() or target.is_dir()):
            raise ToolRefused(f"{path!r} is a device, a pipe or a socket, not a file")
        return target

    def relative(self, path: str) -> str:
        """`path` as the workspace knows it: relative, without dots. The root itself is `.`."""
        if not path.strip():
            raise ToolRefused("the path is empty; name a file relative to the workspace")
        if "\0" in path or len(path) > 4096 or not is_utf8(path):
            raise ToolRefused("the path holds a NUL or undecodable character, or is over 4096 characters long")
        pure = PurePosixPath(path)
        for prefix in (SANDBOX_PATH, str(self.root)):
            if pure.is_relative_to(prefix):
                pure = pure.relative_to(prefix)
                break
        if pure.is_absolute():
            raise ToolRefused(f"{path!r} is outside the workspace; use a path relative to it")
        if ".." in pure.parts:
            raise ToolRefused(f"{path!r} climbs with '..'; name the file relative to the workspace's top")
        return str(pure)

    def is_file(self, path: str) -> bool:
        """Whether `path` names a readable regular file."""
        try:
            with self.open(path):
                return True
        except ToolRefused:
            return False

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """A regular file for reading."""
        with self._explained(path):
            # Without O_NONBLOCK a FIFO would hold the worker until somebody writes to it.
            descriptor = open_beneath(self.root, self.relative(path), os.O_RDONLY | os.O_NONBLOCK)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            what = "a folder; list it instead" if stat.S_ISDIR(mode) else _REASONS[errno.ENXIO].removeprefix("is ")
            raise ToolRefused(f"{path!r} is {what}")
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def read_bytes(self, path: str, limit_bytes: int = FILE_LIMIT_BYTES) -> bytes:
        """The whole file, refused when it is larger than `limit_bytes`."""
        with self.open(path) as file:
            size = os.fstat(file.fileno()).st_size
            # A buffer of the limit for each small file would cost more than reading it.
            content = file.read(min(size, limit_bytes) + 1)
            if size < len(content) <= limit_bytes:
                content += file.read(limit_bytes + 1 - len(content))  # it grew meanwhile
        if len(content) > limit_bytes:
            raise ToolRefused(f"{path!r} has {max(size, len(content))} bytes, over the limit of {limit_bytes}")
        return content

    def write_bytes(self, path: str, content: bytes, limit_bytes: int = FILE_LIMIT_BYTES) -> None:
        """Replace or make a file in one step, with the folders above it: readers see the old content or the new."""
        relative = self.relative(path)
        if relative == ".":
            raise ToolRefused(f"{path!r} is the workspace itself, not a file")
        if len(content) > limit_bytes:
            raise ToolRefused(f"{len(content)} bytes are over the limit of {limit_bytes} for one file")
        folder, _, name = relative.rpartition("/")
        with self._explained(path):
            descriptor = self._make_folder(folder)
            try:
                _replace(descriptor, name, content)
            finally:
                os.close(descriptor)

    def adopt(self, source: Path, path: str, *, executable: bool = False) -> None:
        """Move a file of the worker's own into the workspace, replacing what is at `path`. One file system only."""
        folder, _, name = self.relative(path).rpartition("/")
        with self._explained(path):
            descriptor = self._make_folder(folder)
            try:
                with source.open("rb") as file:
                    os.fchmod(file.fileno(), 0o755 if executable else 0o644)
                    give_to_sandbox(file.fileno())
                os.replace(source, name, dst_dir_fd=descriptor)
            finally:
                os.close(descriptor)

    def make_folder(self, path: str) -> None:
        """A folder, with those above it; one that is there stays as it is."""
        with self._explained(path):
            os.close(self._make_folder(self.relative(path)))

    def make_link(self, path: str, target: str) -> None:
        """A symbolic link to wherever `target` leads; nothing here follows it out."""
        with self._parent(path) as (folder, name):
            os.symlink(target, name, dir_fd=folder)

    def set_executable(self, path: str, executable: bool) -> None:
        """Whether everybody who may read the file may run it."""
        with self.open(path) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o666
            os.fchmod(file.fileno(), mode | (mode & 0o444) >> 2 if executable else mode)

    def remove(self, path: str) -> None:
        """Remove a file, a link or a folder with all that is in it; nothing there is fine."""
        with suppress(FileNotFoundError), self._parent(path, make=False) as (folder, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)

    def remove_folder(self, path: str) -> bool:
        """Remove a folder if it is empty; whether it was."""
        try:
            with self._parent(path, make=False) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        return True

    def entries(self, path: str = ".", depth: int = DEPTH_LIMIT) -> Iterator[tuple[str, os.stat_result]]:
        """The files and folders below a folder, by name, as (relative path, stat); links are left out."""
        with self._explained(path):
            descriptor = open_beneath(self.root, self.relative(path), FOLDER_FLAGS)
        prefix = "" if self.relative(path) == "." else f"{self.relative(path)}/"
        try:
            yield from _walk(descriptor, prefix, min(depth, DEPTH_LIMIT))
        finally:
            os.close(descriptor)

    def scan(self, limit: int = 10_000) -> list[Entry]:
        """The regular files, sorted by path, of at most `limit` entries; links and devices are left out."""
        return sorted(self.snapshot(limit=limit).files.values(), key=lambda entry: entry.path)

    def snapshot(self, skip: Skip | None = None, limit: int = ENTRIES_LIMIT) -> Snapshot:
        """What is there, in one pass, without opening a file."""
        with self._explained("."):
            descriptor = os.open(self.root, FOLDER_FLAGS)
            try:
                return take_snapshot(descriptor, skip, limit)
            finally:
                os.close(descriptor)

    @contextmanager
    def _parent(self, path: str, *, make: bool = True) -> Iterator[tuple[int, str]]:
        """The folder of `path`, open, and the name in it. Raises `OSError` for what the body does."""
        folder, _, name = self.relative(path).rpartition("/")
        descriptor = self._make_folder(folder) if make else open_beneath(self.root, folder or ".", FOLDER_FLAGS)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _make_folder(self, path: str) -> int:
        descriptor = os.open(self.root, FOLDER_FLAGS)
        made = ""
        for name in filter(None, path.split("/")):
            made = f"{made}/{name}".lstrip("/")
            try:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=descriptor)
                    folder = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=descriptor)
                    give_to_sandbox(folder)
                    os.close(folder)
                below = open_beneath(self.root, made, FOLDER_FLAGS)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ToolRefused(_explain(path, error)) from None


def _replace(folder: int, name: str, content: bytes) -> None:
    mode = _mode_of_existing(folder, name)
    temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            give_to_sandbox(descriptor)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _mode_of_existing(folder: int, name: str) -> int:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return 0o644
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        raise OSError(errno.ENXIO, "not a file")
    return stat.S_IMODE(status.st_mode) & 0o777 if stat.S_ISREG(status.st_mode) else 0o644


def _walk(folder: int, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as listing:
        names = sorted(entry.name for entry in listing if is_utf8(entry.name))
    for name in names:
        if name.startswith(TEMPORARY_PREFIX):
            continue
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield f"{prefix}{name}", status
        elif stat.S_ISDIR(status.st_mode):
            yield f"{prefix}{name}", status
            if depth > 1:
                yield from _walk_below(folder, name, f"{prefix}{name}/", depth - 1)


def _walk_below(folder: int, name: str, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    try:
        below = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return
    try:
        yield from _walk(below, prefix, depth)
    finally:
        os.close(below)


_REASONS = {
    errno.ENOENT: "does not exist; list the folder to see what is there",
    errno.EXDEV: "leads out of the workspace",
    errno.ELOOP: "is or goes through a link that cannot be followed",
    errno.ENOTDIR: "goes through something that is not a folder",
    errno.EISDIR: "is a folder",
    errno.ENXIO: "is a device, a pipe or a socket, not a file",
    errno.EACCES: "may not be opened: its permissions forbid it",
    errno.EPERM: "may not be changed: its permissions forbid it",
    errno.ENAMETOOLONG: "has a name that is too long",
    errno.ENOSPC: "was not written: the disk is full. Delete what is no longer needed, or finish with what there is",
    errno.EDQUOT: "was not written: the disk quota is used up. Delete what is no longer needed",
    errno.EROFS: "was not written: the disk is read-only",
}


def _explain(path: str, error: OSError) -> str:
    reason = _REASONS.get(error.errno or 0, f"cannot be used: {error.strerror or error}")
    return f"{path!r} {reason}"
