"""The workspace travels: a run goes on with the files of the last recorded step, on whichever worker, and no others."""

from __future__ import annotations

import hashlib
import io
import uuid
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from agent_runtime.errors import BytesDiffer, PathTaken
from agent_runtime.records import Task
from agent_runtime.storage import Storage
from agent_runtime.workspace_hold import hold_workspace
from tests.worker.conftest import DONE, Desk, Office, call
from tests.worker.tree import tree


def shell(command: str) -> dict[str, Any]:
    return call("shell_exec", command=command)


def one_by_one(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    """Turns that go on counting when the person says something."""
    return [{"when": {"turn": turn}, "answer": given} for turn, given in enumerate(answers)]


ASK = call("message_ask", question="And now?")


async def answer(desk: Desk, task_id: uuid.UUID) -> None:
    await desk.as_person("select public.answer_task(%s, 'Go on.')", [task_id])


async def newest(desk: Desk, task_id: uuid.UUID) -> dict[str, dict[str, Any]]:
    rows = await desk.rows("select * from public.files where task_id = %s order by filename, version", task_id)
    return {row["filename"]: row for row in rows}


async def test_a_worker_that_gets_a_task_back_finds_what_another_made_of_it(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    await office.serve(
        *one_by_one(
            shell("printf 1 > same-size.txt; printf long > shorter.txt; printf x > removed.txt"),
            ASK,
            shell("printf 2 > same-size.txt; printf s > shorter.txt; rm removed.txt"),
            ASK,
            shell("cat same-size.txt shorter.txt; ls"),
            DONE,
        )
    )
    task_id = await desk.submit()
    for folder in ("a", "b", "a"):
        office.workspace_root = tmp_path / folder
        await office.work()
        if (await desk.task(task_id))["status"] == "waiting":
            await answer(desk, task_id)

    assert (await desk.task(task_id))["status"] == "completed"
    assert tree(tmp_path / "a" / str(task_id)) == tree(tmp_path / "b" / str(task_id))
    assert "2s" in (await desk.messages(task_id, "tool"))[-2]
    assert not (tmp_path / "a" / str(task_id) / "removed.txt").exists()


async def test_modes_links_empty_folders_and_renames_travel(desk: Desk, office: Office, tmp_path: Path) -> None:
    await office.serve(
        *one_by_one(
            shell(
                "mkdir -p empty/inner old; echo 1 > old/a; echo '#!/bin/sh' > run.sh; ln -s old/a link; echo x > plain"
            ),
            shell(
                "mv old new; chmod +x run.sh; ln -sfn new/a link; mkdir was; rm plain; mkdir plain; echo y > plain/x"
            ),
            ASK,
            shell("./run.sh && cat link"),
            DONE,
        )
    )
    task_id = await desk.submit()
    office.workspace_root = tmp_path / "a"
    await office.work()
    before = tree(tmp_path / "a" / str(task_id))
    await answer(desk, task_id)
    office.workspace_root = tmp_path / "b"
    await office.work()

    assert (await desk.task(task_id))["status"] == "completed"
    assert tree(tmp_path / "b" / str(task_id)) == before
    assert set(before) == {"empty", "empty/inner", "new", "new/a", "run.sh", "link", "was", "plain", "plain/x"}
    assert before["run.sh"].endswith("executable")
    assert "exit code 0" in (await desk.messages(task_id, "tool"))[-2].lower()


async def test_files_that_a_step_left_unrecorded_are_gone_on_the_same_worker_too(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    await office.serve(*one_by_one(shell("echo 1 > a.txt"), ASK, shell("ls; cat a.txt"), DONE))
    task_id = await desk.submit()
    await office.work()
    folder = office.workspace_root / str(task_id)
    (folder / "half.txt").write_text("written by a step that was killed")
    (folder / "a.txt").write_text("9\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("of use to nobody else")
    await answer(desk, task_id)
    await office.work()

    told = (await desk.messages(task_id, "tool"))[-2]
    assert "half.txt" not in told
    assert told.endswith("a.txt\n1")
    assert (folder / "__pycache__" / "a.pyc").exists()


async def test_of_very_many_files_that_one_step_writes_none_is_lost(desk: Desk, office: Office, tmp_path: Path) -> None:
    await office.serve_steps(shell("for i in $(seq 220); do echo same > f$i; done"), DONE)
    task_id = await desk.submit()
    await office.work()
    assert len(await newest(desk, task_id)) == 220
    assert "with the next step" in (await desk.messages(task_id, "tool"))[0]


async def test_bytes_are_stored_once_at_a_path_that_holds_their_sha256(desk: Desk, office: Office) -> None:
    await office.serve_steps(
        shell("echo same > a; echo same > b"), shell("echo other > a"), shell("echo same > a"), DONE
    )
    task_id = await desk.submit()
    await office.work()
    rows = await desk.rows("select * from public.files where task_id = %s order by created_at, filename", task_id)
    assert [(row["filename"], row["version"]) for row in rows] == [("a", 1), ("b", 1), ("a", 2), ("a", 3)]
    for row in rows:
        assert row["file_hash"] in row["file_path"]
    objects = await desk.rows("select name from storage.objects where name like %s", f"%/{task_id}/%")
    assert {row["name"] for row in objects} == {row["file_path"] for row in rows}
    assert len(objects) == 2


async def test_a_task_sees_files_of_its_conversation_as_they_were_when_it_began(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    await office.serve(
        {"when": {"user_contains": "First"}, "steps": [shell("echo 1 > a; echo 1 > b"), DONE]},
        {"when": {"user_contains": "Second"}, "steps": [shell("rm a; echo 2 > c"), ASK]},
        {"when": {"user_contains": "Go on"}, "steps": [shell("ls; cat b"), DONE]},
        {"when": {"user_contains": "Meanwhile"}, "steps": [shell("echo 3 > b; echo 3 > d"), DONE]},
    )
    first = await desk.submit("First.")
    await office.work()
    conversation = (await desk.task(first))["conversation_id"]
    second = await desk.submit("Second.", conversation=conversation)
    await office.work()
    await desk.submit("Meanwhile.", conversation=conversation)
    await office.work()
    await answer(desk, second)
    office.workspace_root = tmp_path / "elsewhere"
    await office.work()
    found = tree(tmp_path / "elsewhere" / str(second))
    assert found == {"b": hashlib.sha256(b"1\n").hexdigest(), "c": hashlib.sha256(b"2\n").hexdigest()}


async def test_a_file_that_no_worker_can_get_any_more_is_named_and_not_passed_over(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    await office.serve(*one_by_one(shell("echo 1 > a.txt; echo 2 > b.txt"), ASK, shell("echo again > a.txt; ls"), DONE))
    for has_steps_left in (True, False):
        task_id = await desk.submit()
        office.storage_url = "http://127.0.0.1:9"
        await office.work()
        assert (await desk.task(task_id))["status"] == "pending"
        office.storage_url, office.workspace_root = office.stack.supabase_url, tmp_path / uuid.uuid4().hex
        await desk.rows("update public.tasks set run_after = now() where id = %s", task_id)
        if has_steps_left:
            await answer(desk, task_id)  # the person's word comes first, so the run goes on
        await office.work()
        task = await desk.task(task_id)
        if has_steps_left:
            assert task["status"] == "completed"
            assert "b.txt is gone" in (await desk.messages(task_id, "tool"))[-2]
            assert {name: row["kind"] for name, row in (await newest(desk, task_id)).items()} == {
                "a.txt": "file",
                "b.txt": "removed",
            }
        else:
            assert task["status"] == "failed"
            assert "a.txt, b.txt" in task["error_message"]


async def test_a_worker_that_wakes_late_can_put_no_other_bytes_where_recorded_ones_are(
    desk: Desk, office: Office
) -> None:
    await office.serve_steps(shell("echo right > a.txt"), DONE)
    task_id = await desk.submit()
    await office.work()
    (row,) = (await newest(desk, task_id)).values()
    async with Storage(office.stack.supabase_url, office.stack.secret_key) as late:
        with pytest.raises(BytesDiffer):
            await late.upload(row["file_path"], b"wrong\n", "text/plain", sha256=row["file_hash"], replace=True)
        with pytest.raises(PathTaken):
            await late.upload(row["file_path"], b"right\n", "text/plain", sha256=row["file_hash"])
        got = io.BytesIO()
        await late.download(row["file_path"], got, sha256=row["file_hash"])
        assert await late.size_of(row["file_path"]) == 6
        assert await late.size_of(f"{row['file_path']}0") is None
    assert got.getvalue() == b"right\n"


async def test_a_run_that_stalled_keeps_its_folder_to_itself(desk: Desk, office: Office) -> None:
    await office.serve_steps(shell("echo mine > a.txt"), DONE)
    task_id = await desk.submit()
    with hold_workspace(office.workspace_root, Task.model_validate(await desk.task(task_id))) as stalled:
        await office.work()
        assert tree(stalled.root) == {}
    assert (await desk.task(task_id))["status"] == "completed"
    assert set(tree(office.workspace_root / f"{task_id}-2")) == {"a.txt"}


async def test_what_is_not_kept_is_named_once_and_what_stays_behind_is_the_agents_choice(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    await office.serve(
        *one_by_one(
            shell(
                "mkdir -p node_modules/x data; echo 1 > node_modules/x/y; echo 1 > data/raw.bin; echo 1 > data/keep.bin"
            ),
            shell("head -c 3000 /dev/zero > big; head -c 1800 /dev/zero > a; head -c 1900 /dev/zero > b"),
            shell("mkfifo pipe; true"),
            shell("rm a; true"),
            DONE,
        )
    )
    ignoring = {"workspace": {"ignore": ["*.bin", "!keep.bin", 7, "[z-a]", "*a*a*a*a*a"]}}
    agent = await desk.rows(
        "insert into public.agents (name, system_prompt, model_name, tools_enabled, standing_permissions, is_public,"
        " configuration)"
        " values ('Ignoring', 'Work.', 'default', array['shell_exec'], array['shell_exec'], true, %s) returning id",
        Jsonb(ignoring),
    )
    before = await desk.rows(
        "select config_key, config_value from public.system_config where config_key like '%%max_size'"
    )
    await desk.rows("update public.system_config set config_value = '2900' where config_key = 'file_upload_max_size'")
    await desk.rows("update public.system_config set config_value = '3600' where config_key = 'workspace_max_size'")
    try:
        task_id = await desk.submit(agent="Ignoring")
        await office.work()
    finally:
        for row in before:
            await desk.rows(
                "update public.system_config set config_value = %s where config_key = %s",
                Jsonb(row["config_value"]),
                row["config_key"],
            )
        await desk.rows("update public.agents set is_active = false, name = name || id where id = %s", agent[0]["id"])

    assert (await desk.task(task_id))["status"] == "completed"
    told = await desk.messages(task_id, "tool")
    assert "big is not kept: limit file_upload_max_size reached: 3000 of 2900 bytes" in told[1]
    assert "b is not kept: limit workspace_max_size reached" in told[1]
    assert "pipe is not kept: it is a device, a pipe or a socket" in told[2]
    assert "not kept" not in told[0] + told[3]
    kinds = {name: row["kind"] for name, row in (await newest(desk, task_id)).items()}
    assert kinds == {"data/keep.bin": "file", "a": "removed", "b": "file"}
