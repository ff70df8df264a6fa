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


def told(*kinds: tuple[str, dict[str, Any]]) -> list[EventRow]:
    now = datetime.now(UTC)
    return [
        EventRow(id=10 * n, kind=kind, payload=payload, created_at=now) for n, (kind, payload) in enumerate(kinds, 1)
    ]


def execution(status: str, **more: Any) -> tuple[str, dict[str, Any]]:
    payload = {"execution_id": str(CALL), "tool": "shell_exec", "step": 2, "call_index": 0, "status": status, **more}
    return "execution.status", payload


STORY = told(
    ("task.created", {"status": "pending", "title": "Count", "priority": 1}),
    ("file.created", {"file_id": "1", "filename": "a.csv", "version": 1, "file_size": 10}),
    ("message.created", {"message_id": str(PROMPT), "seq": 1, "role": "user"}),
    ("task.status", {"status": "running", "previous": "pending", "attempts": 0}),
    ("task.plan", {"plan": [{"title": "Look"}, {"title": "Tell"}], "current_phase": 1, "progress_percentage": 0}),
    ("message.created", {"message_id": str(SAID), "seq": 2, "role": "assistant", "step": 2}),
    execution("pending"),
    execution("running"),
    execution("failed", execution_time_ms=1_500, error_message="exit code 2"),
    ("file.created", {"file_id": "2", "filename": "out.txt", "version": 2, "file_size": 7, "execution_id": str(CALL)}),
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
    timeline = folded(told(("task.dreamed", {"of": "sheep"}), ("task.notice", {"text": "awake"})))
    assert timeline.notices == ["awake"]


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
    )
    timeline = folded(events)
    for event in events:
        for line in describe(event, timeline, TASK):
            assert line.plain.isprintable()
