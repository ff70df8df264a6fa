"""Control groups for commands, in a tree of cgroup v2 that this process may write."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.groups import Groups, described, find_folder, find_groups
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.workspace import Workspace

LIMITS = CommandLimits()


@pytest.fixture
def folder() -> Iterator[Path]:
    mounted = next(
        (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if " cgroup2 " in line), None
    )
    if mounted is None or not os.access(mounted, os.W_OK):
        pytest.skip("there is no cgroup v2 that this process may write")
    made = Path(mounted, f"agent-runtime-test-{uuid4().hex}")
    made.mkdir()
    yield made
    with suppress(OSError):
        made.rmdir()


@pytest.mark.parametrize("kind", [Bubblewrap, Landlock])
async def test_a_command_is_in_a_group_of_its_own_that_goes_with_it(
    kind: type[Bubblewrap | Landlock], folder: Path, open_folder: Path
) -> None:
    sandbox = kind(LIMITS, Groups(folder, LIMITS))
    if problem := sandbox.problem():
        pytest.skip(problem)
    workspace = Workspace.create(open_folder / f"groups-{sandbox.name}")
    argv = ["bash", "-c", "(setsid -f sleep 600); touch ready; until [ -e go ]; do sleep 0.02; done"]
    running = await sandbox.start(argv, workspace=workspace.root)
    while not (workspace.root / "ready").exists():
        assert running.exit_code is None, running.errors
        await asyncio.sleep(0.01)
    (group,) = (path for path in folder.iterdir() if path.is_dir())
    members = {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
    assert len(members) >= 2
    assert os.getpid() not in members
    await running.close()
    assert not group.exists()


def test_it_is_said_which_limits_hold() -> None:
    assert "control groups" in described(Groups(Path("/nowhere"), LIMITS))
    found = find_folder()
    if isinstance(found, str):
        assert find_groups(LIMITS) is None
        assert found in described(None)
        assert found in Landlock(LIMITS).describe()
