"""The scripted server over HTTP: the shapes of Ollama's API, and scripts."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from ollama import AsyncClient

from agent_runtime.errors import ConfigError
from agent_runtime.llm.scripted import ScriptedServer
from agent_runtime.llm.scripted.script import load_script
from tests.loopback import LOOPBACK

MODELS = [
    {"name": "able", "context_length": 1_000},
    {"name": "plain", "capabilities": ["completion"]},
    {"name": "library/vectors:small", "capabilities": ["embedding"]},
    {"name": "absent", "installed": False},
]


def write(folder: Path, *turns: dict[str, Any], models: Any = MODELS) -> Path:
    path = folder / "script.yaml"
    path.write_text(yaml.safe_dump({"models": models, "turns": list(turns)}))
    return path


def chat(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "able", "messages": [{"role": "user", "content": text}], "stream": False, **more}


async def post(server: ScriptedServer, body: dict[str, Any], path: str = "/api/chat") -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
        return await client.post(path, json=body)


async def test_the_official_client_understands_every_answer(tmp_path: Path) -> None:
    async with (
        ScriptedServer(write(tmp_path, {"answer": {"text": "hi"}})) as server,
        AsyncClient(server.base_url) as ollama,
    ):
        assert [model.model for model in (await ollama.list()).models] == [
            "able:latest",
            "plain:latest",
            "library/vectors:small",
        ]
        shown = await ollama.show("able")
        assert (shown.capabilities, shown.modelinfo["standin.context_length"]) == (["completion", "tools"], 1_000)
        assert [step.status async for step in await ollama.pull("absent", stream=True)][-1] == "success"
        assert (await ollama.show("absent")).capabilities
        vectors = (await ollama.embed("library/vectors:small", ["red fox", "the red fox", "tax law"])).embeddings
        assert all(math.isclose(math.hypot(*vector), 1.0) for vector in vectors)
        one, two, three = vectors
        likeness = [sum(a * b for a, b in zip(one, other, strict=True)) for other in (two, three)]
        assert likeness[0] > likeness[1]
        assert (await ollama.chat("able", [{"role": "user", "content": "x"}])).message.content == "hi"
        assert [model.model for model in (await ollama.ps()).models] == ["able:latest"]


async def test_it_never_says_that_it_is_ollama(tmp_path: Path) -> None:
    async with ScriptedServer() as server, httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
        assert "not a language model" in (await client.get("/")).text
        assert (await client.get("/scripted/health")).json()["mode"] == "policy"
        assert "scripted" in (await client.get("/api/version")).json()["version"]
        shown = (await client.post("/api/show", json={"model": "stand-in"})).json()
        assert shown["details"]["family"] == "stand-in"


async def test_a_stream_ends_with_done_and_leaves_zeros_out(tmp_path: Path) -> None:
    path = write(tmp_path, {"answer": {"text": "hi", "prompt_tokens": 0, "output_tokens": 3}})
    async with ScriptedServer(path) as server:
        lines = [json.loads(line) for line in (await post(server, chat(stream=True))).text.splitlines()]
    assert [line["done"] for line in lines] == [False, True]
    assert lines[-1]["done_reason"] == "stop"
    assert lines[-1]["eval_count"] == 3
    assert "prompt_eval_count" not in lines[-1]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (chat(model="gone"), 404, "model 'gone' not found"),
        (chat(model="plain", tools=[{"type": "function", "function": {"name": "x"}}]), 400, "does not support tools"),
        (chat(think=True), 400, '"able:latest" does not support thinking'),
        (chat(model="library/vectors:small"), 400, "does not support chat"),
        (chat("word " * 2_000, truncate=False, options={"num_ctx": 500}), 400, "exceeds the context length"),
        (chat("word " * 2_000, truncate=False, options={"num_ctx": 90_000}), 400, "exceeds the context length"),
        ({"model": "able", "messages": [{"role": "bishop"}]}, 400, "messages.0.role"),
        ({"messages": []}, 400, "model"),
    ],
)
async def test_a_request_that_ollama_refuses_is_refused(
    tmp_path: Path, body: dict[str, Any], status: int, error: str
) -> None:
    async with ScriptedServer(write(tmp_path, {"answer": {"text": "x"}})) as server:
        answer = await post(server, body)
    assert answer.status_code == status
    assert error in answer.json()["error"]


async def test_unless_told_not_to_the_oldest_messages_are_dropped_in_silence(tmp_path: Path) -> None:
    path = write(tmp_path, {"when": {"turn": 0}, "answer": {"text": "forgot"}}, {"answer": {"text": "remembers"}})
    messages = [
        {"role": "user", "content": "word " * 1_500},
        {"role": "assistant", "content": "word " * 1_500},
        {"role": "user", "content": "and now?"},
    ]
    async with ScriptedServer(path) as server:
        answer = await post(server, {**chat(), "messages": messages})
    assert answer.json()["message"]["content"] == "forgot"


async def test_no_messages_load_the_model(tmp_path: Path) -> None:
    async with ScriptedServer(write(tmp_path)) as server:
        answer = (await post(server, {"model": "able", "messages": [], "stream": False})).json()
    assert (answer["done"], answer["done_reason"]) == (True, "load")


async def test_a_body_that_is_no_json_gets_one_line(tmp_path: Path) -> None:
    async with ScriptedServer() as server, httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
        for content in (b"{", b"[]", b"\xff", b"[" * 100_000):
            answer = await client.post("/api/chat", content=content)
            assert answer.status_code == 400
            assert "the request body is not" in answer.json()["error"]


async def test_groups_of_an_expression_fill_the_answer(tmp_path: Path) -> None:
    call = {"name": "file_read", "arguments": {"path": "${file}", "${1}": ["${0}"]}}
    path = write(tmp_path, {"when": {"user": r"read (?P<file>\S+)"}, "answer": {"text": "$ok", "tool_calls": [call]}})
    async with ScriptedServer(path) as server:
        message = (await post(server, chat('please read a"b.txt now'))).json()["message"]
    assert message["content"] == "$ok"
    assert message["tool_calls"][0]["function"]["arguments"] == {"path": 'a"b.txt', 'a"b.txt': ['read a"b.txt']}


async def test_steps_follow_the_conversation_not_the_server(tmp_path: Path) -> None:
    steps = [{"tool_calls": [{"name": "look", "arguments": {}}]}, {"text": "seen"}]
    path = write(tmp_path, {"when": {"user_contains": "look"}, "steps": steps}, {"answer": {"text": "otherwise"}})
    asked = [{"role": "user", "content": "look around"}]
    called = {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": {}}}]}
    result = {"role": "tool", "tool_call_id": "c1", "tool_name": "look", "content": "a wall"}
    async with ScriptedServer(path) as first:
        one = (await post(first, {**chat(), "messages": asked})).json()["message"]
    # Another server, as after a move to another worker.
    async with ScriptedServer(path) as second:
        again = (await post(second, {**chat(), "messages": asked})).json()["message"]
        two = (await post(second, {**chat(), "messages": [*asked, called, result]})).json()["message"]
        three = (await post(second, {**chat(), "messages": [*asked, called, result, called, result]})).json()["message"]
    assert one["tool_calls"] == again["tool_calls"]
    assert (two["content"], three["content"]) == ("seen", "otherwise")


async def test_a_turn_applies_only_where_everything_it_says_holds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"when": {"model": "plain"}, "answer": {"text": "plain one"}},
        {"when": {"tool": "look", "tool_result": "wall$"}, "answer": {"text": "a wall"}},
        {"name": "first", "when": {"turn": 0, "user": "^hi"}, "answer": {"text": "greeting"}},
    )
    called = {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": {}}}]}
    seen = [chat()["messages"][0], called, {"role": "tool", "tool_name": "look", "content": "a wall"}]
    async with ScriptedServer(path) as server:
        assert (await post(server, chat(model="plain"))).json()["message"]["content"] == "plain one"
        assert (await post(server, {**chat(), "messages": seen})).json()["message"]["content"] == "a wall"
        assert (await post(server, chat("hi there"))).json()["message"]["content"] == "greeting"
        nothing = await post(server, chat("what?"))
        async with httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
            entries = (await client.get("/scripted/requests")).json()["requests"]
    assert nothing.status_code == 400
    assert "no turn of the script applies" in nothing.json()["error"]
    assert [(entry["turn"], entry["outcome"]) for entry in entries][-2:] == [("first", "answered"), (None, "refused")]


async def test_once_and_times_count_the_answers_of_a_server(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"once": True, "answer": {"text": "a"}},
        {"times": 2, "answer": {"text": "b"}},
        {"answer": {"text": "c"}},
    )
    async with ScriptedServer(path) as server:
        said = [(await post(server, chat())).json()["message"]["content"] for _ in range(5)]
    assert said == ["a", "b", "b", "c", "c"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("models: [", "line 1, column 10: not YAML"),
        ("- 1", "must be a mapping"),
        ("models: []", "models: List should have at least 1 item"),
        ("models: [{name: a, capabilities: [flying]}]", "models.0.capabilities.0: Input should be"),
        ("models: [{name: a}, {name: 'a:latest'}]", "model a:latest is listed twice"),
        ("models: [{name: a}]\nturns: [{answer: {txt: x}}]", "turns.0.answer.txt: Extra inputs"),
        (
            "models: [{name: a}]\nturns: [{when: {user: '('}, answer: {}}]",
            "turns.0.when.user: not a regular expression",
        ),
        ("models: [{name: a}]\nturns: [{}]", "turns.0: give either `answer` or `steps`"),
        ("models: [{name: a}]\nturns: [{answer: {text: '${who}'}}]", "turns.0: ${who} names no group"),
        ("models: [{name: a}]\nturns: [{answer: {status: 500}}]", "turns.0.answer: `status` needs an `error`"),
        ("models: [{name: a}]\nturns: [{when: {model: b}, answer: {}}]", "turns.0.when.model: b is not under `models`"),
    ],
)
def test_a_bad_script_gets_one_line_that_names_the_place(tmp_path: Path, content: str, place: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_script(path)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


async def test_many_clients_are_answered_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, {"answer": {"text": "x", "delay_seconds": 1}})
    async with ScriptedServer(path) as server, httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
        # One after the other they would take half a minute.
        async with asyncio.timeout(25):
            answers = await asyncio.gather(*(client.post("/api/chat", json=chat(stream=True)) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}


async def test_the_server_ends_while_an_answer_is_under_way(tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        async with ScriptedServer(write(tmp_path, {"answer": {"text": "x", "delay_seconds": 600}})) as server:
            waiting = asyncio.create_task(post(server, chat(stream=True)))
            async with httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
                while not (await client.get("/scripted/requests")).json()["requests"]:
                    await asyncio.sleep(0.01)
        with pytest.raises(httpx.HTTPError):
            (await waiting).raise_for_status()
