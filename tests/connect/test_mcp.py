"""Servers of tools (MCP), real ones and hostile ones, in the sandbox and over HTTP, called as the worker calls them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.records import ToolRow
from agent_runtime.toolbox.connect.mcp_session import McpSession
from tests.connect.rows import Caller, row

# Looked for, not imported: every process of a run reads this file.
pytestmark = pytest.mark.skipif(find_spec("mcp") is None, reason="the package mcp is not installed")

HOSTILE = (Path(__file__).parent / "hostile_server.py").read_text()
TIME = {"transport": "stdio", "command": ["python3", "-m", "mcp_server_time", "--local-timezone=Europe/Madrid"]}


def hostile(behaviour: str) -> dict[str, Any]:
    return {"transport": "stdio", "command": ["python3", "-I", "-c", HOSTILE, behaviour], "prefix": "x_"}


async def listed(caller: Caller, config: dict[str, Any], name: str = "server", **columns: Any) -> dict[str, ToolRow]:
    """The rows that an administrator would take from a server's listing, by name."""
    outcome = await caller(row("mcp", config, name=name, **columns))
    assert outcome.status == "completed", outcome.content
    assert outcome.data["server"] == name
    return {
        made["name"]: row("mcp", made["config"], name=made["name"], function_schema=made["function_schema"], **columns)
        for made in outcome.data["tools"]
    }


async def test_a_reference_server_is_listed_and_called_through_one_connection(caller: Caller) -> None:
    tools = await listed(caller, TIME | {"deny": ["get_*"]}, name="time")
    assert list(tools) == ["time_convert_time"]
    tools = await listed(caller, TIME | {"prefix": "clock_"}, name="time")
    convert = tools["clock_convert_time"]
    described = convert.function_schema["function"]["description"]
    assert described.startswith("The tool convert_time of the server time. Its own description, by a stranger: Convert")
    given = {"source_timezone": "Europe/Madrid", "time": "12:00", "target_timezone": "UTC"}
    outcome = await caller(convert, **given)
    assert outcome.status == "completed"
    assert outcome.data["structured"]["target"]["timezone"] == "UTC"
    assert json.loads(outcome.content)["target"]["datetime"][10:16] in ("T10:00", "T11:00")
    # The server's own refusal is the model's to mend, and so are arguments off the schema, which never reach it.
    wrong = await caller(convert, **given | {"target_timezone": "Mars/Base"})
    assert wrong.status == "failed"
    assert "Mars/Base" in wrong.content
    refused = await caller(convert, time="12:00", zone="x")
    assert "'zone' is not one of its arguments" in refused.content
    assert "'target_timezone' is missing" in refused.content
    assert len(caller.sessions.keys()) == 1


async def test_hostile_servers_are_bounded_told_and_gone(caller: Caller) -> None:
    for behaviour, tool, said in (
        (
            "dies",
            "act",
            "the server server is gone; the next call starts it anew: its command ended with 3; the last words",
        ),
        ("hangs", "act", "did not answer within 1.7 seconds, and its connection was closed"),
        ("floods", "act", "limit messages reached: over 10000 messages for one call"),
        ("one_line", "act", "limit line_bytes reached"),
        ("lies", "act", "answered against its protocol"),
        ("wrong_id", "act", "did not answer within 1.7 seconds"),
        ("errors", "act", "refused: no such luck"),
        ("deep", "act", "did not answer within 1.7 seconds"),
    ):
        tools = await listed(caller, hostile(behaviour))
        session = next(caller.sessions.find(key, McpSession) for key in [*caller.sessions.keys()])
        assert session is not None
        limits = {"timeout_seconds": 3} if "1.7" in said else {}
        outcome = await caller(tools[f"x_{tool}"].model_copy(update=limits), text="a")
        assert outcome.status == "failed", behaviour
        assert said in outcome.content, (behaviour, outcome.content)
        assert len(outcome.content) < 1500, behaviour
        assert session.ended or behaviour in ("lies", "errors"), behaviour
        # A server that died is started again by the next call, and nothing of it stays when the run ends.
        if behaviour == "dies":
            assert "is gone" in (await caller(tools["x_act"], text="a")).content
        await caller.sessions.close_all()
        assert session.ended


async def test_servers_that_never_greet_or_cannot_start_are_told(caller: Caller) -> None:
    async def refusal(config: dict[str, Any], seconds: int = 60) -> str:
        outcome = await caller(row("mcp", config, name="server", timeout_seconds=seconds))
        assert outcome.status == "failed"
        return outcome.content

    assert "did not answer when it was greeted" in await refusal(hostile("silent"), 3)
    assert "could not be reached" in await refusal(hostile("ends_at_once"))
    assert "could not be reached" in await refusal({"transport": "stdio", "command": ["no-such-program"]})
    assert "could not be reached" in await refusal(hostile("floods_at_once"))
    assert caller.sessions.keys() == []


