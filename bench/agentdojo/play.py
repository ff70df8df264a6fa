"""Every user task, alone and with every injection, in one way after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agentdojo.task_suite.load_suites import get_suites

from bench.agentdojo.gate import Gate
from bench.agentdojo.model import Run, planted, run, seen_vectors
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
    for way, permit in WAYS.items():
        for suite in _suites():
            if permit:
                environment = suite.load_and_inject_default_environment({})
                gate.add_agent(_agent(suite, way), [tool.name for tool in suite.tools], permit(suite.name, environment))
    found = {way: Played(way) for way in WAYS}
    for suite in _suites():
        tasks, injections = _chosen(suite, quick)
        for user_task in tasks:
            vectors = seen_vectors(suite, user_task)
            for injection in (None, *injections):
                environment = planted(suite, injection, vectors)
                for way, played in found.items():
                    started = time.perf_counter()
                    task = gate.begin(_agent(suite, way), user_task.PROMPT) if WAYS[way] else None
                    one = run(suite, user_task, injection, environment, task)
                    (played.pairs if injection else played.alone).append(one)
                    played.seconds += time.perf_counter() - started
                    done()
    return list(found.values())


def _agent(suite: Any, way: str) -> str:
    return f"{suite.name}, {way}"


def _suites() -> list[Any]:
    return list(get_suites(VERSION).values())


def _chosen(suite: Any, quick: bool) -> tuple[list[Any], list[Any]]:
    tasks, injections = list(suite.user_tasks.values()), list(suite.injection_tasks.values())
    return (tasks[:3], injections[:2]) if quick else (tasks, injections)
