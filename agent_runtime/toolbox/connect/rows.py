"""From a row of the `tools` table to a tool that runs.

A worker's tool files come first: a row with the name of a file is that file's. Other rows say by their
`implementation_type` what they are: `api`, `shell`, `python` with code, or `mcp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agent_runtime.errors import ConfigError
from agent_runtime.records import ToolRow
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.connect import api, commands, mcp_tool, schema
from agent_runtime.toolbox.definition import Run, Tool
from agent_runtime.toolbox.registry import Registry

log = structlog.get_logger(__name__)

_Maker = Callable[[ToolRow, dict[str, Any]], Run]
_MAKERS: dict[str, _Maker] = {
    "api": api.make_run,
    "shell": commands.make_shell_run,
    "python": commands.make_python_run,
    "mcp": mcp_tool.make_run,
}


class _Given(BaseModel):
    """The arguments of a row's tool: what they may be is in its schema."""

    model_config = ConfigDict(extra="allow")


class RowTools:
    """The tools of one run: those of the worker's files, and those that rows make."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made: dict[str, tuple[ToolRow, Tool | str]] = {}

    def get(self, row: ToolRow) -> Tool | None:
        """The tool that a row stands for; None when this worker has none for it, or it is set up wrongly."""
        found = self._find(row)
        return found if isinstance(found, Tool) else None

    def problem(self, row: ToolRow) -> str | None:
        """Why there is no tool for a row, in one sentence for the model."""
        found = self._find(row)
        return found if isinstance(found, str) else None

    def _find(self, row: ToolRow) -> Tool | str:
        file = self._registry.get(row.name)
        if file is not None:
            return file
        known = self._made.get(row.name)
        if known is None or known[0] != row:
            known = self._made[row.name] = (row, self._make(row))
        return known[1]

    def _make(self, row: ToolRow) -> Tool | str:
        if not is_own(row):
            return f"The tool {row.name} is not installed on this worker; try another way."
        try:
            return make_tool(row)
        except ConfigError as error:
            log.warning("a tool of the table is set up wrongly", tool=row.name, reason=str(error))
            return f"{error}; only an administrator can mend it. Try another way."


def is_own(row: ToolRow) -> bool:
    """Whether the row itself says what its tool does, so that no file is needed."""
    return row.implementation_type in _MAKERS and (row.implementation_type != "python" or bool(row.implementation_code))


def make_tool(row: ToolRow) -> Tool:
    """The tool that a row describes. Raises `ConfigError` that names the tool and what is wrong with its row."""
    function = row.function_schema.get("function")
    parameters = function.get("parameters") if isinstance(function, dict) else None
    try:
        if not isinstance(parameters, dict):
            raise ConfigError("its function_schema has no function.parameters")
        schema.check_schema(parameters)
        run = _MAKERS[row.implementation_type](row, parameters)
    except KeyError:
        raise ConfigError(
            f"tool {row.name}: a row of type {row.implementation_type!r} says nothing of what it does"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, ("config", *first["loc"])))
        raise ConfigError(f"tool {row.name}: {at}: {first['msg'].removeprefix('Value error, ')}") from None
    except ConfigError as error:
        raise ConfigError(f"tool {row.name}: {error}") from None
    return Tool(
        name=row.name,
        display_name=row.name,
        description=row.description,
        category=row.category,
        arguments=_Given,
        run=run,
        parameters=parameters,
        retry_class=row.retry_class,
        taints=True,
        outward=True,
        timeout_seconds=row.timeout_seconds,
        output_limit_bytes=row.output_limit_bytes,
    )