async def test_a_servers_words_are_bounded_and_cleaned_and_its_tools_filtered(caller: Caller) -> None:
    outcome = await caller(row("mcp", hostile("words") | {"deny": ["secret_*"]}, name="server"))
    assert outcome.status == "completed", outcome.content
    tools = {made["name"]: made for made in outcome.data["tools"]}
    assert set(tools) == {"x_act", "x_read_file", "x_loop"}
    left_out = "\n".join(outcome.data["left_out"])
    for why in (
        "secret_door: the server's row does not allow it",
        "READ.FILE: its name would be x_read_file, which another one has",
        "big: its schema comes to over 2000 parts",
        "bomb: its schema comes to over 2000 parts",
        "array: its parameters are no JSON schema: at properties.a.type",
        "holds what cannot be seen",
    ):
        assert why in left_out, why
    # A thousand characters at most, on one line, without escapes, marks of direction or tags.
    said = tools["x_act"]["description"]
    assert len(said) < 1200
    assert said.isprintable()
    assert "\u202e" not in said and "\U000e0041" not in said and "\x1b" not in said
    # What could make the worker compute for ever, or fetch something, is not taken from a stranger's schema.
    schema = json.dumps(tools["x_act"]["function_schema"])
    assert "(a+)+$" not in schema and "http://127.0.0.1" not in schema
    loop = row("mcp", tools["x_loop"]["config"], name="x_loop", function_schema=tools["x_loop"]["function_schema"])
    # A schema that refers to itself takes anything there, and one whose references double at each step is not taken.
    assert json.dumps(loop.function_schema["function"]["parameters"]["properties"]) == '{"node": {}}'
    assert (await caller(loop, node={"a": [1]})).content == "done: "


async def test_a_changed_tool_is_refused_until_an_administrator_has_looked(caller: Caller) -> None:
    tools = await listed(caller, hostile("turns"))
    first = await caller(tools["x_act"], text="a")
    assert first.content == "done: a"
    # It says so by a notification, after its answer; a server that says nothing is found out at the next listing.
    async with asyncio.timeout(30):
        while (outcome := await caller(tools["x_act"], text="b")).status == "completed":
            await asyncio.sleep(0.01)
    assert outcome.status == "failed"
    assert "has changed this tool since it was approved" in outcome.content
    assert "agent-runtime tools refresh server" in outcome.content
    anew = await listed(caller, hostile("turns"))
    assert (await caller(anew["x_act"], text="c")).content == "done: c"
    gone = tools["x_act"].model_copy(update={"config": tools["x_act"].config | {"tool": "no_more"}})
    assert "offers this tool no longer" in (await caller(gone, text="a")).content


async def test_what_a_server_answers_is_made_fit(caller: Caller) -> None:
    tools = await listed(caller, hostile("answers"))
    outcome = await caller(tools["x_act"], text="a")
    lines = outcome.content.splitlines()
    assert lines[0] == "red"
    assert lines[1].startswith("[a picture, kept as from_servers/")
    assert lines[2:-1] == [
        "[a picture that is broken]",
        "[a picture of type image/svg+xml, which was not kept]",
        "[a resource of the server: file:///etc/passwd]",
        "[a part of type audio, which is not shown]",
    ]
    # It is kept as it came, and no picture that a model could be shown.
    assert lines[-1].startswith("[from_servers/")
    assert "not shown: it is broken" in lines[-1]
    (picture,) = (caller.folder / "from_servers").iterdir()
    assert picture.read_bytes() == b"\x89PNG"
    assert "structured" not in outcome.data  # over 64 KiB


async def test_a_server_sees_neither_the_workspace_nor_the_network_nor_the_workers_environment(caller: Caller) -> None:
    caller.folder.mkdir()
    (caller.folder / "secret.txt").write_text("x")
    os.environ["AGENT_RUNTIME_TEST_SECRET"] = "y"
    try:
        seen = (await caller((await listed(caller, hostile("looks")))["x_act"], text="a")).content
        assert "secret.txt" not in seen
        assert "AGENT_RUNTIME_TEST_SECRET" not in seen
        assert "no network" in seen
        granted = await listed(caller, hostile("looks") | {"workspace": True, "environment": {"GIVEN": "1"}})
        seen = (await caller(granted["x_act"], text="a")).content
        assert "secret.txt" in seen
        assert "GIVEN" in seen
    finally:
        del os.environ["AGENT_RUNTIME_TEST_SECRET"]


async def test_streamable_http_goes_through_the_guard_with_the_rows_headers(caller: Caller) -> None:
    async with HttpServer() as (url, host, seen):
        config = {"transport": "http", "url": url, "headers": {"Authorization": "Bearer abc"}}
        private = await caller(row("mcp", config, name="server"))
        assert private.status == "failed"
        assert "127.0.0.1 is not a public address" in private.content
        assert seen == []
        tools = await listed(caller, config | {"allow_hosts": [host]})
        outcome = await caller(tools["server_greet"], name="Ana")
        assert (outcome.status, outcome.content) == ("completed", "Hello, Ana")
        assert set(seen) == {"Bearer abc"}
        elsewhere = config | {"allow_hosts": [host], "url": url.replace("/mcp", "/elsewhere")}
        assert "could not be reached" in (await caller(row("mcp", elsewhere, name="server"))).content


class HttpServer:
    """A server of the SDK's own on this machine: its address, its host with the port, the keys that it saw."""

    async def __aenter__(self) -> tuple[str, str, list[str]]:
        import uvicorn
        from mcp.server.mcpserver import MCPServer

        server, seen = MCPServer("greeter"), list[str]()

        @server.tool()
        def greet(name: str) -> str:
            """Greet somebody."""
            return f"Hello, {name}"

        inner = server.streamable_http_app()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                seen.append(dict(scope["headers"]).get(b"authorization", b"").decode())
                if scope["path"] == "/elsewhere":
                    await send(
                        {"type": "http.response.start", "status": 302, "headers": [(b"location", b"http://10.0.0.1/")]}
                    )
                    await send({"type": "http.response.body"})
                    return
            await inner(scope, receive, send)

        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/mcp", f"127.0.0.1:{port}", seen

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        with suppress(asyncio.CancelledError):
            await self._serving


async def test_a_worker_without_the_extra_says_what_to_install(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    outcome = await caller(row("mcp", TIME, name="server"))
    assert outcome.status == "failed"
    assert "pip install 'agent-runtime[mcp]' on the workers" in outcome.content
