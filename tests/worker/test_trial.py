"""A tool that an admin tries, and what a worker says of its model server."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from agent_runtime.db.store import open_store
from agent_runtime.model_watch import look_at, open_client, watch_model, without_credentials
from tests.worker.conftest import Desk, Office, see
from tests.worker.test_contract import address_of

if TYPE_CHECKING:
    from tests.worker.test_contract import Transport


async def tried(desk: Desk, tool: str, **arguments: Any) -> uuid.UUID:
    """As an admin."""
    await desk.rows("update public.users set role = 'admin' where id = %s", desk.user)
    (task,) = await desk.as_person(
        "select * from public.try_tool((select id from public.tools where name = %s), %s)",
        [tool, json.dumps(arguments)],
    )
    found: uuid.UUID = task["id"]
    return found


async def test_a_tool_is_tried_as_the_runtime_runs_it_with_no_model_server(desk: Desk, office: Office) -> None:
    # Nobody is at this address, and nobody is asked.
    assert office.model_url.endswith(":9")
    written = await tried(desk, "file_write", path="a.txt", content="tried")
    wrong = await tried(desk, "file_write", path="a.txt")
    await desk.rows("update public.tools set requires_confirmation = true where name = 'shell_exec'")
    asking = await tried(desk, "shell_exec", command="echo $((6*7))")
    try:
        await office.work()
        task = await desk.task(written)
        assert (task["status"], task["result"]["answer"]) == (
            "completed", "The trial of file_write has ended: its result is above.",
        )  # fmt: skip
        calls = await desk.executions(written)
        assert [(row["tool_name"], row["status"], row["step"]) for row in calls] == [
            ("file_write", "completed", 1), ("task_complete", "completed", 1),
        ]  # fmt: skip
        assert [row["filename"] for row in await desk.rows(
            "select filename from public.current_files where task_id = %s", written)] == ["a.txt"]  # fmt: skip
        # The arguments are held against the tool's schema as ever, and the refusal is the result.
        assert [row["status"] for row in await desk.executions(wrong)] == ["failed", "completed"]
        assert (await desk.task(wrong))["status"] == "completed"
        # Approvals hold.
        assert [(await desk.task(asking))[name] for name in ("status", "wait_reason")] == ["waiting", "approval"]
        call = (await desk.executions(asking))[0]
        assert call["status"] == "awaiting_approval"
        await desk.as_person("select * from public.decide_execution(%s, true)", [call["id"]])
        await office.work()
        assert (await desk.task(asking))["status"] == "completed"
        assert "42" in (await desk.executions(asking))[0]["output_result"]["content"]
    finally:
        await desk.rows("update public.tools set requires_confirmation = false where name = 'shell_exec'")


@pytest.mark.parametrize("transport", ["postgres", "rest"])
async def test_a_worker_says_how_its_model_server_is(desk: Desk, office: Office, transport: Transport) -> None:
    server = await office.serve_steps({"text": "Hello."})
    settings = office.settings()
    worker = uuid.uuid4()
    health = "exists (select from public.workers where id = %s and health @> %s)"
    async with AsyncExitStack() as closing:
        store = await closing.enter_async_context(
            open_store(address_of(office.stack, transport), worker, connections=1, patience_seconds=5)
        )
        await store.register("here", 1, "0", 1)
        watching = asyncio.create_task(watch_model(store, settings, look_seconds=0.05))
        try:
            there = {"reachable": True, "stand_in": True, "model_url": server.base_url, "models": ["scripted:latest"]}
            await see(desk, health, worker, json.dumps(there))
            await server.__aexit__(None, None, None)
            await see(desk, health, worker, json.dumps({"reachable": False, "error": "ConnectError"}))
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        await store.stopped()


async def test_a_workers_look_holds_no_secret(desk: Desk, office: Office) -> None:
    assert without_credentials("https://me:pw@host:1/v1?key=x#y") == "https://host:1/v1"
    async with open_client(None) as client:
        assert (await look_at(client, "http://me:pw@127.0.0.1:9", None))["model_url"] == "http://127.0.0.1:9"
        assert (await look_at(client, "nonsense", None))["reachable"] is False


async def test_a_worker_that_works_reports_by_itself(desk: Desk, office: Office) -> None:
    await office.serve_steps({"text": "Hello."})
    async with AsyncExitStack() as closing:
        worker = await office.worker(closing)
        running = asyncio.create_task(worker.run())
        await see(
            desk,
            "exists (select from public.workers where health @> '{\"stand_in\": true}'"
            " and health ->> 'model_url' = %s)",
            office.model_url,
        )
        worker.stop()
        await running
