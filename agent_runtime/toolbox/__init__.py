"""What a tool's file needs: `from agent_runtime.toolbox import ToolContext, ToolResult, tool`.

It is imported when it is asked for: what parses documents or pages in a process of its own is in this package too, and
starts in a quarter of the time without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.errors import ToolRefused

if TYPE_CHECKING:
    from agent_runtime.toolbox.definition import (
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

# Types are known from the imports above; with this, any name would pass for one of them.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from agent_runtime.toolbox import definition

        globals()[name] = found = getattr(definition, name)
        return found
