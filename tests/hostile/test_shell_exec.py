"""The shell tool in the sandbox that this machine offers, called as the worker calls it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused, Sandbox, choose_sandbox
from agent_runtime.toolbox.workspace import Workspace

Call = Callable[..., Awaitable[Outcome]]


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox(allow_unsandboxed=False)


@pytest.fixture
def call(sandbox: Sandbox, tmp_path: Path) -> Call:
    tool = Registry.load().get("shell_exec")
    assert tool is not None

    async def run(*, within: Sandbox = sandbox, limit_seconds: float = 30, **arguments: Any) -> Outcome:
        workspace = Workspace.create(tmp_path / "workspace")
        context = ToolContext(uuid.uuid4(), uuid.uuid4(), workspace, within, limit_seconds, 4_096)
        return await execute(tool, arguments, context)

    return run


async def test_output_errors_and_exit_code_are_told_apart(call: Call) -> None:
    outcome = await call(command="echo out; echo err >&2; exit 3")
    assert outcome.status == "failed"
    assert outcome.content == "exit code 3\nstdout:\nout\nstderr:\nerr"
    assert outcome.data["exit_code"] == 3
    assert (await call(command="true")).content == "exit code 0\n(no output)"


async def test_python_is_the_workers_own_and_its_packages_are_there(call: Call, sandbox: Sandbox) -> None:
    outcome = await call(command="python3 -c 'import json; print(json.dumps([1]))'")
    assert outcome.content == "exit code 0\nstdout:\n[1]"
    if sandbox.name == "bubblewrap":
        assert (await call(command="python3 -c 'import pydantic'")).status == "completed"


async def test_the_time_limit_keeps_what_was_written(call: Call) -> None:
    outcome = await call(command="echo before; sleep 60", timeout_seconds=1)
    assert outcome.status == "failed"
    assert "limit timeout_seconds reached: the command was stopped after 1 seconds" in outcome.content
    assert "before" in outcome.content


async def test_the_calls_own_limit_bounds_what_the_model_asks_for(call: Call) -> None:
    outcome = await call(command="echo before; sleep 60", timeout_seconds=600, limit_seconds=7)
    assert "the command was stopped after 2 seconds" in outcome.content
    assert "before" in outcome.content


async def test_long_and_hostile_output_is_cut_cleaned_and_kept(call: Call, tmp_path: Path) -> None:
    outcome = await call(command="printf 'a\\0b\\033[31mred\\n'; seq 1 20000")
    assert outcome.content.startswith("exit code 0\nstdout:\nabred\n1\n2\n")
    assert outcome.content.endswith("19999\n20000")
    assert len(outcome.content.encode()) <= 4_096
    (kept,) = (tmp_path / "workspace" / ".outputs").iterdir()
    assert kept.read_text().endswith("19999\n20000")


async def test_endless_output_is_a_failure_with_advice(call: Call) -> None:
    outcome = await call(command="yes")
    assert outcome.status == "failed"
    assert "send its output to a file" in outcome.content


async def test_without_a_sandbox_the_model_is_told_what_the_operator_can_do(call: Call) -> None:
    outcome = await call(command="true", within=Refused("landlock: the kernel has no Landlock"))
    assert outcome.status == "failed"
    assert "install bubblewrap" in outcome.content
    assert "AGENT_RUNTIME_ALLOW_UNSANDBOXED" in outcome.content
