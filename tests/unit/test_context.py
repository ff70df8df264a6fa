"""What the model is shown is a function of the recorded rows: stable, paired, within its window."""

from __future__ import annotations

import uuid
from itertools import count
from typing import Any

import pytest

from agent_runtime.context import CUT_NOTE, NOT_RUN, render
from agent_runtime.llm.chat import ChatMessage
from agent_runtime.records import Agent, Message, Task

TASK, EARLIER, CONVERSATION = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
SEQ = count(1)


def agent(**more: Any) -> Agent:
    return Agent.model_validate(
        {
            "id": uuid.uuid4(),
            "name": "A",
            "system_prompt": "Be kind.",
            "model_name": "m",
            "temperature": 0,
            "max_tokens": 1,
        }
        | more
    )


def task(**more: Any) -> Task:
    ids = {name: uuid.uuid4() for name in ("tenant_id", "user_id", "agent_id")}
    row = {"id": TASK, "conversation_id": CONVERSATION, "title": "t", "status": "running", "priority": 1, **ids}
    return Task.model_validate(row | more)


def message(role: str, content: str, **more: Any) -> Message:
    return Message.model_validate(
        {"id": uuid.uuid4(), "task_id": TASK, "role": role, "content": content, "seq": next(SEQ)} | more
    )


def step(number: int, task_id: uuid.UUID = TASK, results: int = 1) -> list[Message]:
    """A turn with one call, and its result."""
    call = {"id": f"call_{number}", "name": "file_list", "arguments": {}}
    turn = message("assistant", "", task_id=task_id, tool_calls=[call], metadata={"step": number})
    result = {"step": number, "call_index": 0}
    return [turn, *[message("tool", f"result {number}", task_id=task_id, metadata=result) for _ in range(results)]]


def shown(
    messages: list[Message], limit: int = 100, who: Agent | None = None, of: Task | None = None
) -> list[ChatMessage]:
    return render(who or agent(), [], of or task(), messages, limit)[1:]


def test_what_was_shown_once_is_shown_again_byte_for_byte_as_the_run_goes_on() -> None:
    messages = [message("user", "Do it.")]
    before: list[ChatMessage] = []
    for number in range(1, 20):
        messages += step(number)
        now = shown(messages)
        assert now[: len(before)] == before
        before = now


def test_a_result_stands_next_to_its_call_though_the_person_wrote_in_between() -> None:
    turn, result = step(1)
    interjection = message("user", "Wait!")
    result = result.model_copy(update={"seq": next(SEQ)})
    assert [each.role for each in shown([message("user", "Do it."), turn, interjection, result])] == [
        "user",
        "assistant",
        "tool",
        "user",
    ]


def test_a_call_that_never_got_a_result_is_shown_as_not_run() -> None:
    assert shown([message("user", "Do it."), *step(1, results=0)])[-1].content == NOT_RUN


def test_attached_files_are_named_with_the_question() -> None:
    files = [{"filename": "a.csv", "file_size": 12, "mime_type": "text/csv"}]
    (first,) = shown([message("user", "Read it.", metadata={"files": files})])
    assert first.content == "Read it.\n\nAttached files, in the workspace:\n- a.csv (12 bytes, text/csv)"


def test_the_plan_comes_last_with_the_current_phase_marked() -> None:
    planned = task(plan=[{"title": "One"}, {"title": "Two"}, {"title": "Three"}], current_phase=2, total_phases=3)
    last = shown([message("user", "Do it.")], of=planned)[-1]
    assert last.role == "system"
    assert last.content.splitlines()[1:] == ["1. [done] One", "2. [now] Two", "3. [next] Three"]


@pytest.mark.parametrize("limit", [8, 20, 51])
def test_a_long_conversation_keeps_the_question_whole_pairs_and_a_prefix_that_rarely_changes(limit: int) -> None:
    messages = [message("user", "The question.")]
    prefixes = set()
    for number in range(1, 100):
        messages += step(number)
        now = shown(messages, limit)
        assert now[0].content == "The question."
        assert sum(each.role in ("assistant", "tool") for each in now) <= limit
        for place, each in enumerate(now):
            assert (each.role == "assistant") == (place + 1 < len(now) and now[place + 1].role == "tool")
        cut = [place for place, each in enumerate(now) if each.content == CUT_NOTE]
        if cut:
            prefixes.add(now[cut[0] + 2].content)
    assert len(prefixes) <= 2 * 200 / (limit // 2)


def test_an_agent_without_memory_is_shown_this_task_alone() -> None:
    messages = [message("user", "Before.", task_id=EARLIER), *step(1, EARLIER), message("user", "Now.")]
    assert [each.content for each in shown(messages, who=agent(memory_enabled=False))] == ["Now."]


def test_memory_holds_the_newest_of_earlier_tasks_up_to_its_limit() -> None:
    messages = [
        message("user", "x" * 50, task_id=EARLIER),
        message("user", "y" * 50, task_id=EARLIER),
        message("user", "Now."),
    ]
    assert [each.content[:1] for each in shown(messages, who=agent(memory_limit=60))] == ["y", "N"]


def test_a_step_of_another_task_is_never_taken_for_this_ones() -> None:
    messages = [
        message("user", "Before.", task_id=EARLIER),
        *step(1, EARLIER),
        message("user", "Now."),
        *step(1, results=0),
    ]
    assert [each.content for each in shown(messages) if each.role == "tool"] == ["result 1", NOT_RUN]
