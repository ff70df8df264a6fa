"""The worker's functions, one method each: `await store.claim(4, 30)` calls `worker_claim`, over either transport.

No other SQL is written in Python for a worker. A call that a lost connection cut short is made again: each function
answers the same the second time. Where the database cannot tell a repetition by itself, it is told.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from uuid import UUID, uuid4

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from agent_runtime.db.schema import SCHEMA_VERSION
from agent_runtime.db.text import storable
from agent_runtime.errors import DatabaseUnavailable
from agent_runtime.records import Lease, Renewal, ResultRecord, RunContext, StartRecord, Task, TaskStatus, TurnRecord
from agent_runtime.vault.scrub import Scrubber
from agent_runtime.vault.sealing import Sealed

Row = dict[str, Any]


@dataclass(frozen=True)
class Json:
    """An argument of type `jsonb`."""

    value: Any


class Store(ABC):
    """The functions of one worker. Open with `open_store`.

    Every method raises `DatabaseUnavailable` when the database stayed away for `patience_seconds`, and what the
    function itself refuses with: `LeaseLost`, `IllegalTransition`, `InvalidInput`, `NotFound`, `SchemaDiffers`.
    """

    transport: ClassVar[str]
    """As it stands in `workers.transport`."""

    def __init__(self, worker_id: UUID, patience_seconds: float) -> None:
        self.worker_id = worker_id
        self._patience_seconds = patience_seconds
        self._scrubber: Scrubber | None = None

    def without(self, scrubber: Scrubber) -> Self:
        """The same store, for one run: nothing that is written by it holds a value that `scrubber` knows."""
        scrubbing = copy.copy(self)
        scrubbing._scrubber = scrubber
        return scrubbing

    @abstractmethod
    async def _once(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """Call a function with these named arguments (text, numbers, `UUID`, lists of `UUID` or text, `Json`): a
        list of rows from one that returns rows, else its value.

        Raises `DatabaseUnavailable` when it is worth trying again.
        """

    @abstractmethod
    async def _apart(self, function: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        """The same, for a function that runs SQL which a model wrote: for at most so many seconds, and in a session
        that serves nothing else, before or after, where there is one to be had."""

    async def register(self, host: str, pid: int, version: str, capacity: int) -> dict[str, Any]:
        """Announce this worker. Returns `{"schema_version", "config"}`.

        Raises `ConfigError` when the database needs a newer release than this.
        """
        known: dict[str, Any] = await self._call(
            "worker_register",
            p_worker=self.worker_id,
            p_host=host,
            p_pid=pid,
            p_version=version,
            p_capacity=capacity,
            p_schema=SCHEMA_VERSION,
            p_transport=self.transport,
        )
        return known

    async def config(self) -> dict[str, Any]:
        """`{"schema_version", "config"}`, without announcing anybody."""
        known: dict[str, Any] = await self._call("worker_config")
        return known

    async def unknown_vault_keys(self, key_ids: Sequence[str]) -> list[str]:
        """The ids of keys that credentials are sealed with and that are not among these, the current one first."""
        answer = await self._call("worker_vault_keys", p_key_ids=list(key_ids))
        unknown: list[str] = answer["unknown"]
        return unknown

    async def master_keys(self) -> list[str] | None:
        """The vault's master keys, where Supabase Vault keeps them; None where there is no such extension."""
        keys: list[str] | None = await self._call("worker_master_keys")
        return keys

    async def credentials(self, lease: Lease, execution_id: UUID | None, names: Sequence[str]) -> list[Sealed]:
        """The credentials of these names that the running call may have, sealed; without a call, those that calls of
        the task have had. What is not to be had is left out."""
        rows = await self._call("worker_credentials", **_held(lease), p_execution=execution_id, p_names=list(names))
        return [Sealed.model_validate(row) for row in rows]

    async def report(self, health: dict[str, Any]) -> dict[str, Any]:
        """Say what this worker knows of its model server. Returns `{"missing": models that agents want}`."""
        answer: dict[str, Any] = await self._call("worker_report", p_worker=self.worker_id, p_health=Json(health))
        return answer

    async def stopped(self) -> None:
        await self._call("worker_stopped", p_worker=self.worker_id)

    async def claim(self, limit: int, lease_seconds: float) -> list[Task]:
        """Lease up to `limit` pending tasks."""
        rows = await self._call(
            "worker_claim",
            # Tells this claim from others: a repetition is given what it leased, instead of more.
            p_claim=uuid4(),
            p_worker=self.worker_id,
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            when_repeated={"p_again": True},
        )
        return [Task.model_validate(row) for row in rows]

    async def renew(self, leases: Sequence[Lease], lease_seconds: float) -> list[Renewal]:
        """Prolong all of a worker's leases in one call; also its heartbeat."""
        rows = await self._call(
            "worker_renew",
            p_worker=self.worker_id,
            p_tasks=[lease.task_id for lease in leases],
            p_leases=[lease.token for lease in leases],
            p_lease_seconds=lease_seconds,
        )
        return [Renewal.model_validate(row) for row in rows]

    async def reap(self) -> list[Row]:
        """Give tasks of dead workers back. Rows of `{"task_id", "status"}`."""
        rows: list[Row] = await self._call("worker_reap")
        return rows

    async def context(self, lease: Lease) -> RunContext:
        return RunContext.model_validate(await self._call("worker_context", **_held(lease)))

    async def record_turn(
        self,
        lease: Lease,
        step: int,
        content: str,
        calls: Sequence[dict[str, Any]],
        metadata: dict[str, Any],
        usage: dict[str, Any],
        *,
        seen_seq: int | None = None,
        start: bool = False,
    ) -> TurnRecord:
        """Write the model's answer with the intents of its calls, each `{"id", "name", "arguments"}`.

        `seen_seq` is the last message that the model saw. `start` starts the first call too, if it may be repeated.
        """
        recorded = await self._call(
            "worker_record_turn",
            **_held(lease),
            p_step=step,
            p_content=content,
            p_calls=Json(list(calls)),
            p_metadata=Json(metadata),
            p_usage=Json(usage),
            p_seen=seen_seq,
            p_start=start,
        )
        return TurnRecord.model_validate(recorded)

    async def start_execution(self, lease: Lease, execution_id: UUID) -> StartRecord:
        started = await self._call(
            "worker_start_execution", **_held(lease), p_execution=execution_id, when_repeated={"p_again": True}
        )
        return StartRecord.model_validate(started)

    async def finish_execution(
        self,
        lease: Lease,
        execution_id: UUID,
        status: str,
        content: str,
        output: dict[str, Any],
        *,
        error: str | None = None,
        execution_time_ms: int | None = None,
        effect: dict[str, Any] | None = None,
        files: Sequence[dict[str, Any]] = (),
        seen_seq: int | None = None,
        next_id: UUID | None = None,
    ) -> ResultRecord:
        """Write a call's result, the model's message of it, the files it wrote and its effect, in one go, and start
        the call `next_id` with it if that may be repeated."""
        recorded = await self._call(
            "worker_finish_execution",
            **_held(lease),
            p_execution=execution_id,
            p_status=status,
            p_content=content,
            p_output=Json(output),
            p_error=error,
            p_execution_time_ms=execution_time_ms,
            p_effect=Json(effect) if effect is not None else None,
            p_files=Json(list(files)),
            p_seen=seen_seq,
            p_next=next_id,
        )
        return ResultRecord.model_validate(recorded)

    async def add_files(self, lease: Lease, files: Sequence[dict[str, Any]]) -> None:
        await self._call("worker_add_files", **_held(lease), p_files=Json(list(files)))

    async def suspend(self, lease: Lease, reason: str) -> TaskStatus:
        """Give the slot back while the task waits for `reason`. Returns what the task is now: `waiting`, `paused`,
        `pending` when what it waits for came meanwhile, `cancelled`."""
        status: TaskStatus = await self._call("worker_suspend", **_held(lease), p_reason=reason)
        return status

    async def settle(self, lease: Lease, status: str, result: dict[str, Any] | None, error: str | None) -> bool:
        """End the task. False when it cannot be `completed`: a person wrote what the model has not seen."""
        settled: bool = await self._call(
            "worker_settle",
            **_held(lease),
            p_status=status,
            p_result=Json(result) if result is not None else None,
            p_error=error,
        )
        return settled

    async def release(self, lease: Lease, delay_seconds: float = 0, reason: str | None = None) -> None:
        await self._call("worker_release", **_held(lease), p_delay_seconds=delay_seconds, p_reason=reason)

    async def expired_files(self, limit: int = 100) -> list[Row]:
        """Rows of `{"id" or None, "file_path"}` whose bytes can go."""
        rows: list[Row] = await self._call("worker_expired_files", p_limit=limit)
        return rows

    async def forget_files(self, ids: Sequence[UUID]) -> None:
        await self._call("worker_forget_files", p_files=list(ids))

    async def query(self, lease: Lease, sql: str, *, max_rows: int, max_bytes: int, seconds: float) -> dict[str, Any]:
        """Run one SELECT as the task's owner. Returns `{"columns", "rows", "row_count", "cut"}`, or `{"error",
        "sqlstate", "hint"}` for a statement that the database refused or gave up."""
        arguments = _held(lease) | {"p_sql": storable(sql), "p_rows": max_rows, "p_bytes": max_bytes}
        answer: dict[str, Any] = await self._apart("worker_query", arguments, seconds)
        return answer

    async def execute(
        self,
        lease: Lease,
        execution_id: UUID,
        *,
        max_rows: int,
        max_bytes: int,
        max_changed_rows: int,
        seconds: float,
    ) -> dict[str, Any]:
        """Carry out, once, what is on record as the argument `sql` of a running call of db_execute. Returns as `query`
        does; the same again when it is called again."""
        arguments = _held(lease) | {
            "p_execution": execution_id,
            "p_rows": max_rows,
            "p_bytes": max_bytes,
            "p_at_most": max_changed_rows,
        }
        answer: dict[str, Any] = await self._apart("worker_execute", arguments, seconds)
        return answer

    async def children(self, lease: Lease, execution_id: UUID) -> dict[str, Any]:
        """Make the children that a running call of spawn_tasks or retry_tasks asks for on record, once, and say how
        they stand: `{"spawn", "folder", "open", "late", "brought", "note", "items"}`."""
        standing: dict[str, Any] = await self._call("worker_children", **_held(lease), p_execution=execution_id)
        return standing

    async def call(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """Any function of the database, for commands: the workers' have methods of their own."""
        return await self._call(function, **arguments)

    async def _call(self, function: str, *, when_repeated: Mapping[str, Any] | None = None, **arguments: Any) -> Any:
        """`when_repeated` is added when an earlier try may have done its work though its answer was lost."""
        named = {name: _storable(self._scrubbed(value)) for name, value in arguments.items()}
        try:
            return await self._once(function, named)
        except DatabaseUnavailable:
            if not self._patience_seconds:
                raise
        named |= when_repeated or {}
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(DatabaseUnavailable),
            stop=stop_after_delay(self._patience_seconds),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(function, named)
        raise AssertionError("unreachable: the retries end by returning or raising")

    def _scrubbed(self, argument: Any) -> Any:
        if not self._scrubber:
            return argument
        if isinstance(argument, Json):
            return Json(self._scrubber.strings(argument.value))
        return self._scrubber.text(argument) if isinstance(argument, str) else argument


def _held(lease: Lease) -> dict[str, Any]:
    return {"p_task": lease.task_id, "p_lease": lease.token}


def _storable(argument: Any) -> Any:
    if isinstance(argument, Json):
        return Json(storable(argument.value))
    return storable(argument) if isinstance(argument, str) else argument
