"""One run, one folder: a lock that a stalled run keeps and a dead one cannot."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from agent_runtime.records import Task
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.workspace import Workspace

log = structlog.get_logger()


@contextmanager
def hold_workspace(root: Path, task: Task) -> Iterator[Workspace]:
    """The workspace of a task, for one run alone.

    A run that stalled, lost its lease and wakes late still has its folder; the run that goes on, on the same machine,
    gets another, so that the late one writes to where nobody looks. The lock ends with the process that has it.
    """
    for number in count(1):
        folder = root / (str(task.id) if number == 1 else f"{task.id}-{number}")
        workspace = Workspace.create(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.warning("another run has the workspace, using one beside it", folder=str(folder))
                continue
            yield workspace
            return
        finally:
            os.close(descriptor)
