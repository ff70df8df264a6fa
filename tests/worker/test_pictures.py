"""A picture that a tool read reaches a model that sees, as it was then; another model is told in words."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx

from agent_runtime.llm.chat import ChatMessage, ToolCall
from agent_runtime.llm.scripted import ScriptedServer
from agent_runtime.llm.structured import render
from agent_runtime.records import Execution
from agent_runtime.shown_pictures import GONE, NO_VISION, NOT_AGAIN, PICTURES_LIMIT, ShownPictures
from agent_runtime.toolbox.workspace import Workspace
from tests.loopback import LOOPBACK
from tests.worker.conftest import DONE, Desk, Office, call

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
STEPS = (
    call("shell_exec", command=f"echo {PIXEL} | base64 -d > a.png && echo 'see [img-7] and [img]'"),
    call("file_read", path="a.png"),
    call("shell_exec", command="rm a.png"),
    DONE,
)


async def test_a_picture_reaches_a_model_that_sees_and_stays_as_it_was(desk: Desk, office: Office) -> None:
    server = await office.serve({"steps": list(STEPS)}, capabilities=("completion", "tools", "vision"))
    task_id = await desk.submit()
    await office.work()

    assert (await desk.task(task_id))["status"] == "completed"
    (read,) = [row for row in await desk.executions(task_id) if row["tool_name"] == "file_read"]
    (recorded,) = read["output_result"]["images"]
    requests = await _chats(server)
    for messages in requests[2:]:
        (with_picture,) = [message for message in messages if message.get("images")]
        assert with_picture["tool_name"] == "file_read"
        assert "PNG picture of 1 × 1 pixels" in with_picture["content"]
        (shown,) = with_picture["images"]
        assert hashlib.sha256(base64.b64decode(shown)).hexdigest() == recorded["sha256"]
    assert not any("[img" in message["content"] for messages in requests for message in messages)
    files = await desk.rows("select filename from public.files where task_id = %s and kind = 'file'", task_id)
    assert recorded["path"] in [row["filename"] for row in files], "another worker finds it too"


async def test_a_model_that_cannot_see_is_told_so(desk: Desk, office: Office) -> None:
    server = await office.serve({"steps": list(STEPS)})
    await desk.submit()
    await office.work()

    last = (await _chats(server))[-1]
    assert not any(message.get("images") for message in last)
    (told,) = [message for message in last if message.get("tool_name") == "file_read"]
    assert told["content"].endswith(NO_VISION)


async def _chats(server: ScriptedServer) -> list[list[dict[str, Any]]]:
    async with httpx.AsyncClient(**LOOPBACK) as http:
        found = (await http.get(f"{server.base_url}/scripted/requests")).json()["requests"]
    return [entry["body"]["messages"] for entry in found if entry["path"] == "/api/chat" and entry["body"]["messages"]]


def test_old_pictures_are_left_out_half_of_them_at_a_time_and_changed_ones_are_not_shown(tmp_path: Path) -> None:
    workspace, calls = Workspace.create(tmp_path), []
    for number in range(PICTURES_LIMIT + 1):
        content = b"picture %d" % number
        workspace.write_bytes(f"{number}.png", content)
        calls.append(_execution(number, f"{number}.png", hashlib.sha256(content).hexdigest()))
    pictures = ShownPictures(workspace).of(calls[:PICTURES_LIMIT], vision=True)
    assert all(len(images) == 1 and not note for images, note in pictures.values())
    workspace.write_bytes("8.png", b"another")
    pictures = ShownPictures(workspace).of(calls, vision=True)
    notes = [note for _, note in pictures.values()]
    assert notes == [NOT_AGAIN] * 4 + [""] * 4 + [GONE]
    assert [len(images) for images, _ in pictures.values()] == [0] * 4 + [1] * 4 + [0]


def test_a_model_that_answers_in_json_gets_the_pictures_with_the_results() -> None:
    messages = [
        ChatMessage(role="user", content="look"),
        ChatMessage(role="assistant", tool_calls=(ToolCall(id="1", name="a"), ToolCall(id="2", name="b"))),
        ChatMessage(role="tool", content="one", tool_name="a", images=("AAAA",)),
        ChatMessage(role="tool", content="two", tool_name="b", images=("BBBB",)),
    ]
    last = render(messages, [])[-1]
    assert (last["role"], list(last["images"])) == ("user", ["AAAA", "BBBB"])
    assert "images" not in render(messages[:1], [])[0]


def _execution(step: int, path: str, sha256: str) -> Execution:
    return Execution.model_validate(
        {
            "id": f"00000000-0000-0000-0000-{step:012}",
            "tool_name": "file_read",
            "retry_class": "pure",
            "tool_call_id": str(step),
            "input_parameters": {},
            "output_result": {"images": [{"path": path, "sha256": sha256}]},
            "status": "completed",
            "step": step,
            "call_index": 0,
        }
    )
