"""Wide research: 25 items, 5 of them failing, one worker with one slot; a table with gaps, and the gaps tried again."""

from __future__ import annotations

import json
from typing import Any

from agent_runtime.context import RESULT_OWED
from agent_runtime.llm.scripted.server import ScriptedServer
from tests.worker.conftest import DONE, Desk, Office, call

PLACES = [f"Place {number:02}" for number in range(1, 26)]
GAPS = [3, 7, 11, 19, 24]
SCHEMA = {
    "type": "object",
    "properties": {"inhabitants": {"type": "integer", "minimum": 0}},
    "required": ["inhabitants"],
    "additionalProperties": False,
}


def items(*numbers: int) -> str:
    return rf"The item to work on:\s+Place ({'|'.join(f'{number:02}' for number in numbers)})\b"


async def asked_of_the_model(server: ScriptedServer) -> list[dict[str, Any]]:
    import httpx

    async with httpx.AsyncClient() as client:
        requests = (await client.get(f"{server.base_url}/scripted/requests")).json()["requests"]
    return [request["body"] for request in requests if request["path"] == "/api/chat"]


async def test_wide_research_with_one_slot(desk: Desk, office: Office) -> None:
    fitting = call("task_complete", answer="Counted.", result={"inhabitants": 12}, files=["out/notes.md"])
    await office.serve(
        # Five whose model server refuses, the first time that it is asked about each.
        *(
            {"when": {"user": items(gap)}, "once": True, "answer": {"status": 400, "error": f"no luck with {gap}"}}
            for gap in GAPS
        ),
        # One that first gives what does not fit, and is told so.
        {
            "when": {"user": items(1)},
            "steps": [
                call("file_read", path="figures.csv"),
                call("file_write", path="out/notes.md", content="Place 01: twelve"),
                call("task_complete", answer="Counted.", result={"inhabitants": "twelve"}),
                fitting,
            ],
        },
        {
            "when": {"user": items(*range(1, 26))},
            "steps": [call("file_write", path="out/notes.md", content="counted"), fitting],
        },
        {
            "when": {"user_contains": "Look all of them up"},
            "steps": [
                call("file_write", path="figures.csv", content="place,inhabitants\n"),
                call(
                    "spawn_tasks",
                    instructions="Find out how many people live there.",
                    items=PLACES,
                    result_schema=SCHEMA,
                    files=["figures.csv"],
                    steps_each=10,
                ),
                call("retry_tasks", spawn=1),
                call("file_read", path="children/03/out/notes.md"),
                call("task_complete", answer="25 places.", files=["children/results.json"]),
            ],
        },
    )
    parent = await desk.submit("Look all of them up.")
    await office.work(concurrency=1)

    task = await desk.task(parent)
    assert (task["status"], task["result"]["answer"]) == ("completed", "25 places."), task["error_message"]
    first, second, third = (await desk.messages(parent, "tool"))[1:4]
    assert first.startswith("Spawn 1: 20 of 25 tasks completed.")
    assert "Gaps, without a result: 3, 7, 11, 19, 24." in first
    assert "| 3 | Place 03 | failed |" in first
    assert "no luck with 3" in first
    assert '| 1 | Place 01 | completed | {"inhabitants": 12} |' in first
    assert second.startswith("Spawn 1: 25 of 25 tasks completed.")
    assert "No gaps." in second
    assert "counted" in third

    made = await desk.rows(
        "select * from public.tasks where parent_task_id = %s order by spawn_item, created_at", parent
    )
    assert len(made) == 30
    assert [row["spawn_item"] for row in made if row["status"] == "failed"] == GAPS
    # The parent held no slot while they ran: there was one, and they had it.
    moved = await desk.rows(
        "select payload ->> 'status' as status, payload ->> 'wait_reason' as reason from public.task_events"
        " where task_id = %s and kind = 'task.status' order by id",
        parent,
    )
    assert [row["reason"] for row in moved if row["status"] == "waiting"] == ["children", "children"]
    assert max(row["limits"]["steps"] for row in made) == 10
    calls = await desk.executions(parent)
    assert [row["tool_name"] for row in calls] == [
        "file_write", "spawn_tasks", "retry_tasks", "file_read", "task_complete",
    ]  # fmt: skip
    assert task["usage"]["tool_calls"] == 5
    assert task["usage"]["children"]["tasks"] == 30
    told = [content for content in await desk.messages(made[0]["id"], "tool") if "does not fit" in content]
    assert "inhabitants: 'twelve' is not of type 'integer'" in told[0]
    rows = json.loads((office.workspace_root / str(parent) / "children" / "results.json").read_text())
    assert rows[0] == {
        "item": 1, "text": "Place 01", "status": "completed", "result": {"inhabitants": 12},
        "files": ["children/01/out/notes.md"],
    }  # fmt: skip


async def test_a_child_without_a_fitting_result_is_told_and_fails_with_the_reason(desk: Desk, office: Office) -> None:
    server = await office.serve(
        {"when": {"user": items(1)}, "answer": {"text": "There are twelve."}},
        {"when": {"user": items(2)}, "answer": call("task_complete", answer="x", result={"inhabitants": -1})},
        {
            "when": {"user_contains": "Look"},
            "steps": [call("spawn_tasks", instructions="Count.", items=PLACES[:2], result_schema=SCHEMA), DONE],
        },
    )
    parent = await desk.submit("Look.")
    await office.work()

    assert (await desk.task(parent))["status"] == "completed"
    words, negative = await desk.rows(
        "select error_message from public.tasks where parent_task_id = %s order by spawn_item", parent
    )
    assert "limit result_tries reached: 3 of 3" in words["error_message"]
    assert "words instead of a call of task_complete" in words["error_message"]
    assert "-1 is less than the minimum of 0" in negative["error_message"]
    asked = [body for body in await asked_of_the_model(server) if "Place 01" in json.dumps(body["messages"])]
    assert RESULT_OWED in [message["content"] for message in asked[1]["messages"]]
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in asked[0]["tools"]}
    assert offered["task_complete"]["properties"]["result"] == SCHEMA
    assert "result" in offered["task_complete"]["required"]
    assert "spawn_tasks" not in offered


async def test_what_cannot_be_spawned_is_said_to_the_model(desk: Desk, office: Office) -> None:
    asking = {"instructions": "x", "items": ["a"]}
    await office.serve_steps(
        call("spawn_tasks", **asking, result_schema={"type": "string"}),
        call("spawn_tasks", **asking, result_schema={**SCHEMA, "$ref": "http://127.0.0.1/x"}),
        call("spawn_tasks", **asking, result_schema={"type": "object", "properties": {"a": {"type": "no"}}}),
        call("spawn_tasks", **asking, files=["nowhere.csv"]),
        call("spawn_tasks", instructions="x", items=["a"] * 101),
        call("retry_tasks"),
        call("task_complete", answer="Done.", result={"a": 1}),
        DONE,
    )
    parent = await desk.submit("Look.")
    await office.work()

    told = await desk.messages(parent, "tool")
    assert [found in text for found, text in zip(
        (
            "must describe an object", "$ref cannot be used", "is no JSON schema", "file on record: nowhere.csv",
            "limit child_tasks reached: 101 of 100", "has spawned no tasks", "leave result out", "",
        ),
        told, strict=True,
    )] == [True] * 8, told  # fmt: skip
    assert await desk.rows("select from public.tasks where parent_task_id = %s", parent) == []
