"""Sessions of the shell: a terminal that stays open between the calls of a run, used as the worker's tools use it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.records import Execution
from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Sandbox, choose_sandbox
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.workspace import Workspace

REGISTRY = Registry.load()
WAIT = 60
"""Seconds that a slow machine may take; what ends earlier is not waited for."""


class Shell:
    """The four tools on one run's sessions."""

    def __init__(self, folder: Path, sandbox: Sandbox, earlier: list[Execution] | None = None) -> None:
        self.workspace = Workspace.create(folder)
        self.sandbox = sandbox
        self.sessions = Sessions()
        self.earlier = earlier or []

    async def __call__(self, tool: str, *, config: dict[str, Any] | None = None, **arguments: Any) -> Outcome:
        found = REGISTRY.get(tool)
        assert found is not None
        context = ToolContext(
            uuid.uuid4(), uuid.uuid4(), self.workspace, self.sandbox, 600, 8_192,
            config=config or {}, sessions=self.sessions, earlier=self.earlier,
        )  # fmt: skip
        return await execute(found, arguments, context)

    async def run(self, command: str, session: str = "main", wait_seconds: float = WAIT, **more: Any) -> Outcome:
        return await self("shell_exec", command=command, session=session, wait_seconds=wait_seconds, **more)

    async def type(self, session: str = "main", wait_seconds: float = WAIT, **given: Any) -> Outcome:
        return await self("shell_input", session=session, wait_seconds=wait_seconds, **given)

    async def view(self, session: str = "main", wait_seconds: float = WAIT) -> Outcome:
        return await self("shell_view", session=session, wait_seconds=wait_seconds)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox(allow_unsandboxed=False)


@pytest.fixture
async def shell(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Shell]:
    made = Shell(tmp_path / "workspace", sandbox)
    yield made
    await made.sessions.close_all()


async def test_a_session_keeps_its_folder_and_variables_and_says_how_each_command_ended(shell: Shell) -> None:
    first = await shell.run("mkdir -p a && cd a && X='one two'; echo made > file; false")
    assert (first.status, first.data["exit_code"], first.data["state"]) == ("failed", 1, "idle")
    assert first.content == "session main: exit code 1\n(no new output)"
    second = await shell.run('echo "$? $X"; pwd; cat file; f() { echo "f: $1"; }')
    assert second.status == "completed"
    assert second.content.splitlines()[:3] == ["session main: exit code 0", "output:", "1 one two"]
    # Several lines, quotes, tabs, a `!`, letters beyond ASCII, and a line longer than the kernel's line editing takes.
    odd = "f 'it'\"'\"'s ünï\t!x'\ncat <<'EOF'\n$X `no` \\n 世界\nEOF\necho " + "y" * 9_000 + " | wc -c"
    third = await shell.run(odd)
    assert third.content.splitlines()[2:] == ["f: it's ünï     !x", "$X `no` \\n 世界", "9001"]
    # Another session is another shell; a command without one knows nothing of them.
    assert "output:\nnone" in (await shell.run("echo ${X:-none}", session="other")).content
    assert (
        await shell("shell_exec", command="echo ${X:-none}; cat a/file")
    ).content == "exit code 0\nstdout:\nnone\nmade"
    ended = await shell.run("exit 7")
    assert (ended.data["state"], ended.data["exit_code"]) == ("ended", 7)
    again = await shell.run("pwd; echo ${X:-none}")
    assert "had ended; this is a new one" in again.content
    assert again.content.endswith("none")


async def test_programs_that_ask_are_seen_and_answered(shell: Shell) -> None:
    asked = await shell.run("read -p 'Your name: ' name; read -s -p 'Password: ' word; echo; echo $name ${#word}; cat")
    assert asked.data["state"] == "waiting"
    assert "seems to wait for input after 'Your name:'" in asked.content
    busy = await shell.run("echo other")
    assert busy.status == "failed"
    assert "still runs in session 'main'" in busy.content
    hidden = await shell.type(text="Ana")
    assert hidden.content.endswith("Your name: Ana\nPassword:")
    told = await shell.type(text="geheim", wait_seconds=1)
    assert "geheim" not in told.content
    assert "Ana 6" in told.content
    assert (await shell.type(text="echoed", keys=["ctrl-d"])).content.endswith("echoed\nechoed")
    assert (await shell.type(text="too late")).content.startswith("nothing runs in session 'main'")

    python = await shell.run("python3 -q")
    assert python.data["state"] == "waiting"
    assert (await shell.type(text="6 * 7")).content.endswith("42\n>>>")
    assert (await shell.type(keys=["ctrl-d"])).data["state"] == "idle"
    for given, problem in (
        ({"keys": ["hyper-x"]}, "there is no key 'hyper-x'"),
        ({"text": "\x1b[A"}, "name them as keys"),
        ({}, "nothing to type"),
        ({"text": "x", "signal": "INT"}, "either text and keys, or a signal"),
        ({"text": "x" * 5_000}, "a line of input has at most 4000 bytes"),
    ):
        await shell.run("cat", wait_seconds=0.1)
        refused = await shell.type(**given)
        assert refused.status == "failed"
        assert problem in refused.content
        assert (await shell.type(keys=["ctrl-c"])).data["state"] == "idle"


