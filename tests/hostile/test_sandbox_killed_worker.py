"""A worker that is killed with SIGKILL, at whatever moment of a command's start, leaves nothing of it running."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_runtime.toolbox.workspace import Workspace

WORKER = """
import asyncio, os, sys
from pathlib import Path
from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits

kind, mark = sys.argv[1:]

async def work(workspace):
    sandbox = {"bubblewrap": Bubblewrap, "landlock": Landlock}[kind](CommandLimits())
    command = f"touch started; (setsid -f sleep 600); sleep 600 # {mark}"
    argv = ["bash", "-c", command]
    running = asyncio.ensure_future(sandbox.run(argv, workspace=Path(workspace), timeout_seconds=600))
    await asyncio.sleep(0)
    print(os.getpid(), flush=True)
    await running

for line in sys.stdin:
    if (pid := os.fork()) == 0:
        asyncio.run(work(line.strip()))
        os._exit(1)
    os.waitpid(pid, 0)
"""
"""Each line is a workspace, for a worker that is forked: what it needs is imported once."""
DELAYS = [0, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.15, None]


@pytest.mark.parametrize("kind", ["bubblewrap", "landlock"])
async def test_nothing_is_left_whenever_the_worker_is_killed(kind: str, tmp_path: Path) -> None:
    mark = f"killed-{uuid.uuid4().hex}"
    argv = [sys.executable, "-c", WORKER, kind, mark]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as workers:
        assert workers.stdin is not None
        assert workers.stdout is not None
        for delay in DELAYS:
            workspace = Workspace.create(tmp_path / f"after-{delay}")
            print(workspace.root, file=workers.stdin, flush=True)
            worker = int(workers.stdout.readline())
            if delay is None:
                await _until((workspace.root / "started").exists)
            else:
                time.sleep(delay)
            os.kill(worker, signal.SIGKILL)
        workers.stdin.close()
    await _until(lambda: not _marked(mark), lambda: f"left: {_marked(mark)}")


async def _until(condition: Callable[[], bool], or_else: Callable[[], str] = lambda: "it did not happen") -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail(or_else())


def _marked(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
