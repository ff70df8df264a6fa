"""A worker's life: stopping, being asked to stop a task, and services that are not there."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import psycopg
import pytest

from agent_runtime.errors import ConfigError, DatabaseUnavailable
from tests.worker.conftest import DONE, Desk, Office, call, see, working


def running_call(task_id: uuid.UUID) -> tuple[str, uuid.UUID]:
    return (
        "exists (select from public.tool_executions where task_id = %s and status = 'running' and step = 1)",
        task_id,
    )


async def test_a_cancelled_tool_is_stopped_within_a_second_with_all_its_processes(desk: Desk, office: Office) -> None:
    mark = f"987{uuid.uuid4().int % 10**6}"
    await office.serve({"answer": call("shell_exec", command=f"sleep {mark} & sleep {mark}; wait")})
    task_id = await desk.submit()
    async with working(office):
        await see(desk, *running_call(task_id))
        started = time.monotonic()
        await desk.as_person("select public.cancel_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'cancelled')", task_id)
        took = time.monotonic() - started
    print(f"cancelled after {took:.3f} s")
    assert [row["status"] for row in await desk.executions(task_id)] == ["cancelled"]
    assert not [process for process in psutil.process_iter(["cmdline"]) if mark in str(process.info["cmdline"])]


async def test_a_cancelled_answer_stops_the_model(desk: Desk, office: Office) -> None:
    await office.serve({"answer": {"text": "never", "delay_seconds": 60}})
    task_id = await desk.submit()
    async with working(office):
        await see(desk, "exists (select from public.tasks where id = %s and status = 'running')", task_id)
        await desk.as_person("select public.cancel_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'cancelled')", task_id)


async def test_a_worker_that_stops_gives_its_task_back_without_counting_an_attempt(desk: Desk, office: Office) -> None:
    await office.serve({"answer": {"text": "never", "delay_seconds": 60}})
    task_id = await desk.submit()
    async with working(office) as worker:
        await see(desk, "exists (select from public.tasks where id = %s and status = 'running')", task_id)
        worker.stop()
        await see(desk, "exists (select from public.tasks where id = %s and status = 'pending')", task_id)
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"], task["lease_token"]) == ("pending", 0, None)
    await desk.as_person("select public.cancel_task(%s)", [task_id])


async def test_a_worker_that_is_stopped_while_it_claims_gives_back_what_it_then_gets(
    desk: Desk, office: Office
) -> None:
    await office.serve({"answer": {"text": "never", "delay_seconds": 60}})
    async with (
        await psycopg.AsyncConnection.connect(office.stack.database_url, autocommit=True) as owner,
        working(office) as worker,
    ):
        (row,) = await desk.rows("select id from public.workers order by started_at desc limit 1")
        # The lock that a claim takes first.
        key = f"hashtextextended('{row['id']}', 4203)"
        await owner.execute(f"select pg_advisory_lock({key})")
        task_id = await desk.submit()
        await see(desk, "exists (select from pg_locks where locktype = 'advisory' and not granted)")
        worker.stop()
        await owner.execute(f"select pg_advisory_unlock({key})")
        await see(
            desk,
            "exists (select from public.task_events where task_id = %s and kind = 'task.status'"
            " and payload ->> 'status' = 'running')",
            task_id,
        )
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"], task["lease_token"]) == ("pending", 0, None)
    await desk.as_person("select public.cancel_task(%s)", [task_id])


async def test_a_worker_whose_lease_was_lost_writes_nothing_more(desk: Desk, office: Office) -> None:
    await office.serve({"answer": call("shell_exec", command="sleep 60")})
    task_id = await desk.submit()
    async with working(office, lease_seconds=1):
        await see(desk, *running_call(task_id))
        # Somebody else holds it now.
        other = uuid.uuid4()
        await desk.rows(
            "update public.tasks set lease_token = %s, lease_expires_at = now() + interval '1 minute' where id = %s",
            other,
            task_id,
        )
        while any(str(task_id) in task.get_name() for task in asyncio.all_tasks()):
            await asyncio.sleep(0.02)
    assert (await desk.task(task_id))["lease_token"] == other
    assert [row["status"] for row in await desk.executions(task_id)] == ["running"]
    await desk.rows("update public.tasks set cancel_requested_at = now() where id = %s", task_id)
    await desk.rows("update public.tasks set lease_expires_at = now() - interval '1 minute' where id = %s", task_id)
    await desk.rows("select * from public.worker_reap(10)")


async def test_a_missing_model_fails_the_task_with_the_remedy(desk: Desk, office: Office) -> None:
    await office.serve({"answer": DONE})
    task_id = await desk.submit()
    await office.work(model="nowhere:7b")
    task = await desk.task(task_id)
    assert task["status"] == "failed"
    assert "ollama pull nowhere:7b" in task["error_message"]


async def test_a_model_server_that_is_away_sends_the_task_back_for_later(desk: Desk, office: Office) -> None:
    office.model_url = "http://127.0.0.1:9"
    task_id = await desk.submit()
    await office.work()
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"]) == ("pending", 0)
    assert task["run_after"] is not None
    notices = await desk.rows(
        "select payload from public.task_events where task_id = %s and kind = 'task.notice'", task_id
    )
    assert "127.0.0.1:9" in notices[0]["payload"]["text"]

    await office.serve({"answer": DONE})
    await desk.rows("update public.tasks set run_after = now() where id = %s", task_id)
    await office.work()
    assert (await desk.task(task_id))["status"] == "completed"


async def test_a_model_that_breaks_off_in_the_middle_loses_nothing(desk: Desk, office: Office) -> None:
    await office.serve(
        {"when": {"turn": 0}, "answer": call("file_write", path="a.txt", content="x")},
        {"when": {"turn": 1}, "answer": {"text": "half an ans", "drop": "connection"}, "once": True},
        {"answer": DONE},
    )
    task_id = await desk.submit()
    await office.work()
    assert (await desk.task(task_id))["status"] == "pending"
    await desk.rows("update public.tasks set run_after = now() where id = %s", task_id)
    await office.work()
    assert (await desk.task(task_id))["status"] == "completed"
    assert [row["tool_name"] for row in await desk.executions(task_id)] == ["file_write", "task_complete"]
    assert "half" not in str(await desk.messages(task_id, "assistant"))


async def test_storage_that_is_away_sends_the_task_back_with_its_work_recorded(desk: Desk, office: Office) -> None:
    await office.serve_steps(call("file_write", path="a.txt", content="x"), DONE)
    task_id = await desk.submit()
    office.storage_url = "http://127.0.0.1:9"
    await office.work()
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"]) == ("pending", 0)
    assert [row["is_stored"] for row in await desk.rows("select * from public.files where task_id = %s", task_id)] == [
        False
    ]

    office.storage_url = office.stack.supabase_url
    await desk.rows("update public.tasks set run_after = now() where id = %s", task_id)
    await office.work()
    assert (await desk.task(task_id))["status"] == "completed"
    files = await desk.rows("select * from public.files where task_id = %s", task_id)
    assert [(row["filename"], row["is_stored"]) for row in files] == [("a.txt", True)]


async def test_connections_that_are_cut_in_the_middle_lose_no_step(desk: Desk, office: Office) -> None:
    await office.serve_steps(
        call("file_write", path="a.txt", content="1"), call("shell_exec", command="sleep 0.5; echo x >> ran"), DONE
    )
    task_id = await desk.submit()
    async with working(office):
        await see(
            desk,
            "exists (select from public.tool_executions where task_id = %s and status = 'running' and step = 2)",
            task_id,
        )
        await desk.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'agent_worker'")
        await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", task_id)
    assert (office.workspace_root / str(task_id) / "ran").read_text() == "x\n"
    assert (await desk.task(task_id))["attempts"] == 0


async def test_one_task_that_crashes_the_runtime_does_not_take_the_worker_down(desk: Desk, office: Office) -> None:
    await office.serve({"answer": DONE})
    async with working(office):
        # A configuration that only a superuser's hand can write: the run cannot even be read.
        await desk.rows(
            "insert into public.tools (tenant_id, name, display_name, description, category, function_schema, config)"
            " select tenant_id, 'crooked', 'Crooked', '', 'control', '{}', '[1]' from public.users where id = %s",
            desk.user,
        )
        bad = await desk.submit("bad")
        await see(desk, "exists (select from public.tasks where id = %s and status = 'failed')", bad)
        await desk.rows("delete from public.tools where name = 'crooked'")
        good = await desk.submit("good")
        await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", good)
    assert "internal error" in (await desk.task(bad))["error_message"]


async def test_a_model_that_calls_an_unknown_tool_again_and_again_is_stopped(desk: Desk, office: Office) -> None:
    await office.serve({"answer": call("no_such_tool", x=1)})
    task_id = await desk.submit()
    await office.work()
    assert "max_repeats" in (await desk.task(task_id))["error_message"]


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("postgresql://agent_worker:wrong@127.0.0.1:{port}/agent_runtime", "password authentication failed"),
        ("postgresql://agent_worker:wrong@127.0.0.1:{port}/nowhere", "DATABASE_URL|password"),
    ],
)
async def test_a_wrong_database_url_is_named_without_its_password(office: Office, url: str, match: str) -> None:
    port = psycopg.conninfo.conninfo_to_dict(office.stack.worker_database_url)["port"]
    async with AsyncExitStack() as closing:
        with pytest.raises((ConfigError, DatabaseUnavailable), match=match) as caught:
            await office.worker(closing, DATABASE_URL=url.format(port=port))
    assert "wrong" not in str(caught.value)


async def test_expired_temporary_files_are_swept_bytes_and_rows(desk: Desk, office: Office, tmp_path: Path) -> None:
    await office.serve_steps(call("file_write", path="tmp/scratch.txt", content="x"), DONE)
    task_id = await desk.submit()
    await office.work()
    (row,) = await desk.rows("select * from public.files where task_id = %s", task_id)
    assert row["is_temporary"]
    await desk.rows("update public.files set expires_at = now() - interval '1 second' where id = %s", row["id"])
    async with working(office):
        await see(desk, "not exists (select from public.files where task_id = %s)", task_id)
    assert not await desk.rows("select id from storage.objects where name = %s", row["file_path"])


async def test_stored_bytes_that_are_not_the_recorded_ones_fail_the_task_instead_of_going_round(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    await office.serve_steps(call("file_write", path="a.txt", content="x"), DONE)
    first = await desk.submit("First.")
    await office.work()
    await desk.rows("update public.files set file_hash = %s where task_id = %s", "0" * 64, first)
    office.workspace_root = tmp_path / "elsewhere"
    second = await desk.submit("Second.", conversation=(await desk.task(first))["conversation_id"])
    await office.work()
    task = await desk.task(second)
    assert task["status"] == "failed"
    assert "sha256 differs" in task["error_message"]


async def test_a_pause_stops_the_model_and_the_task_goes_on_when_resumed(desk: Desk, office: Office) -> None:
    await office.serve({"answer": {"text": "Done.", "delay_seconds": 3}})
    task_id = await desk.submit()
    async with working(office, lease_seconds=60) as worker:
        await see(desk, "exists (select from public.tasks where id = %s and status = 'running')", task_id)
        await desk.as_person("select public.pause_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'paused')", task_id)
        while worker._active:
            await asyncio.sleep(0.01)
        assert (await desk.task(task_id))["usage"] == {}
        await desk.as_person("select public.resume_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", task_id)
    assert (await desk.task(task_id))["attempts"] == 0


async def test_a_pause_lets_the_call_that_runs_come_to_its_end(desk: Desk, office: Office) -> None:
    await office.serve_steps(call("shell_exec", command="touch began; sleep 1; echo x >> ran"), DONE)
    task_id = await desk.submit()
    async with working(office, lease_seconds=60):
        began = office.workspace_root / str(task_id) / "began"
        while not began.exists():
            await asyncio.sleep(0.01)
        await desk.as_person("select public.pause_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'paused')", task_id)
        (execution,) = await desk.rows("select status from public.tool_executions where task_id = %s", task_id)
        assert execution["status"] == "completed"
        await desk.as_person("select public.resume_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", task_id)
    assert (office.workspace_root / str(task_id) / "ran").read_text() == "x\n"


async def test_a_worker_ends_in_one_line_when_the_database_is_upgraded_under_it(desk: Desk, office: Office) -> None:
    async with AsyncExitStack() as closing:
        worker = await office.worker(closing)
        running = asyncio.create_task(worker.run())
        await desk.rows("insert into private.schema_version (version) values (999)")
        await desk.rows("alter function public.worker_claim rename to worker_claim_of_before")
        try:
            # Wakes the worker. The owner's, so that no person's task is left behind.
            await desk.rows("select pg_notify('agent_runtime_pending', '')")
            with pytest.raises(ConfigError, match="restart this worker with a newer release"):
                await running
        finally:
            await desk.rows("alter function public.worker_claim_of_before rename to worker_claim")
            await desk.rows("delete from private.schema_version where version = 999")


async def test_trouble_while_reaping_is_left_for_the_next_time(desk: Desk, office: Office) -> None:
    await office.serve({"answer": DONE})
    # One row that cannot be given back, for a reason of its own.
    await desk.rows(
        "create function private.refuse() returns trigger language plpgsql as $$ begin raise division_by_zero; end $$"
    )
    task_id = await desk.submit()
    dead = uuid.uuid4()
    await desk.rows("select public.worker_register(%s, 'elsewhere', 1, '0', 1, 2)", dead)
    await desk.rows("select * from public.worker_claim(%s, 1, -1)", dead)
    await desk.rows(
        "create trigger zz_refuse before update on public.tasks for each row"
        " when (old.title = 'Do it.' and new.status = 'pending') execute function private.refuse()"
    )
    try:
        async with working(office, lease_seconds=1):
            good = await desk.submit("Good.")
            await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", good)
            await desk.rows("drop trigger zz_refuse on public.tasks")
            await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", task_id)
    finally:
        await desk.rows("drop function private.refuse() cascade")
