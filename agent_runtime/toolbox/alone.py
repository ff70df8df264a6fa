"""One call of a tool without a database: its folder, its sandbox and its limits are those of a worker."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from agent_runtime.toolbox.definition import Tool, ToolContext
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.sandbox.choice import Sandbox, choose_sandbox
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.workspace import Workspace


async def run_alone(
    tool: Tool,
    arguments: dict[str, Any],
    folder: Path,
    *,
    config: dict[str, Any] | None = None,
    sandbox: Sandbox | None = None,
    sessions: Sessions | None = None,
) -> Outcome:
    """Run `tool` in the workspace `folder` as a worker would. Never raises for what the tool does.

    The sandbox is the strongest of this machine unless one is given. What it left open is closed, unless `sessions`
    are the caller's. `config` is what its row would say; references to credentials are not filled in.
    """
    own = sessions or Sessions()
    context = ToolContext(
        task_id=uuid.uuid4(),
        execution_id=uuid.uuid4(),
        workspace=Workspace.create(folder),
        sandbox=sandbox or await _chosen(),
        timeout_seconds=tool.timeout_seconds,
        output_limit_bytes=tool.output_limit_bytes,
        config=config or {},
        sessions=own,
    )
    try:
        return await execute(tool, arguments, context)
    finally:
        if sessions is None:
            await own.close_all()


async def _chosen() -> Sandbox:
    import asyncio

    return await asyncio.to_thread(choose_sandbox, False)
