"""A folder for one command's temporary files, where the sandbox itself cannot make one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent_runtime.toolbox.sandbox.identity import give_to_sandbox


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder that only the command's id can enter, removed with all that the command left in it."""
    folder = Path(tempfile.mkdtemp(prefix="agent-runtime-"))
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            give_to_sandbox(descriptor)
        finally:
            os.close(descriptor)
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    # A command can take its own rights from a folder that it made, and then it could not be emptied.
    for above, names, _ in os.walk(folder):
        for name in names:
            path = Path(above, name)
            if not path.is_symlink():
                with suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
