"""The checks behind docs/durability.md see what they are there to see: each of these tasks is broken in one way."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from bench.chaos import invariants as rule
from bench.chaos.effects import Effect
from bench.chaos.invariants import Task, violations_of
from bench.chaos.stories import walk

PID, OTHER_PID = 11, 12
WORKER, OTHER = "worker", "other"
STORY = walk("unsafe")
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def sound() -> Task:
    """A task of one unsafe call, then two, then the end, all of it as it should be."""
    row = {"id": uuid.uuid4(), "status": "completed", "error_message": None, "attempts": 0, "lease_token": None}
    task = Task({**row, "usage": {"steps": 3}}, STORY)
    task.messages.append({"role": "user", "content": STORY.prompt, "metadata": {}})
    claim = {"status": "running", "worker_id": WORKER}
    task.events.append({"id": 1, "kind": "task.status", "payload": claim, "created_at": START})
    number = 0
    for step, calls in enumerate(STORY.calls_per_turn, 1):
        task.messages.append({"role": "assistant", "content": "", "metadata": {"step": step}})
        for index in range(calls):
            number += 1
            add_call(task, step, index, number if number in STORY.calls else None)
    end = {"status": "completed"}
    task.events.append({"id": 900, "kind": "task.status", "payload": end, "created_at": START})
    return task


def add_call(task: Task, step: int, index: int, number: int | None) -> None:
    call_id = uuid.uuid4()
    call = {
        "id": call_id, "status": "completed", "step": step, "call_index": index, "started_at": START,
        "error_message": None, "tool": "chaos_unsafe" if number else "task_complete",
        "retry_class": "unsafe" if number else "idempotent", "number": number,
    }  # fmt: skip
    task.executions.append(call)
    metadata = {"step": step, "call_index": index, "execution_id": str(call_id)}
    task.messages.append({"role": "tool", "content": "done", "metadata": metadata})
    payload = {"execution_id": str(call_id), "status": "completed"}
    task.events.append({"id": 100 * step + index, "kind": "execution.status", "payload": payload, "created_at": START})
    if number:
        task.effects[str(call_id)] = [effect(task, call, PID)]
        task.files.append({"filename": f"call-{number}.txt", "version": 1})


def effect(task: Task, call: dict[str, Any], pid: int) -> Effect:
    return Effect(task.id, str(call["id"]), call["number"], pid, START.timestamp() + 5)


def found(task: Task) -> set[str]:
    return {violation.rule for violation in violations_of(task, set(), {WORKER: PID, OTHER: OTHER_PID})}


def repeat_unsafe(task: Task) -> None:
    call = task.own_calls[0]
    task.effects[str(call["id"])].append(effect(task, call, PID))


def finish_and_run_again(task: Task) -> None:
    claim = {"status": "running", "worker_id": OTHER}
    task.events.append({"id": 500, "kind": "task.status", "payload": claim, "created_at": START})
    call = task.own_calls[0]
    call["retry_class"] = "idempotent"
    task.effects[str(call["id"])].append(effect(task, call, OTHER_PID))


def turn_twice(task: Task) -> None:
    task.messages.insert(1, task.messages[1])


def call_twice(task: Task) -> None:
    task.executions.append(task.executions[0])


def doubt_a_safe_call(task: Task) -> None:
    task.executions[-1]["status"] = "in_doubt"


def strange_process(task: Task) -> None:
    call = task.own_calls[0]
    task.effects[str(call["id"])] = [effect(task, call, 99)]


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        (lambda task: task.row.update(status="failed"), rule.NOT_ENDED),
        (lambda task: task.events.append(task.events[-1]), rule.DOUBLED),
        (finish_and_run_again, rule.FINISHED_AGAIN),
        (repeat_unsafe, rule.UNSAFE_TWICE),
        (lambda task: task.effects.clear(), rule.LOST),
        (lambda task: task.own_calls[1].update(retry_class="keyed"), rule.LOST),
        (strange_process, rule.NO_INTENT),
        (lambda task: task.own_calls[0].update(started_at=None), rule.NO_INTENT),
        (call_twice, rule.CALLS),
        (doubt_a_safe_call, rule.CALLS),
        (turn_twice, rule.HISTORY),
        (lambda task: task.messages.pop(2), rule.HISTORY),
        (lambda task: task.row["usage"].update(steps=4), rule.HISTORY),
        (lambda task: task.executions[0].update(status="running"), rule.OPEN),
        (lambda task: task.files.pop(), rule.FILE_LOST),
        (lambda task: task.files[0].update(version=2), rule.FILE_LOST),
    ],
)
def test_a_task_that_is_broken_in_this_way_is_found(broken: Callable[[Task], object], seen: str) -> None:
    task = sound()
    broken(task)
    assert seen in found(task)


def test_a_sound_task_passes() -> None:
    assert found(sound()) == set()


def test_a_file_that_the_model_was_told_is_gone_is_no_silent_loss() -> None:
    task = sound()
    task.files.pop()
    task.messages[-1]["content"] = "done\ncall-3.txt is gone: the worker that wrote it could not store it."
    assert found(task) == set()


def test_a_frozen_worker_that_ends_its_call_late_is_no_repeated_finished_call() -> None:
    task = sound()
    call = task.own_calls[0]
    call["retry_class"] = "idempotent"
    task.story = walk("idempotent")
    for other in task.own_calls[1:]:
        other["retry_class"] = "idempotent"
    task.effects[str(call["id"])].append(effect(task, call, PID))
    assert found(task) == set()
