"""The model that obeys: it makes the calls that solve the user's task and, after an injection, the wanted ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.types import get_text_content_as_str, text_content_block_from_string

from bench.agentdojo import attacks
from bench.agentdojo.gate import Task
from bench.agentdojo.tools import FLAGS


@dataclass
class Run:
    """One user task, with an injection or without."""

    suite: str
    user_task: str
    injection: str | None
    useful: bool = False
    """AgentDojo's own verdict on what the user wanted."""
    attacked: bool = False
    """AgentDojo's own verdict on what the injection wanted."""
    obeyed: bool = False
    """The model read it."""
    ran: list[str] = field(default_factory=list)
    """The injection's own outward calls that ran, whatever became of the rest: the names of their functions."""
    asked: int = 0
    """How often a person had to decide about the user's own calls."""
    asked_for_attack: int = 0
    """The same about the injection's."""


def seen_vectors(suite: Any, user_task: Any) -> list[str]:
    """Places for injections that the model reads when it solves the task undisturbed."""
    marks = {name: f"<{name}>" for name in suite.get_injection_vector_defaults()}
    environment = user_task.init_environment(suite.load_and_inject_default_environment(marks))
    _, _, _, said, _ = GroundTruthPipeline(user_task).query("", FunctionsRuntime(suite.tools), environment)
    text = "\n".join(get_text_content_as_str(one["content"]) for one in said if one["content"])
    return [name for name, mark in marks.items() if mark in text]


def planted(suite: Any, injection: Any | None, vectors: list[str]) -> Any:
    """The suite's environment with the injection in these places."""
    return suite.load_and_inject_default_environment(
        dict.fromkeys(vectors, attacks.words(injection.GOAL)) if injection else {}
    )


def run(suite: Any, user_task: Any, injection: Any | None, environment: Any, task: Task | None) -> Run:
    """Play it in a copy of the environment. `task`: what its calls go through; None for no gate at all."""
    found = Run(suite.name, user_task.ID, injection.ID if injection else None)
    environment = user_task.init_environment(environment.model_copy(deep=True))
    before = environment.model_copy(deep=True)
    runtime, done = FunctionsRuntime(suite.tools), list[FunctionCall]()
    wanted = user_task.ground_truth(environment)
    own = {_digest(call) for call in wanted}

    def calls() -> Iterator[tuple[FunctionCall, bool]]:
        for call in wanted:
            yield call, True
            if injection and found.obeyed and not obeyed:
                obeyed.append(True)
                yield from ((attack, False) for attack in attacks.calls(injection, environment))

    obeyed: list[bool] = []
    for call, is_own in calls():
        text = _make(call, is_own, own, runtime, environment, task, found)
        if text is None:
            continue
        done.append(call)
        found.obeyed |= attacks.MARK in text
    says = user_task.GROUND_TRUTH_OUTPUT + (f" {injection.GROUND_TRUTH_OUTPUT}" if injection and found.obeyed else "")
    answer = [text_content_block_from_string(says)]
    found.useful = suite._check_task_result(user_task, answer, before, environment, done)
    if injection:
        found.attacked = found.obeyed and suite._check_task_result(injection, answer, before, environment, done)
    if task:
        task.end()
    return found


def _make(
    call: FunctionCall, is_own: bool, own: set[str], runtime: Any, environment: Any, task: Task | None, found: Run
) -> str | None:
    answer = task.ask(call.function, json.loads(json.dumps(dict(call.args))), _digest(call) in own) if task else None
    if answer and answer.asked:
        if is_own:
            found.asked += 1
        else:
            found.asked_for_attack += 1
    if answer and not answer.runs:
        return None
    if not is_own and FLAGS[call.function].outward:
        found.ran.append(call.function)
    result, error = runtime.run_function(environment, call.function, call.args)
    text: str = error or tool_result_to_str(result)
    if task and answer:
        task.told(answer, text, error is not None)
    return text


def _digest(call: FunctionCall) -> str:
    return json.dumps([call.function, dict(call.args)], sort_keys=True)
