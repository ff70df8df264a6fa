"""Every user task, alone and with every injection, in one way after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agentdojo.task_suite.load_suites import get_suites

from bench.agentdojo.gate import Gate
from bench.agentdojo.model import Run, run, seen_vectors
from bench.agentdojo.policies import Permissions, permissions, wide_permissions
from bench.agentdojo.tools import FLAGS

VERSION = "v1.2.2"
"""Of AgentDojo's suites: 97 user tasks, 35 injections, 949 pairs."""

WAYS: dict[str, Callable[[str, Any], Permissions] | None] = {
    "no gate": None,
    "gate, no policy": lambda _suite, _environment: [],
    "gate with policy": permissions,
    "gate, wide policy": wide_permissions,
}


@dataclass
class Played:
    """One way's runs."""

    way: str
    seconds: float = 0.0
    alone: list[Run] = field(default_factory=list)
    pairs: list[Run] = field(default_factory=list)


def count(quick: bool) -> int:
    """How many runs there are, over all ways."""
    return len(WAYS) * sum(
        len(tasks) * (1 + len(injections)) for tasks, injections in (_chosen(suite, quick) for suite in _suites())
    )


def play(gate: Gate, quick: bool, done: Callable[[], None]) -> list[Played]:
    """Play it all."""
    functions = {tool.name: tool.parameters.model_json_schema() for suite in _suites() for tool in suite.tools}
    gate.add_tools(functions, FLAGS)
    vectors = {
        (suite.name, task.ID): seen_vectors(suite, task) for suite in _suites() for task in _chosen(suite, quick)[0]
    }
    found = []
    for way, permit in WAYS.items():
        played, started = Played(way), time.perf_counter()
        for suite in _suites():
            agent = f"{suite.name}, {way}"
            if permit:
                environment = suite.load_and_inject_default_environment({})
                gate.add_agent(agent, [tool.name for tool in suite.tools], permit(suite.name, environment))
            tasks, injections = _chosen(suite, quick)
            for user_task in tasks:
                for injection in (None, *injections):
                    task = gate.begin(agent, user_task.PROMPT) if permit else None
                    one = run(suite, user_task, injection, vectors[suite.name, user_task.ID], task)
                    (played.pairs if injection else played.alone).append(one)
                    done()
        played.seconds = time.perf_counter() - started
        found.append(played)
    return found


def _suites() -> list[Any]:
    return list(get_suites(VERSION).values())


def _chosen(suite: Any, quick: bool) -> tuple[list[Any], list[Any]]:
    tasks, injections = list(suite.user_tasks.values()), list(suite.injection_tasks.values())
    return (tasks[:3], injections[:2]) if quick else (tasks, injections)
