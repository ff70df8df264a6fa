"""What a command is given in its environment is in nobody's list of processes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.choice import Sandbox, Unsandboxed
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.workspace import Workspace

VALUE = "canary-4f7c21d0-environment"


@pytest.mark.parametrize("kind", [Bubblewrap, Landlock, Unsandboxed])
async def test_no_argument_of_any_process_holds_it(
    kind: type[Bubblewrap | Landlock | Unsandboxed], open_folder: Path
) -> None:
    sandbox: Sandbox = kind(CommandLimits())
    workspace = Workspace.create(open_folder / f"environment-{sandbox.name}")
    trial = await sandbox.run(["sh", "-c", "echo ${#SECRET} $(env | wc -l)"], workspace=workspace.root,
                              timeout_seconds=20, environment={"SECRET": VALUE})  # fmt: skip
    if trial.exit_code == 125 or "bwrap" in trial.stderr:
        pytest.skip(f"{sandbox.name} does not work here")
    length, variables = trial.stdout.split()
    # PWD comes with the shell or from bwrap, and the shell counts itself.
    assert (int(length), int(variables) <= 10) == (len(VALUE), True)

    running = asyncio.create_task(
        sandbox.run(["sh", "-c", "echo > ready; sleep 60"], workspace=workspace.root, timeout_seconds=60,
                    environment={"SECRET": VALUE})
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while not (workspace.root / "ready").exists():
                await asyncio.sleep(0.01)
        arguments = []
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                arguments.append(" ".join(process.cmdline()))
        assert any("sleep 60" in line for line in arguments)
        assert [line for line in arguments if VALUE in line] == []
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
