"""Steering a run: limits that end it, messages that it must not overlook, edited and doubted calls."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from psycopg.types.json import Jsonb

from agent_runtime.db.store import open_store
from agent_runtime.records import Lease
from tests.worker.conftest import DONE, call, see, working

if TYPE_CHECKING:
    from tests.worker.conftest import Desk, Office


async def die_in(desk: Desk, office: Office, task_id: uuid.UUID, execution_id: uuid.UUID) -> None:
    """A worker starts this call and is never heard of again."""
    async with open_store(office.stack.worker_database_url, uuid.uuid4(), connections=1, patience_seconds=5) as store:
        await store.register("gone", 1, "0", 1)
        (task,) = await store.claim(1, 60)
        assert task.lease_token is not None
        await store.start_execution(Lease(task_id=task_id, token=task.lease_token), execution_id)
    await desk.rows("update public.tasks set lease_expires_at = now() - interval '1 second' where id = %s", task_id)


async def test_the_time_limit_stops_a_running_command_and_keeps_what_was_done(desk: Desk, office: Office) -> None:
    await office.serve_steps(
        call("file_write", path="kept.txt", content="before"),
        call("shell_exec", command="echo half > half.txt; sleep 60"),
        DONE,
    )
    task_id = await desk.submit(limits=Jsonb({"wall_seconds": 3}))
    await office.work()
    task = await desk.task(task_id)
    assert task["status"] == "failed"
    assert task["error_message"].startswith("limit wall_seconds reached: ")
    assert 2.5 < task["active_seconds"] < 60
    assert [row["status"] for row in await desk.executions(task_id)] == ["completed", "cancelled"]
    kept = await desk.rows("select filename::text from public.files where task_id = %s order by 1", task_id)
    assert [row["filename"] for row in kept] == ["half.txt", "kept.txt"]


@pytest.mark.parametrize(
    ("limits", "steps"), [({"tool_calls": 2}, 2), ({"steps": 2}, 2), ({"model_tokens": 1}, 1), ({"output_bytes": 1}, 1)]
)
async def test_a_limit_ends_the_task_by_its_name(
    desk: Desk, office: Office, limits: dict[str, int], steps: int
) -> None:
    await office.serve_steps(*(call("file_write", path=f"{number}.txt", content="x") for number in range(9)), DONE)
    task_id = await desk.submit(limits=Jsonb(limits))
    await office.work()
    task = await desk.task(task_id)
    (name,) = limits
    assert task["status"] == "failed"
    assert f"limit {name} reached" in task["error_message"]
    assert task["usage"]["steps"] == steps
    executions = await desk.executions(task_id)
    assert sum(row["status"] == "completed" for row in executions) == task["usage"]["tool_calls"]


async def test_the_tightest_limit_of_tenant_agent_and_task_holds(desk: Desk, office: Office) -> None:
    await office.serve_steps(*(call("file_write", path=f"{number}.txt", content="x") for number in range(9)), DONE)
    await desk.rows(
        'update public.tenants set settings = \'{"limits": {"steps": 2}}\''
        " where id = (select tenant_id from public.users where id = %s)",
        desk.user,
    )
    task_id = await desk.submit(limits=Jsonb({"steps": 5}))
    await office.work()
    assert (await desk.task(task_id))["error_message"] == "limit steps reached: 2 of 2"


async def test_a_message_that_comes_while_the_model_writes_its_last_words_is_not_overlooked(
    desk: Desk, office: Office
) -> None:
    await office.serve(
        {"when": {"user_contains": "in green"}, "answer": {"text": "Painted it green."}},
        {"answer": {"text": "Painted it.", "delay_seconds": 1.5}},
    )
    task_id = await desk.submit("Paint it.")
    async with working(office):
        await see(desk, "exists (select from public.tasks where id = %s and status = 'running')", task_id)
        await desk.as_person("select public.answer_task(%s, 'But in green!')", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and completed_at is not null)", task_id)
    assert (await desk.task(task_id))["result"]["answer"] == "Painted it green."


async def test_the_model_is_told_what_was_run_instead(desk: Desk, office: Office) -> None:
    await office.serve_steps(call("file_write", path="a.txt", content="rash"), DONE)
    await desk.rows("update public.tools set requires_confirmation = true where name = 'file_write'")
    try:
        task_id = await desk.submit()
        await office.work()
        (waiting,) = await desk.executions(task_id)
        instead = {"path": "a.txt", "content": "considered"}
        await desk.as_person(
            "select public.decide_execution(%s, true, null, %s, %s)",
            [waiting["id"], Jsonb(instead), waiting["input_digest"]],
        )
        await office.work()
    finally:
        await desk.rows("update public.tools set requires_confirmation = false where name = 'file_write'")
    assert (await desk.task(task_id))["status"] == "completed"
    assert (office.workspace_root / str(task_id) / "a.txt").read_text() == "considered"
    (told, _) = await desk.messages(task_id, "tool")
    assert "What was run instead: " in told
    assert '"content": "considered"' in told
    assert (await desk.executions(task_id))[0]["original_parameters"]["content"] == "rash"


async def test_a_doubt_about_what_people_approved_waits_for_a_person(desk: Desk, office: Office) -> None:
    await office.serve_steps(call("shell_exec", command="echo sent"), DONE)
    await desk.rows("update public.tools set requires_confirmation = true where name = 'shell_exec'")
    try:
        task_id = await desk.submit()
        await office.work()
        (waiting,) = await desk.executions(task_id)
        await desk.as_person("select public.decide_execution(%s, true)", [waiting["id"]])
        await die_in(desk, office, task_id, waiting["id"])
        await office.work()
        task = await desk.task(task_id)
        assert (task["status"], task["wait_reason"]) == ("waiting", "doubt")
        assert (await desk.executions(task_id))[0]["status"] == "in_doubt"
        assert await desk.messages(task_id, "tool") == []
        await desk.as_person("select public.settle_execution(%s, true, 'The mail is in the outbox.')", [waiting["id"]])
        await office.work()
    finally:
        await desk.rows("update public.tools set requires_confirmation = false where name = 'shell_exec'")
    assert (await desk.task(task_id))["status"] == "completed"
    (told, _) = await desk.messages(task_id, "tool")
    assert "it did take effect. The mail is in the outbox." in told
