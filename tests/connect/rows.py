"""Rows of the `tools` table as the tests write them, and their calls without a database."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from agent_runtime.records import ToolRow
from agent_runtime.toolbox.alone import run_alone
from agent_runtime.toolbox.connect.rows import make_tool
from agent_runtime.toolbox.executor import Outcome
from agent_runtime.toolbox.sandbox.choice import Sandbox
from agent_runtime.toolbox.sessions import Sessions

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def row(kind: str, config: dict[str, Any], *required: str, name: str = "probe", **more: Any) -> ToolRow:
    """`more` are columns, and `properties`: the schemas of the arguments, of which `required` are needed."""
    properties = more.pop("properties", {}) | dict.fromkeys(required, TEXT)
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    columns = {
        "id": uuid.uuid4(),
        "name": name,
        "description": "For a test.",
        "category": "custom",
        "function_schema": {"type": "function", "function": {"name": name, "parameters": parameters}},
        "implementation_type": kind,
        "retry_class": "unsafe",
        "timeout_seconds": 60,
        "output_limit_bytes": 16_384,
        "config": config,
    }
    return ToolRow(**(columns | more))


class Caller:
    """Calls rows in one folder and one sandbox, keeping what they leave open as a run does."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder, self.sandbox, self.sessions = folder, sandbox, Sessions()

    async def __call__(self, of: ToolRow, /, **arguments: Any) -> Outcome:
        return await run_alone(
            make_tool(of), arguments, self.folder, config=of.config, sandbox=self.sandbox, sessions=self.sessions
        )
