"""Finds the tools: every file of the built-in folder and of the operator's own folders."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from agent_runtime import resources
from agent_runtime.errors import ConfigError
from agent_runtime.toolbox.definition import Tool

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Registry:
    """The tools of this process, by name."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    @classmethod
    def load(cls, tools_path: Iterable[Path] = ()) -> Registry:
        """The built-in tools and those of the folders in `tools_path` (the setting of that name).

        Raises `ConfigError` naming the file and the problem: a folder that is missing, a file that does not load, a
        file without a tool, a name that is not allowed or that is taken.
        """
        origins: dict[str, Path] = {}
        tools: list[Tool] = []
        builtin = resources.builtin_tools()
        for file in _files([builtin, *tools_path]):
            for tool in _builtin_tools_of(file) if file.parent == builtin else _tools_of(file):
                if tool.name in origins:
                    raise ConfigError(f"tool {tool.name!r} is in both {origins[tool.name]} and {file}: rename one")
                origins[tool.name] = file
                tools.append(tool)
        return cls(tools)

    def get(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    def __iter__(self) -> Iterator[Tool]:
        """By name: the order in which a model is told of them must not change from run to run."""
        return iter(sorted(self._tools.values(), key=lambda tool: tool.name))

    def __len__(self) -> int:
        return len(self._tools)

    def declarations(self) -> list[dict[str, Any]]:
        """What the `tools` table is synced with: one dict per tool, its keys the table's columns."""
        return [_declaration(tool) for tool in self]


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"AGENT_RUNTIME_TOOLS_PATH: {folder} is not a folder")
        yield from sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))


@cache
def _builtin_tools_of(file: Path) -> list[Tool]:
    # They stay as they are while a process runs; an operator's own may not.
    return _tools_of(file)


def _tools_of(file: Path) -> list[Tool]:
    module = _load(file)
    tools = [
        value for value in vars(module).values() if isinstance(value, Tool) and value.run.__module__ == module.__name__
    ]
    if not tools:
        raise ConfigError(f"tool file {file}: it declares no tool; decorate an async function with @tool(...)")
    for tool in tools:
        if not _NAME.fullmatch(tool.name):
            raise ConfigError(
                f"tool file {file}: the name {tool.name!r} must be lower case letters, digits and _, at most 64"
            )
    return tools


def _load(file: Path) -> Any:
    name = f"agent_runtime_tools.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # pydantic looks up the module to resolve annotations that are strings.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        line = getattr(error, "lineno", None) or _line_of(error, file)
        where = f"{file}, line {line}" if line else str(file)
        raise ConfigError(f"tool file {where}: {type(error).__name__}: {_one_line(error)}") from error
    return module


def _line_of(error: BaseException, file: Path) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _declaration(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "display_name": tool.display_name,
        "description": tool.description,
        "category": tool.category,
        "function_schema": tool.function_schema,
        "implementation_type": "builtin" if tool.control else "python",
        "security_level": tool.security_level,
        "retry_class": tool.retry_class,
        "taints": tool.taints,
        "outward": tool.outward,
        "destination": tool.destination,
        "timeout_seconds": tool.timeout_seconds,
        "output_limit_bytes": tool.output_limit_bytes,
    }
