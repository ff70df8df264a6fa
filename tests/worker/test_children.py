"""Wide research: 25 items, 5 of them failing, one worker with one slot; a table with gaps, and the gaps tried again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from agent_runtime.context import RESULT_OWED
from agent_runtime.llm.scripted.server import ScriptedServer
from tests.loopback import LOOPBACK
from tests.worker.conftest import DONE, Desk, Office, call, see

PLACES = ["Place 01", "Place 02", "Place 03"]
SCHEMA = {
    "type": "object",
    "properties": {"inhabitants": {"type": "integer", "minimum": 0}},
    "required": ["inhabitants"],
    "additionalProperties": False,
}

CHILD = "select from tasks c where c.parent_task_id = %s"


def items(*numbers: int) -> str:
    return rf"The item to work on:\s+Place ({'|'.join(f'{number:02}' for number in numbers)})\b"


async def asked_of_the_model(server: ScriptedServer) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(**LOOPBACK) as client:
        requests = (await client.get(f"{server.base_url}/scripted/requests")).json()["requests"]
    return [request["body"] for request in requests if request["path"] == "/api/chat"]


async def test_wide_research_with_one_slot(desk: Desk, office: Office) -> None:
    script = yaml.safe_load((Path(__file__).parents[2] / "examples" / "wide-research.yaml").read_text())
    await office.serve(*script["turns"])
    parent = await desk.submit("Look into these 25 cities.")
    await office.work(concurrency=1)

    task = await desk.task(parent)
    assert (task["status"], task["result"]["answer"]) == ("completed", "All 25 cities were found."), task[
        "error_message"
    ]
    first, second = (await desk.messages(parent, "tool"))[1:3]
    # Fenced: what children found is from outside where they read something from there.
    assert "\nSpawn 1: 20 of 25 tasks completed." in first
    assert "Gaps, without a result: 3, 7, 11, 19, 24." in first
    assert "| 3 | Barcelona | failed |" in first
    assert "the model stumbled over Barcelona" in first
    assert '| 1 | Amsterdam | completed | {"city": "Amsterdam", "is_listed": true} |' in first
    assert "\nSpawn 1: 25 of 25 tasks completed." in second
    assert "No gaps." in second

    made = await desk.rows(
        "select * from public.tasks where parent_task_id = %s order by spawn_item, created_at", parent
    )
    assert len(made) == 30
    assert [row["spawn_item"] for row in made if row["status"] == "failed"] == [3, 7, 11, 19, 24]
    # The parent held no slot while they ran: there was one, and they had it.
    moved = await desk.rows(
        "select payload ->> 'status' as status, payload ->> 'wait_reason' as reason from public.task_events"
        " where task_id = %s and kind = 'task.status' order by id",
        parent,
    )
    assert [row["reason"] for row in moved if row["status"] == "waiting"] == ["children", "children"]
    assert {row["limits"]["steps"] for row in made} == {10}
    calls = await desk.executions(parent)
    assert [row["tool_name"] for row in calls] == ["file_write", "spawn_tasks", "retry_tasks", "task_complete"]
    assert task["usage"]["tool_calls"] == 4
    assert task["usage"]["children"]["tasks"] == 30
    workspace = office.workspace_root / str(parent)
    assert (workspace / "children" / "03" / "notes" / "Barcelona.md").read_text() == "Barcelona: 3"
    rows = json.loads((workspace / "children" / "results.json").read_text())
    assert rows[0] == {
        "item": 1, "text": "Amsterdam", "status": "completed", "result": {"city": "Amsterdam", "is_listed": True},
        "files": ["children/01/notes/Amsterdam.md"],
    }  # fmt: skip
    notices = await desk.rows(
        "select payload ->> 'text' as text from public.task_events where task_id = %s and kind = 'task.notice'", parent
    )
    assert "25 of 25 spawned tasks have ended, 5 of them without a result" in [row["text"] for row in notices]


async def test_a_child_without_a_fitting_result_is_told_and_fails_with_the_reason(desk: Desk, office: Office) -> None:
    server = await office.serve(
        {"when": {"user": items(1)}, "answer": {"text": "There are twelve."}},
        {"when": {"user": items(2)}, "answer": call("task_complete", answer="x", result={"inhabitants": -1})},
        {
            "when": {"user": items(3)},
            "steps": [
                call("task_complete", answer="x", result={"inhabitants": "many"}),
                call("task_complete", answer="x", result={"inhabitants": 7}),
            ],
        },
        {
            "when": {"user_contains": "Look"},
            "steps": [call("spawn_tasks", instructions="Count.", items=PLACES, result_schema=SCHEMA), DONE],
        },
    )
    parent = await desk.submit("Look.")
    await office.work()

    assert (await desk.task(parent))["status"] == "completed"
    words, negative, mended = await desk.rows(
        "select id, error_message, result from public.tasks where parent_task_id = %s order by spawn_item", parent
    )
    assert "limit result_tries reached: 3 of 3" in words["error_message"]
    assert "words instead of a call of task_complete" in words["error_message"]
    assert "-1 is less than the minimum of 0" in negative["error_message"]
    assert mended["result"]["result"] == {"inhabitants": 7}
    assert "inhabitants: 'many' is not of type 'integer'" in (await desk.messages(mended["id"], "tool"))[0]
    asked = [body for body in await asked_of_the_model(server) if "Place 01" in json.dumps(body["messages"])]
    assert RESULT_OWED in [message["content"] for message in asked[1]["messages"]]
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in asked[0]["tools"]}
    assert offered["task_complete"]["properties"]["result"] == SCHEMA
    assert "result" in offered["task_complete"]["required"]
    assert "spawn_tasks" not in offered


async def test_a_child_that_ends_while_the_database_is_asked_wakes_its_parent_before_the_draining_ends(
    desk: Desk, office: Office
) -> None:
    await office.serve(
        {
            "when": {"user": items(1)},
            "steps": [call("shell_exec", command="until [ -e go ]; do sleep 0.02; done"), DONE],
        },
        {
            "when": {"user_contains": "Look"},
            "steps": [call("spawn_tasks", instructions="Count.", items=PLACES[:1]), DONE],
        },
    )
    parent = await desk.submit("Look.")
    async with await psycopg.AsyncConnection.connect(office.stack.database_url, autocommit=True) as owner:
        found = await owner.execute("select pg_get_functiondef('private.tend_families'::regproc)")
        (tend,) = await found.fetchone() or ("",)
        waiting = tend.replace(
            "  return v_tenants;", "  perform pg_advisory_xact_lock_shared(4711);\n  return v_tenants;"
        )
        assert waiting != tend
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(office.work(concurrency=2, poll_seconds=0.05))
                # Its folder is there by then.
                running = "exists (select from tool_executions e where e.task_id = c.id and e.status = 'running')"
                await see(desk, f"exists ({CHILD} and {running})", parent)
                # From here on a claim stands still between its look at families and its look at tasks.
                await owner.execute("select pg_advisory_lock(4711)")
                await owner.execute(waiting)
                await see(desk, "exists (select from pg_locks where objid = 4711 and not granted)")
                rows = await desk.rows(f"select c.id {CHILD.removeprefix('select')}", parent)
                (office.workspace_root / str(rows[0]["id"]) / "go").touch()
                await see(desk, f"exists ({CHILD} and c.status = 'completed')", parent)
                await owner.execute(tend)
                await owner.execute("select pg_advisory_unlock(4711)")
        finally:
            await owner.execute(tend)
    assert (await desk.task(parent))["status"] == "completed"


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
            "must describe an object", "$ref cannot be used", "is no JSON schema", "nowhere.csv is not on record",
            "limit child_tasks reached: 101 of 100", "list of spawned tasks is empty", "leave result out", "",
        ),
        told, strict=True,
    )] == [True] * 8, told  # fmt: skip
    assert await desk.rows("select from public.tasks where parent_task_id = %s", parent) == []
