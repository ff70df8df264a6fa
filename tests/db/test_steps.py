"""A run's steps: turns, the ledger of tool executions, what a call does to its task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.db import runs
from tests.db.impersonation import (
    INVALID,
    LIMIT,
    UNAPPROVED,
    WRONG_STATE,
    acting_as,
    person,
    refused,
    value,
)
from tests.db.runs import execution_row, finish, record_turn, start, task_row, tool_call

if TYPE_CHECKING:
    import uuid

    from tests.db.impersonation import Connection, Row


@pytest.fixture
def alice(connection: Connection) -> uuid.UUID:
    runs.install_probes(connection)
    runs.register(connection)
    return runs.sign_up(connection, "alice@example.org")


@pytest.fixture
def task(connection: Connection, alice: uuid.UUID) -> Row:
    return runs.running(connection, alice)


def intent(connection: Connection, task: Row, tool: str = "probe", step: int = 1) -> str:
    execution: str = record_turn(connection, task, step, tool_call(tool, path="a"))["executions"][0]["id"]
    return execution


def test_a_turn_is_recorded_with_the_intent_of_each_call(connection: Connection, task: Row) -> None:
    turn = record_turn(connection, task, 1, tool_call("probe", "c1", x=1), tool_call("probe_pure", "c2"))
    assert turn["message"]["tool_calls"][0]["arguments"] == {"x": 1}
    assert [(e["tool_name"], e["status"], e["call_index"]) for e in turn["executions"]] == [
        ("probe", "pending", 0),
        ("probe_pure", "pending", 1),
    ]
    assert turn["executions"][0]["started_at"] is None
    assert task_row(connection, task)["usage"] == {"steps": 1, "prompt_tokens": 7, "tool_calls": 0, "output_bytes": 7}


def test_a_turn_recorded_twice_is_one_turn(connection: Connection, task: Row) -> None:
    calls = tool_call("probe"), tool_call("no_such", "c2")
    first = record_turn(connection, task, 1, *calls)
    assert record_turn(connection, task, 1, *calls) == first
    assert len(first["refusals"]) == 1
    assert len(runs.messages(connection, task)) == 3
    assert task_row(connection, task)["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize("step", [0, -1, 2, 7])
def test_a_turn_out_of_order_is_refused(connection: Connection, task: Row, step: int) -> None:
    with refused(WRONG_STATE, "cannot be recorded after step 0"):
        record_turn(connection, task, step)


@pytest.mark.parametrize(
    ("tool", "refusal"),
    [
        ("no_such", 'There is no tool named "no_such".'),
        ("probe_disabled", "The tool probe_disabled is disabled by an administrator."),
        ("probe_ungranted", "The tool probe_ungranted is not among this agent's tools."),
        ("x" * 5000, "There is no tool named"),
    ],
)
def test_a_call_that_may_not_be_is_refused_in_words_for_the_model(
    connection: Connection, task: Row, tool: str, refusal: str
) -> None:
    turn = record_turn(connection, task, 1, tool_call(tool))
    (said,) = turn["refusals"]
    assert said["content"].startswith(refusal)
    assert said["tool_call_id"] == "call_1"
    assert len(said["content"]) < 300
    assert [e["status"] for e in turn["executions"]] == ([] if "There is no" in refusal else ["denied"])


def test_arguments_nested_a_thousand_deep_are_recorded(connection: Connection, task: Row) -> None:
    deep = '{"in":' * 1000 + '"bottom"' + "}" * 1000
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_record_turn(%s, %s, 1, '', %s, '{}', '{}')",
            [task["id"], task["lease_token"], f'[{{"id": "c", "name": "probe", "arguments": {deep}}}]'],
        )
    assert value(connection, "select status from public.tool_executions") == "pending"


def test_a_call_is_running_before_its_effect(connection: Connection, task: Row) -> None:
    execution = intent(connection, task, "probe_pure")
    start(connection, task, execution)
    row = execution_row(connection, execution)
    assert row["status"] == "running"
    assert row["started_at"] is not None
    after = task_row(connection, task)
    assert after["usage"]["tool_calls"] == 1
    assert after["tainted"]
    runs.finish(connection, task, execution)
    runs.settle(connection, task)
    assert value(connection, "select usage_count from public.tools where name = 'probe_pure'") == 1


def test_an_unsafe_call_left_running_never_runs_again_and_a_pure_one_does(connection: Connection, task: Row) -> None:
    turn = record_turn(connection, task, 1, tool_call("probe", "c1"), tool_call("probe_pure", "c2"))
    unsafe, pure = (e["id"] for e in turn["executions"])
    for execution in (unsafe, pure):
        start(connection, task, execution)
    with refused(WRONG_STATE, "in doubt"):
        start(connection, task, unsafe)
    start(connection, task, pure)


def test_a_call_without_its_approval_does_not_start(connection: Connection, task: Row) -> None:
    execution = intent(connection, task, "probe_confirm")
    assert execution_row(connection, execution)["status"] == "awaiting_approval"
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, task, execution)


def test_a_tool_that_asks_for_confirmation_meanwhile_does_not_start(connection: Connection, task: Row) -> None:
    execution = intent(connection, task)
    connection.execute("update public.tools set requires_confirmation = true where name = 'probe'")
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, task, execution)


def test_a_tool_that_was_disabled_meanwhile_does_not_start(connection: Connection, task: Row) -> None:
    execution = intent(connection, task)
    connection.execute("update public.tools set is_enabled = false where name = 'probe'")
    with refused(WRONG_STATE, "tool probe is disabled"):
        start(connection, task, execution)


def test_nothing_starts_in_a_task_that_is_being_cancelled(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    execution = intent(connection, task)
    with person(connection, alice):
        connection.execute("select public.cancel_task(%s)", [task["id"]])
    with refused(WRONG_STATE, "being cancelled"):
        start(connection, task, execution)


def test_an_execution_of_another_task_is_not_found(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    execution = intent(connection, task)
    other = runs.running(connection, alice)
    with refused("AR002", "has no tool execution"):
        start(connection, other, execution)


def test_a_result_recorded_twice_is_one_result(connection: Connection, task: Row) -> None:
    execution = intent(connection, task)
    start(connection, task, execution)
    first = finish(connection, task, execution)
    assert finish(connection, task, execution) == first
    assert (first["message"]["role"], first["message"]["tool_call_id"]) == ("tool", "call_1")
    assert len(runs.messages(connection, task)) == 3
    row = execution_row(connection, execution)
    assert (row["status"], row["execution_time_ms"]) == ("completed", 12)
    assert row["completed_at"] is not None


def test_a_result_cannot_be_taken_back(connection: Connection, task: Row) -> None:
    execution = runs.executed(connection, task, 1)
    with refused(WRONG_STATE, "cannot go from completed to failed"):
        finish(connection, task, execution, "failed")
    with refused(WRONG_STATE, "cannot go from completed to running"):
        start(connection, task, execution)


@pytest.mark.parametrize("status", ["running", "denied", "cancelled", "nonsense"])
def test_an_execution_finishes_in_no_other_state(connection: Connection, task: Row, status: str) -> None:
    execution = intent(connection, task)
    start(connection, task, execution)
    with refused(INVALID, "cannot finish as"):
        finish(connection, task, execution, status)


def test_what_never_started_cannot_be_completed(connection: Connection, task: Row) -> None:
    with refused(WRONG_STATE, "cannot go from pending to completed"):
        finish(connection, task, intent(connection, task))


def test_the_arguments_of_a_call_that_runs_cannot_change(connection: Connection, task: Row) -> None:
    execution = intent(connection, task)
    digest = execution_row(connection, execution)["input_digest"]
    change = 'update public.tool_executions set input_parameters = \'{"path": "b"}\' where id = %s'
    connection.execute(change, [execution])
    assert execution_row(connection, execution)["input_digest"] != digest
    start(connection, task, execution)
    with refused(WRONG_STATE, "arguments .* cannot change"), connection.transaction():
        connection.execute(change.replace('"b"', '"c"'), [execution])


def test_a_plan_is_set_and_advanced_by_results(connection: Connection, task: Row) -> None:
    runs.executed(connection, task, 1, effect={"kind": "plan_set", "phases": ["read", "write"]})
    planned = task_row(connection, task)
    assert planned["plan"] == [{"title": "read"}, {"title": "write"}]
    assert (planned["current_phase"], planned["total_phases"], planned["progress_percentage"]) == (1, 2, 0)
    percentages = []
    for step in (2, 3, 4):
        runs.executed(connection, task, step, effect={"kind": "plan_advance"})
        percentages.append(task_row(connection, task)["progress_percentage"])
    assert percentages == [50, 99, 99]
    assert task_row(connection, task)["current_phase"] == 2
    assert len(runs.events(connection, task, "task.plan")) == 3


@pytest.mark.parametrize("phases", [[], ["p"] * 51, None])
def test_a_plan_without_phases_or_with_too_many_changes_nothing(
    connection: Connection, task: Row, phases: list[str] | None
) -> None:
    execution = intent(connection, task)
    start(connection, task, execution)
    with refused(INVALID, "1 to 50 phases"):
        finish(connection, task, execution, effect={"kind": "plan_set", "phases": phases})
    assert execution_row(connection, execution)["status"] == "running"


def test_an_effect_of_a_failed_call_is_none(connection: Connection, task: Row) -> None:
    runs.executed(connection, task, 1, status="failed", effect={"kind": "plan_set", "phases": ["a", "b"]})
    assert task_row(connection, task)["plan"] == []


def test_a_notice_is_on_the_timeline(connection: Connection, task: Row) -> None:
    runs.executed(connection, task, 1, effect={"kind": "notify", "text": "Half way."})
    assert [e["payload"] for e in runs.events(connection, task, "task.notice")] == [{"text": "Half way."}]


def stored(task: Row, filename: str = "report.md", **named: object) -> Row:
    path = f"{task['tenant_id']}/{task['id']}/{filename}"
    return {
        "filename": filename,
        "file_path": path,
        "file_size": 3,
        "mime_type": "text/markdown",
        "file_hash": "0" * 64,
    } | named


def test_files_are_registered_with_the_result_that_wrote_them(connection: Connection, task: Row) -> None:
    execution = runs.executed(
        connection, task, 1, files=[stored(task), stored(task, "scratch/x.txt", is_temporary=True)]
    )
    found = connection.execute(
        "select filename, original_filename, execution_id, is_temporary, expires_at is null as kept, version"
        " from public.files where task_id = %s order by filename",
        [task["id"]],
    ).fetchall()
    assert [tuple(row.values()) for row in found] == [
        ("report.md", "report.md", found[0]["execution_id"], False, True, 1),
        ("scratch/x.txt", "x.txt", found[0]["execution_id"], True, False, 1),
    ]
    assert str(found[0]["execution_id"]) == execution


def test_a_file_over_the_limit_is_refused_by_the_limits_name(connection: Connection, task: Row) -> None:
    connection.execute("update public.system_config set config_value = '10' where config_key = 'file_upload_max_size'")
    with (
        refused(LIMIT, r"limit file_upload_max_size reached: report\.md has 11 bytes, at most 10"),
        acting_as(connection, "agent_worker"),
    ):
        connection.execute(
            "select public.worker_add_files(%s, %s, %s::jsonb)",
            [task["id"], task["lease_token"], json.dumps([stored(task, file_size=11)])],
        )


@pytest.mark.parametrize("filename", ["../up.txt", "a/../../b", "/etc/passwd", "", "a//b", "./a"])
def test_a_file_that_would_leave_its_workspace_is_refused(connection: Connection, task: Row, filename: str) -> None:
    with refused(INVALID, "filename"), acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_add_files(%s, %s, %s::jsonb)",
            [task["id"], task["lease_token"], json.dumps([stored(task) | {"filename": filename}])],
        )


def test_expired_files_are_swept_and_others_never(connection: Connection, task: Row) -> None:
    runs.executed(connection, task, 1, files=[stored(task), stored(task, "old.txt", is_temporary=True)])
    connection.execute("update public.files set expires_at = now() - interval '1 s' where filename = 'old.txt'")
    with acting_as(connection, "agent_worker"):
        swept = connection.execute("select * from public.worker_expired_files()").fetchall()
        assert [row["file_path"].rsplit("/", 1)[1] for row in swept] == ["old.txt"]
    everything = [row["id"] for row in connection.execute("select id from public.files").fetchall()]
    with acting_as(connection, "agent_worker"):
        connection.execute("select public.worker_forget_files(%s)", [everything])
    assert value(connection, "select array_agg(filename::text) from public.files") == ["report.md"]


def current(connection: Connection, task: Row) -> list[tuple[str, str, int]]:
    """What a worker is told of the task's workspace: path, kind, version."""
    with acting_as(connection, "agent_worker"):
        context = value(connection, "select public.worker_context(%s, %s)", task["id"], task["lease_token"])
    return [(file["filename"], file["kind"], file["version"]) for file in context["files"]]