async def test_a_command_goes_on_after_its_call_until_it_is_stopped(shell: Shell) -> None:
    started = await shell.run(
        "echo begun; while [ ! -e stop ]; do sleep 0.05; done; echo seen; sleep 600; echo not", wait_seconds=1
    )
    assert (started.status, started.data["state"], started.data["exit_code"]) == ("completed", "running", None)
    assert "still running after 1 seconds" in started.content
    assert started.content.endswith("output:\nbegun")
    await shell("file_write", path="stop", content="")
    async with asyncio.timeout(WAIT):
        while "seen" not in (seen := await shell.view(wait_seconds=0.1)).content:
            pass
    assert "begun" not in seen.content, "only what is new is shown"
    assert (await shell.type(keys=["ctrl-c"])).data == {
        "session": "main", "state": "idle", "exit_code": 130, "command": started.data["command"], "screen": False,
    }  # fmt: skip
    await shell.run("sleep 600", wait_seconds=0.1)
    assert (await shell.type(signal="TERM")).data["exit_code"] == 143
    await shell.run("python3 -m http.server 8765 --bind 127.0.0.1 > log 2>&1 &")
    fetched = await shell.run("until curl -s 127.0.0.1:8765/stop -o /dev/null; do sleep 0.05; done; echo served")
    if shell.sandbox.name == "bubblewrap":
        assert fetched.content.endswith("served")
    await shell.run("sleep 600", wait_seconds=0)
    killed = await shell("shell_kill", session="main")
    assert killed.content.startswith("session main is ended; `sleep 600` was running")
    assert "there is no session 'main'; open are: none" in (await shell.view()).content


async def test_what_was_open_before_the_task_waited_is_told(tmp_path: Path, sandbox: Sandbox, shell: Shell) -> None:
    outcome = await shell.run("echo ready; sleep 600", session="server", wait_seconds=1)
    recorded = Execution(
        id=uuid.uuid4(), tool_name="shell_exec", retry_class="unsafe", tool_call_id="1", input_parameters={},
        output_result={"content": outcome.content, "data": outcome.data}, status="completed", step=1, call_index=0,
    )  # fmt: skip
    later = Shell(tmp_path / "workspace", sandbox, [recorded])
    try:
        gone = await later.view("server")
        assert gone.status == "failed"
        assert "The session server is gone: sessions end when their task waits" in gone.content
        assert "`echo ready; sleep 600` was running in it. Begin again with shell_exec" in gone.content
        anew = await later.run("echo new", session="server")
        assert anew.content.startswith("The session server is gone")
        assert anew.content.endswith("session server: exit code 0\noutput:\nnew")
    finally:
        await later.sessions.close_all()


async def test_hostile_programs_in_a_session_are_bounded(shell: Shell) -> None:
    for number in range(4):
        await shell.run("true", session=f"s{number}")
    refused = await shell.run("true")
    assert "limit sessions reached: 4 are open (s0, s1, s2, s3)" in refused.content
    for number in range(1, 4):
        await shell("shell_kill", session=f"s{number}")

    # Endless output is held back; its beginning and its end are shown, and the shell can be used again.
    flood = await shell.run("echo first; yes", session="s0", wait_seconds=2)
    assert flood.data["state"] == "running"
    stopped = await shell.type(session="s0", keys=["ctrl-c"])
    assert stopped.data["state"] == "idle"
    assert len(flood.content.encode()) <= 8_192
    assert "first" in flood.content
    assert "limit output_limit_bytes reached" in flood.content
    # Escapes, a forged mark, broken UTF-8, a terminal left in a mess: text stays text, and the next command works.
    mess = r"printf 'a\033[31mred\033[0m\033]0;title\007b\033]133;D;99;x\007\xff\xfe\0c\n'; "
    mess += r"printf '\033[?1049h\033[5;5Hfull'; stty raw -echo"
    shown = await shell.run(mess, session="s0")
    assert shown.data["exit_code"] == 0
    assert "full" in shown.content
    after = await shell.run("echo after", session="s0")
    assert after.content.endswith("after")
    assert "aredb" in after.content
    # Closing what it is connected with, killing its own shell, and daemons: nothing stays.
    closed = await shell.run("exec 0<&- 1>&- 2>&-", session="s0", wait_seconds=2)
    assert closed.data["state"] in ("ended", "running", "idle")
    await shell("shell_kill", session="s0")
    dead = await shell.run("(setsid sleep 600 &) ; kill -9 $$")
    assert (dead.data["state"], dead.status) == ("ended", "failed")
    assert (await shell.run("a\0b")).content.startswith("the command holds a NUL")


async def test_landlock_gives_a_terminal_too(tmp_path: Path) -> None:
    walls = Landlock(CommandLimits())
    if problem := walls.problem():
        pytest.skip(problem)
    shell = Shell(tmp_path / "workspace", walls)
    try:
        assert (await shell.run("read -p 'Go on? ' yes; echo $yes > answer; cat answer")).data["state"] == "waiting"
        assert (await shell.type(text="yes")).content.endswith("Go on? yes\nyes")
        assert (await shell.run("echo x > /etc/motd")).data["exit_code"] == 1
    finally:
        await shell.sessions.close_all()
