"""The JSON-schema protocol: what is asked, and what becomes of what small models answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.llm.answer_schema import answer_schema, describe_tools
from agent_runtime.llm.chat import ChatMessage, Delta, ToolCall
from agent_runtime.llm.frames import frame, unframe
from agent_runtime.llm.ollama import open_chat
from agent_runtime.llm.parse_answer import parse_answer
from agent_runtime.llm.scripted import ScriptedServer
from agent_runtime.llm.structured import render
from tests.loopback import LOOPBACK

TOOL = {
    "type": "function",
    "function": {
        "name": "file_read",
        "description": "Read a file.\nSlowly.",
        "parameters": {
            "$defs": {"Mode": {"enum": ["text", "raw"], "title": "Mode"}},
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Which file.", "maxLength": 100_000, "pattern": "a"},
                "mode": {"$ref": "#/$defs/Mode", "default": "text"},
                "lines": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    },
}
HISTORY = [
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content="Read both."),
    ChatMessage(
        role="assistant",
        content="Reading.",
        tool_calls=(
            ToolCall(id="1", name="file_read", arguments={"path": "a"}),
            ToolCall(id="2", name="file_read", arguments={"path": "b"}),
        ),
    ),
    ChatMessage(role="tool", content="A~~~\n~~~~ inside", tool_call_id="1", tool_name="file_read"),
    ChatMessage(role="tool", content="B", tool_call_id="2", tool_name="file_read"),
]


def server_with(folder: Path, *turns: dict[str, Any]) -> ScriptedServer:
    script = {"models": [{"name": "plain", "capabilities": ["completion"]}], "turns": list(turns)}
    path = folder / "script.yaml"
    path.write_text(yaml.safe_dump(script))
    return ScriptedServer(path)


async def test_the_request_constrains_the_answer_and_never_sends_tools(tmp_path: Path) -> None:
    call = {"name": "file_read", "arguments": {"path": "c"}}
    async with server_with(tmp_path, {"answer": {"tool_calls": [call]}}) as server:
        chat = await open_chat(base_url=server.base_url, model="plain", num_ctx=4_096)
        turn = await chat.reply(HISTORY, [TOOL])
        async with httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
            sent = (await client.get("/scripted/requests")).json()["requests"][-1]["body"]
    assert [(made.name, made.arguments) for made in turn.tool_calls] == [("file_read", {"path": "c"})]
    assert turn.tool_calls[0].id
    assert turn.content == ""
    assert "tools" not in sent
    assert sent["format"] == answer_schema([TOOL])
    assert {message["role"] for message in sent["messages"]} == {"system", "user", "assistant"}
    assert "tool_calls" not in json.dumps(sent["messages"])


def test_the_schema_allows_each_tool_with_its_own_arguments_or_words() -> None:
    schema = answer_schema([TOOL])
    call, words = schema["anyOf"]
    assert call["properties"]["tool"] == {"const": "file_read"}
    assert call["required"] == ["tool", "arguments"]
    arguments = call["properties"]["arguments"]
    assert arguments["required"] == ["path"]
    # A reference of the tool's own schema still points at something, now in the whole.
    assert arguments["properties"]["mode"] == {"$ref": "#/$defs/file_read.Mode"}
    assert schema["$defs"] == {"file_read.Mode": {"enum": ["text", "raw"]}}
    # What makes grammars huge or is refused by servers is left to the check of the arguments.
    assert arguments["properties"]["path"] == {"type": "string"}
    assert arguments["properties"]["lines"] == {"type": "array", "items": {"type": "integer"}}
    assert words["required"] == ["say"]


def test_the_tools_are_told_in_words() -> None:
    told = describe_tools([TOOL])
    assert "file_read: Read a file. Slowly." in told
    assert "- path (string): Which file." in told
    assert "- lines (list of integer, optional)" in told


def test_results_come_back_as_text_that_cannot_leave_its_frame() -> None:
    messages = render(HISTORY, [TOOL])
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"].startswith("Be brief.\n\n# How to answer")
    assert messages[2]["content"].splitlines() == [
        '{"say": "Reading."}',
        '{"tool": "file_read", "arguments": {"path": "a"}}',
        '{"tool": "file_read", "arguments": {"path": "b"}}',
    ]
    assert unframe(messages[3]["content"]) == [("file_read", "A~~~\n~~~~ inside"), ("file_read", "B")]


@settings(derandomize=True, deadline=None)
@given(contents=st.lists(st.text(alphabet="~\n a[]", max_size=30), min_size=1, max_size=3))
def test_frames_give_back_what_was_framed(contents: list[str]) -> None:
    text = "\n\n".join(frame("shell_exec", content) for content in contents)
    assert unframe(text) == [("shell_exec", content) for content in contents]


@pytest.mark.parametrize(
    ("text", "said", "calls"),
    [
        ('{"say": "hello"}', "hello", []),
        ('{"tool": "t", "arguments": {"a": 1}}', "", [("t", {"a": 1})]),
        ('Sure!\n```json\n{"tool": "t", "arguments": {}}\n```', "", [("t", {})]),
        ('<think>{"tool": "x"}</think>{"tool": "t", "arguments": {}}', "", [("t", {})]),
        ('{"tool": "t", "arguments": {"a": "line\nbreak",},}', "", [("t", {"a": "line\nbreak"})]),
        ("{'tool': 't', 'arguments': {'a': True}}", "", [("t", {"a": True})]),
        ('{"name": "t", "parameters": {"a": 1}}', "", [("t", {"a": 1})]),
        ('{"function": {"name": "t", "arguments": "{\\"a\\": 1}"}}', "", [("t", {"a": 1})]),
        ('{"tool": "t", "a": 1}', "", [("t", {"a": 1})]),
        ('[{"tool": "t", "arguments": {}}, {"tool": "u", "arguments": {}}]', "", [("t", {}), ("u", {})]),
        ('{"say": "first"}\n{"tool": "t", "arguments": {}}', "first", [("t", {})]),
        ("just words", "just words", []),
        ('{"tool": "file_write", "arguments": {"content": "half of', None, []),
        ('{"tool": "t", "arguments": {"inner": {"tool": "evil", "arguments": {}}', None, []),
        ("", "", []),
        ("[" * 5_000, None, []),
        ('{"a":' * 5_000, None, []),
    ],
)
def test_what_small_models_write_is_read_as_it_was_meant(text: str, said: str | None, calls: list[Any]) -> None:
    found, made = parse_answer(text)
    assert found == (text.strip() if said is None else said)
    assert [(call.name, call.arguments) for call in made] == calls


@settings(derandomize=True, deadline=None)
@given(text=st.text(alphabet="{}[]\":,\\tolarguments sy1'\n", max_size=60))
def test_no_answer_breaks_the_reader(text: str) -> None:
    parse_answer(text)


async def test_an_answer_cut_off_by_its_length_makes_no_call(tmp_path: Path) -> None:
    half = '{"tool": "file_write", "arguments": {}} {"tool'
    async with server_with(tmp_path, {"answer": {"text": half, "done_reason": "length"}}) as server:
        chat = await open_chat(base_url=server.base_url, model="plain", num_ctx=4_096)
        turn = await chat.reply(HISTORY, [TOOL])
    assert (turn.finish, turn.tool_calls, turn.content) == ("length", (), half)


async def test_what_is_said_streams_as_text_without_its_json(tmp_path: Path) -> None:
    said = 'A "quoted" word, a \\ backslash,\nnew lines, é and 🙂 ' * 12
    spoken: list[Delta] = []

    async def keep(delta: Delta) -> None:
        spoken.append(delta)

    async with server_with(tmp_path, {"answer": {"text": json.dumps({"say": said})}}) as server:
        chat = await open_chat(base_url=server.base_url, model="plain", num_ctx=4_096)
        turn = await chat.reply(HISTORY, [TOOL], keep)
    assert turn.content == said == "".join(delta.content for delta in spoken)
    assert len(spoken) > 5


async def test_without_tools_the_answer_is_free_text(tmp_path: Path) -> None:
    async with server_with(tmp_path, {"answer": {"text": "Plain words."}}) as server:
        chat = await open_chat(base_url=server.base_url, model="plain", num_ctx=4_096)
        assert (await chat.reply(HISTORY, [])).content == "Plain words."