def add(connection: Connection, task: Row, *files: Row) -> None:
    with acting_as(connection, "agent_worker"):
        connection.execute(
            "select public.worker_add_files(%s, %s, %s::jsonb)", [task["id"], task["lease_token"], json.dumps(files)]
        )


def test_a_file_has_versions_and_the_same_again_is_none(connection: Connection, task: Row) -> None:
    for content in ("1", "1", "2", "1"):
        add(connection, task, stored(task, file_hash=content * 64))
    add(connection, task, stored(task, file_hash="1" * 64, is_executable=True))
    assert current(connection, task) == [("report.md", "file", 4)]


def test_what_a_step_removed_is_not_in_the_workspace_and_can_come_again(connection: Connection, task: Row) -> None:
    add(connection, task, stored(task), stored(task, "other.md"), {"filename": "empty", "kind": "folder"})
    add(connection, task, {"filename": "link", "kind": "link", "link_target": "other.md"})
    add(connection, task, {"filename": "report.md", "kind": "removed"}, {"filename": "empty", "kind": "removed"})
    assert current(connection, task) == [("link", "link", 1), ("other.md", "file", 1)]
    kinds = [e["kind"] for e in runs.events(connection, task) if e["kind"].startswith("file.")]
    assert kinds == ["file.created", "file.created", "file.removed", "file.removed"]
    add(connection, task, stored(task))
    assert current(connection, task) == [("link", "link", 1), ("other.md", "file", 1), ("report.md", "file", 3)]


