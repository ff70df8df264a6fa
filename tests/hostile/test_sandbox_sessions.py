"""Commands that stay open: the same walls, a terminal as a person's, and nothing left when they are closed."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from pathlib import Path

import pytest

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.choice import Refused, Sandbox
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.sandbox.running import ERRORS_LIMIT_BYTES, Running
from agent_runtime.toolbox.workspace import Workspace


@pytest.fixture(params=[Bubblewrap, Landlock], ids=["bubblewrap", "landlock"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    made: Bubblewrap | Landlock = request.param(CommandLimits(processes=64))
    problem = made.problem()
    if problem:
        pytest.skip(f"{made.name}: {problem}")
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


async def test_a_command_on_pipes_answers_until_its_input_ends(sandbox: Sandbox, workspace: Workspace) -> None:
    code = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True); print('!', file=sys.stderr)"
    running = await sandbox.start(["python3", "-u", "-c", code], workspace=workspace.root)
    for word in (b"one\n", b"two\n"):
        await running.write(word)
        assert await _until(running, word.upper())
    running.close_input()
    assert await running.read() == b""
    assert await running.wait() == 0
    await running.close()
    assert running.errors == "!\n!\n"
    with pytest.raises(BrokenPipeError):
        await running.write(b"three\n")


async def test_a_terminal_is_the_commands_own(sandbox: Sandbox, workspace: Workspace) -> None:
    running = await sandbox.start(["bash", "--norc", "-i"], workspace=workspace.root, pty=True)
    try:
        await _until(running, b"$ ")
        await running.write(b"echo ready > /dev/tty; stty size < /dev/tty\n")
        await _until(running, b"40 120")
        await running.resize(80, 24)
        await running.write(b"stty size\n")
        await _until(running, b"24 80")
        # Ctrl-C stops what runs in front, and the shell goes on.
        await running.write(b"bash -c 'echo g\"\"o; exec sleep 600'\n")
        await _until(running, b"go\r\n")
        await running.write(b"\x03")
        await _until(running, b"$ ")
        await running.write(b"echo after $?\n")
        await _until(running, b"after 130")
        await running.write(b"exit 7\n")
        assert await running.wait() == 7
    finally:
        await running.close()
    assert await running.read() == b""


async def test_closing_ends_daemons_and_readers_and_can_be_repeated(sandbox: Sandbox, workspace: Workspace) -> None:
    mark = f"session-{uuid.uuid4().hex}"
    command = f"trap '' TERM INT; (setsid -f bash -c 'sleep 600; : {mark}'); echo up; sleep 600; : {mark}"
    running = await sandbox.start(["bash", "-c", command], workspace=workspace.root)
    await _until(running, b"up")
    reading = asyncio.ensure_future(running.read())
    assert running.exit_code is None
    await asyncio.gather(running.close(), running.close())
    await running.close()
    assert await reading == b""
    assert running.exit_code == 128 + signal.SIGTERM
    assert _marked(mark) == []


async def test_a_signal_reaches_the_command_alone(sandbox: Sandbox, workspace: Workspace) -> None:
    code = (
        # Not `print` in the handler: the signal may come while the first one still flushes.
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: (os.write(1, b'interrupted'), sys.exit(3)))\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )
    running = await sandbox.start(["python3", "-c", code], workspace=workspace.root)
    await _until(running, b"ready")
    running.signal(signal.SIGINT)
    await _until(running, b"interrupted")
    assert await running.wait() == 3
    await running.close()


async def test_output_that_nobody_reads_holds_the_command_back(sandbox: Sandbox, workspace: Workspace) -> None:
    flood = ["bash", "-c", "head -c 3000000 /dev/zero >&2; touch errors-written; yes"]
    running = await sandbox.start(flood, workspace=workspace.root)
    async with asyncio.timeout(30):
        while not (workspace.root / "errors-written").exists():
            await asyncio.sleep(0.01)
    assert len(await running.read()) <= 65_536
    await running.close()
    assert len(running.errors) <= ERRORS_LIMIT_BYTES


async def test_a_start_that_is_cancelled_leaves_nothing(sandbox: Sandbox, workspace: Workspace) -> None:
    mark = f"start-{uuid.uuid4().hex}"
    before = len(list(Path("/proc/self/fd").iterdir()))
    for turns in range(6):
        starting = asyncio.ensure_future(
            sandbox.start(["bash", "-c", f"sleep 600; echo {mark}"], workspace=workspace.root, pty=turns % 2 == 0)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert _marked(mark) == []
    await asyncio.sleep(0)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


async def test_a_killed_launcher_is_started_again_and_takes_nothing_along(
    sandbox: Sandbox, workspace: Workspace
) -> None:
    running = await sandbox.start(["cat"], workspace=workspace.root)
    await running.write(b"before\n")
    await _until(running, b"before")
    (launcher,) = (pid for pid in _marked("launcher.serve") if _parent(pid) == os.getpid())
    os.kill(launcher, signal.SIGKILL)
    os.waitid(os.P_PID, launcher, os.WEXITED | os.WNOWAIT)
    result = await sandbox.run(["echo", "again"], workspace=workspace.root, timeout_seconds=20)
    assert result.stdout == "again\n"
    await running.write(b"after\n")
    await _until(running, b"after")
    await running.close()


async def test_where_no_sandbox_works_nothing_starts(workspace: Workspace) -> None:
    with pytest.raises(ToolRefused, match="install bubblewrap"):
        await Refused("no reason").start(["true"], workspace=workspace.root)


async def _until(running: Running, text: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(30):
        while text not in seen:
            part = await running.read()
            assert part, f"it ended after {seen!r}: {running.errors}"
            seen += part
    return seen


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


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))
