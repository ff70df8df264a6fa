"""The Ollama client of the runtime against a server on a real port."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from agent_runtime.errors import ConfigError, ContextTooLong, ModelError, ModelMissing, ModelUnavailable
from agent_runtime.llm.chat import ChatMessage, ChatModel, Delta, ToolCall
from agent_runtime.llm.ollama import OllamaChat, open_chat
from agent_runtime.llm.scripted import ScriptedServer
from agent_runtime.llm.structured import StructuredChat
from tests.loopback import LOOPBACK

MODELS = [
    {"name": "able", "capabilities": ["completion", "tools"], "context_length": 8_192},
    {"name": "plain", "capabilities": ["completion"]},
    {"name": "thinker", "capabilities": ["completion", "tools", "thinking"]},
    {"name": "vectors", "capabilities": ["embedding"]},
]
READ = {
    "type": "function",
    "function": {
        "name": "file_read",
        "description": "Read a file.",
        "parameters": {
            "type": "object",
            "properties": {"path": {"anyOf": [{"type": "string"}, {"type": "null"}], "minLength": 1, "default": "x"}},
            "required": ["path"],
        },
    },
}
Serve = Callable[..., AbstractAsyncContextManager[ScriptedServer]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    @asynccontextmanager
    async def serving(*turns: dict[str, Any]) -> AsyncIterator[ScriptedServer]:
        path = tmp_path / "script.yaml"
        path.write_text(yaml.safe_dump({"models": MODELS, "turns": list(turns)}))
        async with ScriptedServer(path) as server:
            yield server

    return serving


async def opened(server: ScriptedServer, model: str = "able", **settings: Any) -> ChatModel:
    given: dict[str, Any] = {"num_ctx": 4_096, "attempts": 3, "first_wait_seconds": 0.01} | settings
    return await open_chat(base_url=server.base_url, model=model, **given)


def hello(text: str = "hello") -> list[ChatMessage]:
    return [ChatMessage(role="user", content=text)]


async def received(server: ScriptedServer, path: str = "/api/chat") -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
        answer = await client.get("/scripted/requests")
    return [entry for entry in answer.json()["requests"] if entry["path"] == path]


async def test_an_answer_arrives_in_pieces_and_as_a_whole(serve: Serve) -> None:
    text = "one two three four five six seven eight nine ten, and some more words after that: café 🙂"
    pieces: list[Delta] = []

    async def keep(delta: Delta) -> None:
        pieces.append(delta)

    async with serve(
        {"answer": {"text": text, "thinking": "hm hm", "prompt_tokens": 12, "output_tokens": 7}}
    ) as server:
        turn = await (await opened(server, "thinker")).reply(hello(), [], keep)
    assert turn.content == text == "".join(piece.content for piece in pieces)
    assert turn.thinking == "hm hm" == "".join(piece.thinking for piece in pieces)
    assert len(pieces) > 2
    assert (turn.model, turn.finish) == ("thinker:latest", "stop")
    assert (turn.usage.prompt_tokens, turn.usage.output_tokens) == (12, 7)
    assert turn.usage.model_seconds > 0


async def test_counts_that_the_server_leaves_out_are_zero(serve: Serve) -> None:
    async with serve({"answer": {"text": "x", "prompt_tokens": 0, "output_tokens": 0}}) as server:
        turn = await (await opened(server)).reply(hello(), [])
    assert (turn.usage.prompt_tokens, turn.usage.output_tokens) == (0, 0)


async def test_tool_calls_keep_their_ids_in_both_directions(serve: Serve) -> None:
    calls = [{"name": "file_read", "arguments": {"path": "a"}}, {"name": "file_read", "arguments": {"path": "b"}}]
    async with serve(
        {"when": {"tool": "file_read"}, "answer": {"text": "done"}}, {"answer": {"tool_calls": calls}}
    ) as server:
        chat = await opened(server)
        first = await chat.reply(hello(), [READ])
        assert [call.arguments for call in first.tool_calls] == [{"path": "a"}, {"path": "b"}]
        one, two = first.tool_calls
        assert one.id != two.id
        history = [
            *hello(),
            ChatMessage(role="assistant", tool_calls=first.tool_calls),
            ChatMessage(role="tool", content="A", tool_call_id=one.id, tool_name="file_read"),
            ChatMessage(role="tool", content="B", tool_call_id=two.id, tool_name="file_read"),
        ]
        assert (await chat.reply(history, [READ])).content == "done"
        sent = (await received(server))[-1]["body"]
    assert [call["id"] for call in sent["messages"][1]["tool_calls"]] == [one.id, two.id]
    assert [message["tool_call_id"] for message in sent["messages"][2:]] == [one.id, two.id]
    assert sent["tools"] == [READ]


async def test_the_request_leaves_nothing_to_the_servers_defaults(serve: Serve) -> None:
    async with serve({"answer": {"text": "x"}}) as server:
        chat = await opened(server, num_ctx=100_000, temperature=0.25, num_predict=77, keep_alive="3m")
        await chat.reply(hello(), [])
        await (await opened(server, num_predict=0)).reply(hello(), [])
        full, bare = [entry["body"] for entry in await received(server)]
    # The window is cut to the one that the model was made for.
    assert full["options"] == {"num_ctx": 8_192, "temperature": 0.25, "num_predict": 77}
    assert (full["truncate"], full["shift"], full["stream"], full["keep_alive"]) == (False, False, True, "3m")
    assert not {"think", "tools", "format"} & full.keys()
    assert bare["options"] == {"num_ctx": 4_096}


async def test_a_model_without_tools_gets_the_schema_protocol(serve: Serve) -> None:
    async with serve() as server:
        assert isinstance(await opened(server, "able"), OllamaChat)
        assert isinstance(await opened(server, "plain"), StructuredChat)
        with pytest.raises(ModelError, match="cannot chat: it can do embedding"):
            await opened(server, "vectors")


async def test_a_missing_model_is_named_with_the_command_that_gets_it(serve: Serve) -> None:
    async with serve() as server:
        with pytest.raises(ModelMissing, match="run `ollama pull absent:7b`"):
            await opened(server, "absent:7b")
        assert len(await received(server, "/api/show")) == 1


async def test_a_conversation_that_does_not_fit_is_refused_not_cut(serve: Serve) -> None:
    async with serve({"answer": {"text": "x"}}) as server:
        chat = await opened(server)
        with pytest.raises(ContextTooLong, match="4096 tokens of 'able'"):
            await chat.reply(hello("word " * 40_000), [])
        assert len(await received(server)) == 1


@pytest.mark.parametrize("status", [429, 499, 500, 503])
async def test_an_overloaded_server_is_asked_again(serve: Serve, status: int) -> None:
    busy = {"times": 2, "answer": {"status": status, "error": "server busy, please try again."}}
    async with serve(busy, {"answer": {"text": "at last"}}) as server:
        assert (await (await opened(server)).reply(hello(), [])).content == "at last"
        assert len(await received(server)) == 3


async def test_a_server_that_stays_overloaded_is_unavailable(serve: Serve) -> None:
    async with serve({"answer": {"status": 503, "error": "server busy"}}) as server:
        with pytest.raises(ModelUnavailable, match="failed with 503: server busy"):
            await (await opened(server)).reply(hello(), [])
        assert len(await received(server)) == 3


async def test_a_refused_request_is_not_repeated(serve: Serve) -> None:
    async with serve({"answer": {"status": 400, "error": "invalid thing"}}) as server:
        with pytest.raises(ModelError, match="refused the request with 400: invalid thing"):
            await (await opened(server)).reply(hello(), [])
        assert len(await received(server)) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"drop": "connection"},
        {"drop": "end"},
        {"error": "an error was encountered while running the model"},
        {"raw": "<html>proxy error</html>"},
        {"raw": "[1, 2]"},
        {"raw": '{"message": {"tool_calls": [{"function": {"name": 7}}]}}'},
    ],
)
async def test_an_answer_that_breaks_off_never_becomes_a_turn(serve: Serve, broken: dict[str, Any]) -> None:
    seen: list[Delta] = []

    async def keep(delta: Delta) -> None:
        seen.append(delta)

    async with serve({"once": True, "answer": {"text": "half an", **broken}}, {"answer": {"text": "whole"}}) as server:
        turn = await (await opened(server)).reply(hello(), [], keep)
        assert turn.content == "whole"
        # Whoever shows the pieces is told that the first ones are void.
        assert [delta.content or delta.restart for delta in seen] == ["half an", True, "whole"]
    async with serve({"answer": {"text": "half an", **broken}}) as server:
        with pytest.raises(ModelUnavailable):
            await (await opened(server)).reply(hello(), [])


async def test_silence_ends_the_wait_but_a_slow_answer_does_not(serve: Serve) -> None:
    slow = {"when": {"user": "slow"}, "answer": {"text": "word " * 40, "chunk_delay_seconds": 0.15}}
    async with serve(slow, {"answer": {"text": "never", "delay_seconds": 60}}) as server:
        chat = await opened(server, silence_seconds=0.4)
        assert len((await chat.reply(hello("slow"), [])).content) == 200
        with pytest.raises(ModelUnavailable, match=r"silent for 0\.4 seconds"):
            await chat.reply(hello("quiet"), [])
        assert len(await received(server)) == 2


async def test_cancelling_stops_the_generation_on_the_server(serve: Serve) -> None:
    first = asyncio.Event()

    async def started(_: Delta) -> None:
        first.set()

    async with serve({"answer": {"text": "word " * 4_000, "chunk_delay_seconds": 0.05}}) as server:
        chat = await opened(server)
        call = asyncio.create_task(chat.reply(hello(), [], started))
        await asyncio.wait_for(first.wait(), 60)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(60):
            while (await received(server))[0]["outcome"] != "cancelled":
                await asyncio.sleep(0.01)


async def test_a_request_cancelled_at_any_moment_of_its_start_leaves_no_connection_open(serve: Serve) -> None:
    async with serve({"answer": {"text": "never", "delay_seconds": 60}}) as server:
        chat = OllamaChat(base_url=server.base_url, model="able", num_ctx=4_096, attempts=1)
        for turns in range(30):
            call = asyncio.create_task(chat.reply(hello(), []))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
    # What was left open says so when it is collected, and warnings are errors.
    gc.collect()


async def test_a_listener_that_fails_is_not_mistaken_for_the_server(serve: Serve) -> None:
    async def broken(_: Delta) -> None:
        raise ValueError("the listener's own")

    async with serve({"answer": {"text": "x"}}) as server:
        with pytest.raises(ValueError, match="the listener's own"):
            await (await opened(server)).reply(hello(), [], broken)
        assert len(await received(server)) == 1


async def test_no_server_is_one_line_that_names_the_address() -> None:
    async with ScriptedServer() as server:
        address = server.base_url
    with pytest.raises(ModelUnavailable, match=f"the model server at {address} does not answer .*: is it running"):
        await open_chat(base_url=address, model="x", num_ctx=4_096, attempts=2, first_wait_seconds=0.01)


async def test_a_server_that_is_not_ollama_is_said_to_be_none(serve: Serve) -> None:
    async with serve() as server:
        with pytest.raises(ModelError, match="refused the request with 404"):
            await open_chat(base_url=f"{server.base_url}/scripted/health", model="x", num_ctx=4_096)


async def test_a_url_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="is not a URL"):
        await open_chat(base_url="http://127.0.0.1:port", model="x", num_ctx=4_096)


async def test_a_text_that_names_a_file_is_sent_as_text(serve: Serve, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"not to be sent")
    call = ToolCall(id="c1", name="file_read", arguments={"path": str(secret)})
    history = [*hello(str(secret)), ChatMessage(role="assistant", tool_calls=(call,))]
    async with serve({"answer": {"text": "x"}}) as server:
        await (await opened(server)).reply(history, [])
        assert "not to be sent" not in str(await received(server))
        assert "images" not in str(await received(server))