def test_a_file_whose_bytes_came_later_is_stored_then(connection: Connection, task: Row) -> None:
    for is_stored in (False, True):
        add(connection, task, stored(task, is_stored=is_stored))
        assert value(connection, "select array_agg(is_stored) from public.files") == [is_stored]


def test_a_workspace_over_the_limit_is_refused_by_the_limits_name(connection: Connection, task: Row) -> None:
    connection.execute("update public.system_config set config_value = '10' where config_key = 'workspace_max_size'")
    add(connection, task, stored(task, file_size=6))
    add(connection, task, stored(task, file_size=7, file_hash="1" * 64))
    with refused(LIMIT, r"limit workspace_max_size reached: .* have 13 bytes, at most 10"):
        add(connection, task, stored(task, "b", file_size=6))
    add(connection, task, {"filename": "report.md", "kind": "removed"}, stored(task, "b", file_size=6))


def test_bytes_that_another_row_needs_are_not_swept(connection: Connection, task: Row) -> None:
    path = stored(task)["file_path"]
    add(connection, task, stored(task, is_temporary=True), stored(task, "b", file_path=path))
    connection.execute("update public.files set expires_at = now() - interval '1 s' where is_temporary")
    with acting_as(connection, "agent_worker"):
        (swept,) = connection.execute("select * from public.worker_expired_files()").fetchall()
    assert swept["id"] is not None
    assert swept["file_path"] is None
