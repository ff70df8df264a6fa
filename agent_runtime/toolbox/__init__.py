"""What a tool's file needs: `from agent_runtime.toolbox import ToolContext, ToolResult, tool`."""

from __future__ import annotations

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.tool import (
    Ask,
    Complete,
    Effect,
    Notify,
    PlanAdvance,
    PlanSet,
    Tool,
    ToolContext,
    ToolResult,
    tool,
)

__all__ = [
    "Ask",
    "Complete",
    "Effect",
    "Notify",
    "PlanAdvance",
    "PlanSet",
    "Tool",
    "ToolContext",
    "ToolRefused",
    "ToolResult",
    "tool",
]
