"""The registry: which tools there are, and what a broken tool file gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.errors import ConfigError
from agent_runtime.toolbox.registry import Registry

GOOD = """
from pydantic import BaseModel
from agent_runtime.toolbox import ToolContext, ToolResult, tool

class Arguments(BaseModel):
    text: str

@tool(display_name="Shout", category="text", retry_class="pure")
async def {name}(arguments: Arguments, context: ToolContext) -> ToolResult:
    '''Say it louder.'''
    return ToolResult(content=arguments.text.upper())
"""

BUILT_IN = {
    "shell_exec", "shell_input", "shell_kill", "shell_view", "python_exec",
    "file_read", "file_write", "file_edit", "file_list", "file_find", "file_grep", "archive_unpack",
    "web_search", "web_fetch", "http_request", "spawn_tasks", "retry_tasks",
    "browser_navigate", "browser_view", "browser_click", "browser_type", "browser_select", "browser_upload",
    "browser_scroll", "browser_back", "browser_tabs", "browser_wait", "browser_screenshot", "browser_download",
    "db_query", "db_execute", "plan_set", "plan_advance", "message_notify", "message_ask", "task_complete",
}  # fmt: skip


def test_the_built_in_tools_are_there_sorted_by_name() -> None:
    names = [tool.name for tool in Registry.load()]
    assert set(names) == BUILT_IN
    assert names == sorted(names)


def test_each_built_in_tool_is_described_with_all_its_arguments_and_takes_no_others() -> None:
    for tool in Registry.load():
        assert len(tool.description) > 60, tool.name
        parameters = tool.function_schema["function"]["parameters"]
        assert parameters["additionalProperties"] is False, tool.name
        for name, schema in parameters["properties"].items():
            assert schema.get("description"), f"{tool.name}.{name}"


def test_a_declaration_carries_what_the_tools_table_holds() -> None:
    declared = {row["name"]: row for row in Registry.load().declarations()}
    assert declared["shell_exec"]["implementation_type"] == "python"
    assert declared["shell_exec"]["security_level"] == "dangerous"
    assert declared["shell_exec"]["retry_class"] == "unsafe"
    assert declared["task_complete"]["implementation_type"] == "builtin"
    assert declared["browser_navigate"]["taints"] is True
    assert declared["file_read"]["function_schema"]["function"]["name"] == "file_read"
    assert set(declared["file_read"]) == {
        "name", "display_name", "description", "category", "function_schema", "implementation_type", "security_level",
        "retry_class", "taints", "outward", "destination", "timeout_seconds", "output_limit_bytes",
    }  # fmt: skip


def test_a_users_own_folder_works_like_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "shout.py").write_text(GOOD.format(name="shout"))
    registry = Registry.load([tmp_path])
    shout = registry.get("shout")
    assert shout is not None
    assert shout.description == "Say it louder."
    assert len(registry) == len(BUILT_IN) + 1
    assert registry.get("whisper") is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("def broken(:\n", "line 1: SyntaxError"),
        ("x = 1\nimport no_such_module\n", "line 2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\n", "declares no tool"),
        (GOOD.format(name="Shout"), "'Shout' must be lower case"),
        (GOOD.format(name="shell_exec"), "'shell_exec' is in both"),
        (GOOD.format(name="shout").replace("    '''Say it louder.'''\n", ""), "no docstring"),
    ],
)
def test_a_broken_tool_file_is_named_with_its_problem(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "mine.py").write_text(content)
    with pytest.raises(ConfigError) as raised:
        Registry.load([tmp_path])
    assert str(tmp_path / "mine.py") in str(raised.value)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"AGENT_RUNTIME_TOOLS_PATH: .*nowhere is not a folder"):
        Registry.load([tmp_path / "nowhere"])
