"""The search tool when the network fails, which is the part of it that is ours."""

from __future__ import annotations

import uuid
from pathlib import Path

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.workspace import Workspace


async def test_search_engines_that_cannot_be_reached_are_a_sentence_for_the_model(tmp_path: Path) -> None:
    tool = Registry.load().get("web_search")
    assert tool is not None
    context = ToolContext(
        task_id=uuid.uuid4(),
        execution_id=uuid.uuid4(),
        workspace=Workspace.create(tmp_path / "workspace"),
        sandbox=Refused("not needed"),
        timeout_seconds=30,
        output_limit_bytes=4_096,
        config={"proxy": "http://127.0.0.1:9"},  # the discard port: nothing listens there
    )
    outcome = await execute(tool, {"query": "row-level security"}, context)
    assert outcome.status == "failed"
    assert "the search engines cannot be reached" in outcome.content
    assert "\n" not in outcome.content
