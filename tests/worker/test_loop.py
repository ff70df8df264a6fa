"""The loop, end to end: a scripted model, real tools, what is on record afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx

from tests.loopback import LOOPBACK
from tests.worker.conftest import DONE, Desk, Office, call, calls


async def test_a_task_is_worked_on_to_its_end_and_all_of_it_is_on_record(desk: Desk, office: Office) -> None:
    await office.serve_steps(
        call("plan_set", phases=["Write", "Hand over"]),
        call("file_write", path="report.md", content="# Found\n"),
        call("plan_advance"),
        call("task_complete", answer="See the report.", files=["report.md"]),
    )
    task_id = await desk.submit("Write a report.")
    await office.work()

    task = await desk.task(task_id)
    assert (task["status"], task["progress_percentage"], task["attempts"]) == ("completed", 100, 0)
    assert task["result"] == {"answer": "See the report.", "files": ["report.md"]}
    assert [phase["title"] for phase in task["plan"]] == ["Write", "Hand over"]
    assert task["usage"]["steps"] == 4
    assert task["usage"]["tool_calls"] == 4
    assert task["usage"]["prompt_tokens"] > 0
    assert [(row["tool_name"], row["status"]) for row in await desk.executions(task_id)] == [
        ("plan_set", "completed"),
        ("file_write", "completed"),
        ("plan_advance", "completed"),
        ("task_complete", "completed"),
    ]


async def test_a_file_that_a_step_wrote_is_in_storage_with_its_digest(desk: Desk, office: Office) -> None:
    await office.serve_steps(
        call("file_write", path="out/a.txt", content="one"), call("file_write", path="out/a.txt", content="two"), DONE
    )
    task_id = await desk.submit()
    await office.work()

    files = await desk.rows("select * from public.files where task_id = %s order by version", task_id)
    assert [(row["filename"], row["version"]) for row in files] == [("out/a.txt", 1), ("out/a.txt", 2)]
    for row, content in zip(files, (b"one", b"two"), strict=True):
        url = f"{office.stack.supabase_url}/storage/v1/object/agent-files/{row['file_path']}"
        stored = httpx.get(url, headers={"apikey": office.stack.secret_key}, **LOOPBACK).content
        assert stored == content
        assert row["file_hash"] == hashlib.sha256(content).hexdigest()
        assert row["execution_id"] is not None


async def test_the_next_task_of_a_conversation_finds_the_files_of_the_last_on_another_machine(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    await office.serve(
        {"when": {"user_contains": "Write"}, "steps": [call("file_write", path="a.txt", content="kept"), DONE]},
        {"when": {"user_contains": "Read"}, "steps": [call("file_read", path="a.txt"), DONE]},
    )
    first = await desk.submit("Write it.")
    await office.work()
    conversation = (await desk.task(first))["conversation_id"]
    office.workspace_root = tmp_path / "elsewhere"
    second = await desk.submit("Read it.", conversation=conversation)
    await office.work()

    assert "kept" in (await desk.messages(second, "tool"))[0]


async def test_what_the_model_gets_wrong_goes_back_to_it(desk: Desk, office: Office) -> None:
    await office.serve_steps(
        calls(
            call("no_such_tool", x=1),
            call("file_read", nonsense=True),
            call("file_read", path="../../etc/passwd"),
            call("shell_exec", command="exit 3"),
        ),
        DONE,
    )
    task_id = await desk.submit()
    await office.work()

    assert (await desk.task(task_id))["status"] == "completed"
    told = await desk.messages(task_id, "tool")
    assert "no tool named" in told[0]
    assert "'path' is missing" in told[1]
    assert ".." in told[2]
    assert "3" in told[3]
    assert [row["status"] for row in await desk.executions(task_id)] == ["failed", "failed", "failed", "completed"]


async def test_text_that_postgres_cannot_hold_is_cleaned_and_not_fatal(desk: Desk, office: Office) -> None:
    await office.serve_steps(
        calls(
            call("shell_exec", command="printf 'a\\000b\\377c'"),
            call("file_write", path="n\u0000ul", content="x\u0000y"),
        ),
        {"text": "nul \u0000 here", **call("task_complete", answer="ok \u0000 done")},
    )
    task_id = await desk.submit()
    await office.work()

    task = await desk.task(task_id)
    assert (task["status"], task["result"]["answer"]) == ("completed", "ok  done")


async def test_plain_text_without_a_call_ends_the_task_with_that_answer(desk: Desk, office: Office) -> None:
    await office.serve_steps({"text": "It is 4."})
    task_id = await desk.submit("What is 2 + 2?")
    await office.work()
    assert (await desk.task(task_id))["result"] == {"answer": "It is 4.", "files": []}


async def test_a_model_that_says_nothing_twice_fails_the_task_and_says_so(desk: Desk, office: Office) -> None:
    await office.serve_steps({"text": ""}, {"text": ""})
    task_id = await desk.submit()
    await office.work()
    task = await desk.task(task_id)
    assert task["status"] == "failed"
    assert "nothing, twice" in task["error_message"]


async def test_a_call_repeated_identically_trips_the_loop_detector(desk: Desk, office: Office) -> None:
    await office.serve({"answer": call("file_list")})
    task_id = await desk.submit()
    await office.work()
    task = await desk.task(task_id)
    assert task["status"] == "failed"
    assert "max_repeats" in task["error_message"]
    assert len(await desk.executions(task_id)) == 3


async def test_a_used_up_limit_is_named_and_what_was_done_is_kept(desk: Desk, office: Office) -> None:
    await office.serve(
        {"when": {"turn": 0}, "answer": call("file_write", path="kept.txt", content="x")}, {"answer": call("file_list")}
    )
    task_id = await desk.submit(limits='{"steps": 2}')
    await office.work()
    task = await desk.task(task_id)
    assert task["status"] == "failed"
    assert "limit steps reached: 2 of 2" in task["error_message"]
    assert await desk.rows("select id from public.files where task_id = %s", task_id)


async def test_a_disabled_tool_is_neither_offered_nor_run(desk: Desk, office: Office) -> None:
    server = await office.serve_steps(call("shell_exec", command="touch ran"), DONE)
    await desk.rows("update public.tools set is_enabled = false where name = 'shell_exec'")
    try:
        task_id = await desk.submit()
        await office.work()
    finally:
        await desk.rows("update public.tools set is_enabled = true where name = 'shell_exec'")
    async with httpx.AsyncClient(**LOOPBACK) as client:
        requests = (await client.get(f"{server.base_url}/scripted/requests")).json()["requests"]
    asked = [request["body"] for request in requests if request["path"] == "/api/chat"]
    offered = {tool["function"]["name"] for body in asked for tool in body["tools"]}
    assert "file_read" in offered
    assert "shell_exec" not in offered
    assert [row["status"] for row in await desk.executions(task_id)] == ["denied", "completed"]
    assert not (office.workspace_root / str(task_id) / "ran").exists()


async def test_a_question_frees_the_worker_and_the_answer_resumes_the_task(desk: Desk, office: Office) -> None:
    await office.serve(
        {"when": {"user_contains": "Blue"}, "answer": call("task_complete", answer="Painted it blue.")},
        {"answer": call("message_ask", question="Which colour?")},
    )
    task_id = await desk.submit("Paint it.")
    await office.work()
    task = await desk.task(task_id)
    assert (task["status"], task["wait_reason"], task["lease_token"]) == ("waiting", "answer", None)

    await desk.as_person("select public.answer_task(%s, 'Blue, please.')", [task_id])
    await office.work()
    assert (await desk.task(task_id))["result"]["answer"] == "Painted it blue."


async def test_a_call_that_needs_approval_waits_for_it_and_then_runs_once(desk: Desk, office: Office) -> None:
    await office.serve_steps(call("file_write", path="a.txt", content="approved"), DONE)
    await desk.rows("update public.tools set requires_confirmation = true where name = 'file_write'")
    try:
        task_id = await desk.submit()
        await office.work()
        assert (await desk.task(task_id))["wait_reason"] == "approval"
        assert not (office.workspace_root / str(task_id) / "a.txt").exists()
        waiting = (await desk.executions(task_id))[0]
        await desk.as_person("select public.decide_execution(%s, true)", [waiting["id"]])
        await office.work()
    finally:
        await desk.rows("update public.tools set requires_confirmation = false where name = 'file_write'")
    assert (await desk.task(task_id))["status"] == "completed"
    assert (office.workspace_root / str(task_id) / "a.txt").read_text() == "approved"


async def test_a_model_without_tools_works_through_the_json_schema_protocol(desk: Desk, office: Office) -> None:
    office.model_url = office.stack.model_url
    task_id = await desk.submit("Hello?")
    await office.work(model="stand-in-plain")
    task = await desk.task(task_id)
    assert task["status"] == "completed"
    assert "stand-in" in task["result"]["answer"]
