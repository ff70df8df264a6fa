"""A folder as a value: what is in it, so that two folders can be held against each other."""

from __future__ import annotations

import hashlib
from pathlib import Path


def tree(folder: Path) -> dict[str, str]:
    """By relative path: a file's sha256 and whether it is executable, a link's target, or that it is a folder."""
    return {str(path.relative_to(folder)): _fact(path) for path in sorted(folder.rglob("*"))}


def _fact(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_dir():
        return "folder"
    executable = " executable" if path.stat().st_mode & 0o100 else ""
    return hashlib.sha256(path.read_bytes()).hexdigest() + executable
