"""Small JSON files that are either there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_state(path: Path, state: Any, *, mode: int = 0o600) -> None:
    """Replace the file in one step; a reader sees the old content or the new, a crash leaves no half."""
    descriptor, staging = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(staging, mode)  # noqa: PTH101
        os.replace(staging, path)  # noqa: PTH105
    except BaseException:
        os.unlink(staging)  # noqa: PTH108
        raise


def read_state(path: Path) -> Any:
    """The content, or None when there is no such file or it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
