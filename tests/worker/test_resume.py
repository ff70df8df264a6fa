"""Resuming: a run is rebuilt from what is recorded, wherever the last worker stopped."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest_asyncio

from agent_runtime.db.store import Store, open_store
from agent_runtime.records import Lease, TurnRecord
from tests.worker.conftest import DONE, Desk, Office


@pytest_asyncio.fixture
async def dead_worker(office: Office) -> AsyncIterator[Store]:
    """A worker that does a part of the work by hand and then is never heard of again."""
    async with open_store(office.stack.worker_database_url, uuid.uuid4(), connections=2, patience_seconds=5) as store:
        await store.register("gone", 1, "0", 1)
        yield store


async def begin(store: Store, *calls: dict[str, object]) -> tuple[Lease, TurnRecord]:
    """Claim the only pending task and record a first turn that makes these calls."""
    (task,) = await store.claim(1, 60)
    assert task.lease_token is not None
    lease = Lease(task_id=task.id, token=task.lease_token)
    return lease, await store.record_turn(lease, 1, "", calls, {"model": "scripted"}, {})


def intent(name: str, **arguments: object) -> dict[str, object]:
    return {"id": f"call_{uuid.uuid4().hex[:8]}", "name": name, "arguments": arguments}


async def die(desk: Desk, lease: Lease) -> None:
    """The worker is gone: its lease runs out."""
    await desk.rows(
        "update public.tasks set lease_expires_at = now() - interval '1 second' where id = %s", lease.task_id
    )


async def test_a_call_that_never_started_runs(desk: Desk, office: Office, dead_worker: Store) -> None:
    await office.serve({"answer": DONE})
    task_id = await desk.submit()
    lease, _ = await begin(dead_worker, intent("file_write", path="a.txt", content="x"))
    await die(desk, lease)
    await office.work()
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"]) == ("completed", 1)
    assert (office.workspace_root / str(task_id) / "a.txt").read_text() == "x"


async def test_a_finished_call_never_runs_again(desk: Desk, office: Office, dead_worker: Store) -> None:
    await office.serve({"answer": DONE})
    task_id = await desk.submit()
    lease, turn = await begin(dead_worker, intent("shell_exec", command="echo again >> ran"))
    (execution,) = turn.executions
    await dead_worker.start_execution(lease, execution.id)
    await dead_worker.finish_execution(lease, execution.id, "completed", "done once", {})
    await die(desk, lease)
    await office.work()
    assert (await desk.task(task_id))["status"] == "completed"
    assert not (office.workspace_root / str(task_id) / "ran").exists()


async def test_an_unsafe_call_that_was_running_is_in_doubt_and_the_model_is_told(
    desk: Desk, office: Office, dead_worker: Store
) -> None:
    await office.serve({"when": {"tool_result": "nobody knows whether it took effect"}, "answer": DONE})
    task_id = await desk.submit()
    lease, turn = await begin(dead_worker, intent("shell_exec", command="echo again >> ran"))
    await dead_worker.start_execution(lease, turn.executions[0].id)
    await die(desk, lease)
    await office.work()
    assert (await desk.task(task_id))["status"] == "completed"
    assert not (office.workspace_root / str(task_id) / "ran").exists()
    events = await desk.rows(
        "select payload ->> 'status' as status from public.task_events where task_id = %s"
        " and payload ->> 'execution_id' = %s order by id",
        task_id,
        str(turn.executions[0].id),
    )
    assert [event["status"] for event in events] == ["pending", "running", "in_doubt"]


async def test_a_pure_call_that_was_running_runs_again(desk: Desk, office: Office, dead_worker: Store) -> None:
    await office.serve({"answer": DONE})
    task_id = await desk.submit()
    lease, turn = await begin(dead_worker, intent("file_list"))
    await dead_worker.start_execution(lease, turn.executions[0].id)
    await die(desk, lease)
    await office.work()
    assert [row["status"] for row in await desk.executions(task_id)] == ["completed", "completed"]


async def test_a_call_whose_tool_was_forbidden_meanwhile_is_refused_and_the_model_is_told(
    desk: Desk, office: Office, dead_worker: Store
) -> None:
    await office.serve({"when": {"tool_result": "not run.*has not been approved"}, "answer": DONE})
    task_id = await desk.submit()
    lease, _ = await begin(dead_worker, intent("file_write", path="a.txt", content="x"))
    await desk.rows("update public.tools set requires_confirmation = true where name = 'file_write'")
    try:
        await die(desk, lease)
        await office.work()
    finally:
        await desk.rows("update public.tools set requires_confirmation = false where name = 'file_write'")
    assert (await desk.task(task_id))["status"] == "completed"
    assert not (office.workspace_root / str(task_id) / "a.txt").exists()


async def test_a_task_that_was_completed_but_not_settled_settles_without_asking_the_model(
    desk: Desk, office: Office, dead_worker: Store
) -> None:
    task_id = await desk.submit()
    lease, turn = await begin(dead_worker, intent("task_complete", answer="It is done."))
    await dead_worker.start_execution(lease, turn.executions[0].id)
    effect = {"kind": "complete", "answer": "It is done.", "files": []}
    await dead_worker.finish_execution(
        lease, turn.executions[0].id, "completed", "The task is over.", {}, effect=effect
    )
    await die(desk, lease)
    await office.serve()  # a script without turns: any question to the model would fail
    await office.work()
    assert (await desk.task(task_id))["result"]["answer"] == "It is done."
