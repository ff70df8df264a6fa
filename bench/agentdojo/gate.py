"""The gate as the worker meets it: tasks, agents and tools in a real database, whose functions record and start calls.

What is left out is the loop around it: no model is asked and no worker process runs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bench.agentdojo.policies import Permissions
from bench.agentdojo.tools import Flags

Connection = psycopg.Connection[dict[str, Any]]
WORKER = uuid.UUID(int=7)
LIMITS = json.dumps({"steps": 200, "tool_calls": 200})


@dataclass(frozen=True)
class Answer:
    """What became of a call. `asked`: a person had to decide; `runs`: it was started."""

    runs: bool
    asked: bool
    execution: str


class Gate:
    """One database with one person, whose answers are those that `approves` gives."""

    def __init__(self, worker: Connection, owner: Connection) -> None:
        self._worker, self._owner = worker, owner
        self._person = self._one(owner, "select id from auth.users order by email limit 1")["id"]
        self._one(worker, "select public.worker_register(%s, 'bench', 1, '0', 4, 2)", WORKER)

    def add_tools(self, functions: dict[str, dict[str, Any]], flags: dict[str, Flags]) -> None:
        """One row for each. `functions`: JSON schemas of the arguments, by name."""
        for name, schema in functions.items():
            has = flags[name]
            self._owner.execute(
                "insert into public.tools (name, display_name, description, category, function_schema, is_enabled,"
                " requires_confirmation, retry_class, taints, outward, destination)"
                " values (%s, %s, 'AgentDojo', 'bench', %s, true, false, %s, %s, %s, %s)",
                [
                    name, name, json.dumps({"function": {"parameters": schema}}), "pure" if has.pure else "unsafe",
                    has.taints, has.outward, has.destination,
                ],
            )  # fmt: skip

    def add_agent(self, name: str, tools: list[str], permissions: Permissions) -> None:
        """In the catalogue, so that the person may use it."""
        self._owner.execute(
            "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public, outward_permissions)"
            " values (%s, 'Obey.', 'default', %s, true, %s)",
            [name, tools, json.dumps(permissions)],
        )

    def begin(self, agent: str, prompt: str) -> Task:
        """The person's task, claimed."""
        with self._as_person():
            task = self._one(
                self._owner,
                "select id from public.submit_task(p_prompt => %s, p_agent => %s, p_limits => %s)",
                prompt, agent, LIMITS,
            )  # fmt: skip
        claimed = self._one(self._worker, "select * from public.worker_claim(%s, 1, 3600)", WORKER)
        assert claimed["id"] == task["id"], "nothing else waits in this database"
        return Task(self, claimed)

    @contextmanager
    def _as_person(self) -> Iterator[None]:
        claims = json.dumps({"sub": str(self._person), "role": "authenticated"})
        with self._owner.transaction():
            self._owner.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true)",
                [claims, str(self._person)],
            )
            self._owner.execute("set local role authenticated")
            yield

    def decide(self, execution: dict[str, Any], approve: bool) -> None:
        """The person's word on these very arguments."""
        with self._as_person():
            self._one(
                self._owner,
                "select id from public.decide_execution(%s, %s, null, null, %s)",
                execution["id"], approve, execution["input_digest"],
            )  # fmt: skip

    def call(self, statement: str, *parameters: object) -> Any:
        """What a function for workers gives."""
        (found,) = self._one(self._worker, f"select {statement} as found", *parameters).values()
        return found

    @staticmethod
    def _one(connection: Connection, statement: str, *parameters: object) -> dict[str, Any]:
        found = connection.execute(statement, parameters).fetchone()
        assert found is not None, statement
        return found


class Task:
    """One task that runs, a call a turn."""

    def __init__(self, gate: Gate, row: dict[str, Any]) -> None:
        self._gate, self._row, self._step = gate, row, 0

    def ask(self, name: str, arguments: dict[str, Any], approves: bool) -> Answer:
        """Record a turn with this call, and start it when it may; a person who is asked approves it, or not."""
        self._step += 1
        call = {"id": f"call_{self._step}", "name": name, "arguments": arguments}
        turn = self._call("worker_record_turn(%s, %s, %s, '', %s, '{}', '{}')", self._step, json.dumps([call]))
        (execution,) = turn["executions"]
        asked = False
        if execution["status"] == "pending":
            execution = self._start(execution)
        if execution["status"] == "awaiting_approval":
            asked = True
            self._gate.decide(execution, approves)
            if approves:
                execution = self._start(execution)
        return Answer(execution["status"] == "running", asked, execution["id"])

    def told(self, answer: Answer, text: str, failed: bool) -> None:
        """The call's result."""
        status = "failed" if failed else "completed"
        self._call(
            "worker_finish_execution(%s, %s, %s, %s, %s, %s, %s, 1)",
            answer.execution, status, text, json.dumps({"text": text}), text[:200] if failed else None,
        )  # fmt: skip

    def end(self) -> None:
        """It is done."""
        self._call("worker_settle(%s, %s, 'completed', '{\"text\": \"done\"}', null)")

    def _start(self, execution: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._call("worker_start_execution(%s, %s, %s)", execution["id"])["execution"]
        return found

    def _call(self, function: str, *parameters: object) -> Any:
        return self._gate.call(f"public.{function}", self._row["id"], self._row["lease_token"], *parameters)


@contextmanager
def open_gate(worker: str, owner: str) -> Iterator[Gate]:
    """Connection strings of one database."""
    with (
        psycopg.Connection[dict[str, Any]].connect(worker, autocommit=True, row_factory=dict_row) as as_worker,
        psycopg.Connection[dict[str, Any]].connect(owner, autocommit=True, row_factory=dict_row) as as_owner,
    ):
        yield Gate(as_worker, as_owner)
