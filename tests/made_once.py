"""Folders that take seconds to make: one process of a run makes each, and all copy it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent_runtime.local.api_packages import locked

Make = Callable[[Path], Awaitable[None]]


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The same for all processes of a run."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


async def made_once(kept: Path, target: Path, make: Make) -> None:
    """Let `target` be what `make` makes of a path where nothing is. `kept` is the copy for the others of the run.

    What is made is at rest when `make` returns, and holds neither its own path nor a port that it insists on.
    """
    async with locked(kept.with_suffix(".lock")):
        if not kept.exists():
            await make(target)
            half = kept.with_suffix(".half")
            await asyncio.to_thread(copy_folder, target, half)
            half.rename(kept)
            return
    await asyncio.to_thread(copy_folder, kept, target)


def copy_folder(source: Path, target: Path) -> None:
    """With owners and modes, which shutil leaves behind."""
    subprocess.run(["cp", "-a", "--", source, target], check=True)
