"""The timeline is a fold: the same events give the same screen, however they are cut and however often they come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from agent_runtime.cli.watch_lines import describe
from agent_runtime.person.records import EventRow, ExecutionRow, MessageRow
from agent_runtime.person.timeline import Timeline

TASK, PROMPT, SAID, CALL, ASKED = (UUID(int=number) for number in range(1, 6))


ALWAYS: dict[str, dict[str, Any]] = {
    "task.created": {"priority": 1},
    "task.status": {"attempts": 0},
    "task.plan": {"total_phases": 2},
    "execution.status": {"call_index": 0},
    "file.created": {"file_id": str(UUID(int=9)), "version": 1},
    "file.removed": {"file_id": str(UUID(int=9)), "file_size": 0},
}
"""What events of a kind have besides what a test is about."""


def told(*kinds: tuple[str, dict[str, Any]]) -> list[EventRow]:
    now = datetime.now(UTC)
    return [
        EventRow(id=10 * n, kind=kind, payload=ALWAYS.get(kind, {}) | payload, created_at=now)
        for n, (kind, payload) in enumerate(kinds, 1)
    ]


def execution(status: str, **more: Any) -> tuple[str, dict[str, Any]]:
    payload = {"execution_id": str(CALL), "tool": "shell_exec", "step": 2, "call_index": 0, "status": status, **more}
    return "execution.status", payload


STORY = told(
    ("task.created", {"status": "pending", "title": "Count", "priority": 1}),
    ("file.created", {"filename": "a.csv", "file_size": 10}),
    ("message.created", {"message_id": str(PROMPT), "seq": 1, "role": "user"}),
    ("task.status", {"status": "running", "previous": "pending", "attempts": 0}),
    ("task.plan", {"plan": [{"title": "Look"}, {"title": "Tell"}], "current_phase": 1, "progress_percentage": 0}),
    ("message.created", {"message_id": str(SAID), "seq": 2, "role": "assistant", "step": 2}),
    execution("pending"),
    execution("running"),
    execution("failed", execution_time_ms=1_500, error_message="exit code 2"),
    ("file.created", {"filename": "out.txt", "version": 2, "file_size": 7, "execution_id": str(CALL)}),
    ("task.plan", {"plan": [{"title": "Look"}, {"title": "Tell"}], "current_phase": 2, "progress_percentage": 50}),
    ("task.notice", {"text": "half way"}),
    ("task.control", {"request": "cancel"}),
    ("task.status", {"status": "cancelled", "previous": "running"}),
)


def folded(events: list[EventRow]) -> Timeline:
    timeline = Timeline()
    for event in events:
        timeline.apply(event)
    return timeline


def test_the_fold_of_a_whole_story() -> None:
    timeline = folded(STORY)
    assert (timeline.title, timeline.status, timeline.has_ended) == ("Count", "cancelled", True)
    assert (timeline.plan, timeline.current_phase, timeline.progress_percentage) == (["Look", "Tell"], 2, 50)
    assert timeline.cancel_requested
    assert timeline.notices == ["half way"]
    call = timeline.calls[CALL]
    assert (call.status, call.step, call.execution_time_ms, call.error_message) == ("failed", 2, 1_500, "exit code 2")
    assert [(file.filename, file.made_by_agent) for file in timeline.files] == [("a.csv", False), ("out.txt", True)]


@pytest.mark.parametrize("cut", range(len(STORY) + 1))
def test_a_reader_who_resumes_anywhere_sees_the_same(cut: int) -> None:
    timeline = folded(STORY[:cut])
    # The last batch comes again, as it does after a lost answer.
    for event in STORY[max(0, cut - 3) :]:
        timeline.apply(event)
    assert timeline == folded(STORY)


def test_an_event_that_was_taken_before_changes_nothing() -> None:
    timeline = folded(STORY)
    assert [timeline.apply(event) for event in STORY] == [False] * len(STORY)


def test_a_kind_that_is_not_known_yet_does_not_stop_the_rest() -> None:
    strange = told(("task.dreamed", {"of": "sheep"}), ("task.status", {"status": "asleep", "previous": "running"}))
    timeline = folded([*strange, *told(*[("task.notice", {"text": "awake", "loud": True})] * 3)[2:]])
    assert (timeline.status, timeline.notices) == ("pending", ["awake"])
    assert [describe(event, timeline, TASK) for event in strange] == [[], []]


def test_rows_are_wanted_until_they_were_read_and_the_prompt_never_is() -> None:
    timeline = folded(STORY)
    assert (timeline.wanted_executions, timeline.wanted_messages) == ([CALL], [SAID])
    row = ExecutionRow.model_validate(
        {"id": CALL, "status": "failed", "step": 2, "call_index": 0, "input_parameters": {"command": "wc a.csv"}}
    )
    timeline.learn(executions=[row])
    assert (timeline.calls[CALL].arguments, timeline.wanted_executions) == ({"command": "wc a.csv"}, [])
    timeline.stop_wanting()
    assert timeline.wanted_messages == []


def test_each_event_that_says_something_is_one_line() -> None:
    timeline = folded(STORY)
    row = ExecutionRow.model_validate(
        {"id": CALL, "status": "failed", "step": 2, "call_index": 0, "input_parameters": {"command": "wc a.csv"}}
    )
    said = {
        "id": SAID,
        "seq": 2,
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [{}],
        "created_at": "2026-01-01 00:00:00+00",
    }
    timeline.learn(executions=[row], messages=[MessageRow.model_validate(said)])
    assert [line.plain for event in STORY for line in describe(event, timeline, TASK)] == [
        "Task: Count",
        "+ a.csv  10 B",
        "a worker runs it",
        "Plan: Look · Tell",
        "I look.",
        'step 2   ▸ shell_exec  command="wc a.csv"',
        'step 2   ✗ shell_exec  1.5 s  exit code 2  command="wc a.csv"',
        "+ out.txt (version 2)  7 B",
        "Phase 2 of 2: Tell",
        "» half way",
        "asked to stop",
    ]


def test_a_question_says_how_to_answer_it() -> None:
    asked = {"execution_id": str(ASKED), "tool": "message_ask", "step": 1, "call_index": 0, "status": "completed"}
    events = told(
        ("task.created", {"status": "pending", "title": "Ask"}),
        ("execution.status", asked),
        ("task.status", {"status": "waiting", "previous": "running", "wait_reason": "answer"}),
    )
    timeline = folded(events)
    row = {
        "id": ASKED,
        "status": "completed",
        "step": 1,
        "call_index": 0,
        "input_parameters": {"question": "Which?\x1b[2J"},
    }
    timeline.learn(executions=[ExecutionRow.model_validate(row)])
    assert timeline.question == "Which?\x1b[2J"
    lines = [line.plain for line in describe(events[-1], timeline, TASK)]
    assert lines == ["? Which?", f'  answer with: agent-runtime tasks answer {TASK} "…"']


def test_a_call_that_waits_for_approval_says_how_to_allow_it() -> None:
    events = told(execution("awaiting_approval"))
    lines = [line.plain for line in describe(events[0], folded(events), TASK)]
    assert f"agent-runtime tasks approve {CALL}" in lines[1]


def row_of(status: str, **more: Any) -> ExecutionRow:
    own = {"id": CALL, "status": status, "step": 2, "call_index": 0, "tools": {"name": "shell_exec"}}
    return ExecutionRow.model_validate({"input_parameters": {"command": "ls"}, **own, **more})


def test_a_pause_is_asked_for_taken_back_asked_again_and_kept() -> None:
    asked, back = ("task.control", {"request": "pause"}), ("task.control", {"request": "resume"})
    running = ("task.status", {"status": "running", "previous": "pending"})
    paused = ("task.status", {"status": "paused", "previous": "running"})
    goes_on = ("task.status", {"status": "pending", "previous": "paused"})
    events = told(running, asked, back, asked, paused, goes_on)
    assert [folded(events[:n]).pause_requested for n in range(1, 7)] == [False, True, False, True, False, False]
    timeline = folded(events)
    assert [line.plain for event in events for line in describe(event, timeline, TASK)] == [
        "a worker runs it",
        "asked to pause",
        "the pause was taken back",
        "asked to pause",
        f"paused; it goes on with: agent-runtime tasks resume {TASK}",
        "goes on",
    ]


def test_an_edited_approval_is_read_again_and_says_who_and_what_was_run_instead() -> None:
    approved = {"execution_id": str(CALL), "verdict": "approved", "user_id": str(ASKED), "reason": "safer"}
    events = told(
        execution("awaiting_approval", approvals_needed=1),
        ("execution.decision", approved),
        execution("pending", approvals_needed=1),
        execution("completed", execution_time_ms=3),
    )
    timeline = folded(events[:1])
    timeline.learn(executions=[row_of("awaiting_approval", input_parameters={"command": "rm -rf /"})])
    assert timeline.wanted_executions == []
    for event in events[1:]:
        timeline.apply(event)
    assert timeline.wanted_executions == [CALL]
    timeline.names = {str(ASKED): "you"}
    timeline.learn(executions=[row_of("completed", original_parameters={"command": "rm -rf /"})])
    assert timeline.wanted_executions == []
    assert [line.plain for event in events[1:] for line in describe(event, timeline, TASK)] == [
        'step 2   approved by you  shell_exec: safer  edited  command="ls"',
        '  the agent had asked for: command="rm -rf /"',
        'step 2   ✓ shell_exec  3 ms  edited  command="ls"',
    ]


def test_approvals_count_for_these_very_arguments_alone_and_each_person_once() -> None:
    now = "2026-01-01 00:00:00+00"
    decisions = [
        {"user_id": str(user), "verdict": verdict, "input_digest": digest, "created_at": now}
        for user, verdict, digest in ((SAID, "approved", "old"), (ASKED, "approved", "new"), (ASKED, "happened", "new"))
    ]
    row = row_of(
        "awaiting_approval",
        input_digest="new",
        approvals_needed=2,
        approval_expires_at="2026-01-02 00:00:00+00",
        execution_decisions=decisions,
    )
    events = told(execution("awaiting_approval", approvals_needed=2))
    timeline = folded(events)
    timeline.learn(executions=[row])
    *_, terms = [line.plain for line in describe(events[0], timeline, TASK)]
    assert terms.startswith("  1 of 2 people have approved, until 2026-01-0")


def test_a_doubt_says_how_to_settle_it_until_it_is_settled() -> None:
    settled = {"execution_id": str(CALL), "verdict": "did_not_happen", "user_id": str(SAID), "reason": "no mail left"}
    events = told(
        execution("in_doubt", error_message="the worker stopped"),
        ("task.status", {"status": "waiting", "previous": "running", "wait_reason": "doubt"}),
        ("execution.decision", settled),
        execution("failed", error_message="it did not happen, a person found"),
    )
    doubtful = folded(events[:2])
    assert [call.execution_id for call in doubtful.doubts] == [CALL]
    assert f"agent-runtime tasks settle {CALL} --happened" in describe(events[0], doubtful, TASK)[-1].plain
    timeline = folded(events)
    assert timeline.doubts == []
    assert [line.plain for event in events for line in describe(event, timeline, TASK)] == [
        "step 2   ? shell_exec  the worker stopped",
        "waits until a person says whether the call in doubt took effect",
        "step 2   another person settled that it did not take effect  shell_exec: no mail left",
        "step 2   ✗ shell_exec  it did not happen, a person found",
    ]


def test_a_file_that_was_removed_is_not_shown_as_there() -> None:
    events = told(
        ("file.created", {"filename": "a", "file_size": 1}),
        ("file.created", {"filename": "b", "file_size": 1}),
        ("file.removed", {"filename": "a", "version": 2}),
    )
    timeline = folded(events)
    assert [file.filename for file in timeline.files] == ["b"]
    assert [line.plain for line in describe(events[-1], timeline, TASK)] == ["- a"]


def test_what_an_agent_writes_reaches_no_line_unclean() -> None:
    evil = "\x1b]52;c;eA==\x07\x1b[2J\r\n\u202e"
    call_id = str(uuid4())
    events = told(
        ("task.created", {"title": evil, "status": "pending"}),
        ("task.plan", {"plan": [{"title": evil}], "current_phase": 1, "progress_percentage": 0}),
        ("task.notice", {"text": evil}),
        (
            "execution.status",
            {"execution_id": call_id, "tool": evil, "status": "failed", "error_message": evil, "step": 1},
        ),
        ("file.created", {"filename": evil, "file_size": 1}),
        ("file.removed", {"filename": evil, "version": 2}),
        ("task.status", {"status": "pending", "previous": "running", "run_after": evil}),
        ("task.status", {"status": "waiting", "previous": "running", "wait_reason": evil}),
        ("execution.decision", {"execution_id": call_id, "verdict": evil, "user_id": evil, "reason": evil}),
        ("execution.decision", {"execution_id": call_id, "verdict": "approved", "user_id": str(SAID), "reason": evil}),
    )
    timeline = folded(events)
    timeline.names = {str(SAID): evil}
    evil_row = row_of("failed", input_parameters={evil: evil}, original_parameters={evil: evil})
    timeline.learn(executions=[evil_row.model_copy(update={"id": UUID(call_id)})])
    for event in events:
        for line in describe(event, timeline, TASK):
            assert line.plain.isprintable()
