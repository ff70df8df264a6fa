"""Which sources a bundle of the web UI was built from, so that a stale one is never taken for the present one.

The standard library alone: a wheel's build imports this before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

FILE = "stamp.json"
"""In the folder of the bundle: {"stamp": …}."""

_LEFT_OUT = frozenset({"node_modules", "dist", ".vite"})
"""Folders of `ui/` that are made, not written."""


def of_sources(folder: Path) -> str:
    """SHA-256, in hex, of the names and contents of the sources in `folder`, which is `ui/`."""
    digest = hashlib.sha256()
    for file in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        content = file.read_bytes()
        # With both lengths, so that no two sets of files have the same text.
        digest.update(f"{file.relative_to(folder).as_posix()}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def of_bundle(folder: Path) -> str | None:
    """The stamp of the bundle in `folder`; None where there is none, or it was not built to its end."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    stamp = found.get("stamp") if isinstance(found, dict) else None
    return stamp if isinstance(stamp, str) else None


def _files(folder: Path) -> list[Path]:
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        found += [Path(parent) / name for name in files]
    return found
