"""Where a run's time goes: its runner, its store and its model, each with a clock beside it."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from agent_runtime.config import Settings
from agent_runtime.db.store import Store
from agent_runtime.interrupt import Interrupt
from agent_runtime.llm.chat import ChatMessage, ChatModel, OnDelta, Turn
from agent_runtime.records import Lease, RunContext, Task
from agent_runtime.storage import Storage
from agent_runtime.task_run import TaskRunner
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox import Refused

CALLS_OF_A_RUN = frozenset({"context", "record_turn", "start_execution", "finish_execution", "settle"})


@dataclass
class Clock:
    """Seconds of one run."""

    wall: float = 0.0
    database: float = 0.0
    model_client: float = 0.0
    """Waiting for the model included."""
    cpu: float = 0.0
    """Of this process."""

    @contextmanager
    def counting(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, part, getattr(self, part) + time.perf_counter() - started)


def timed_store(store: Store, clock: Clock) -> Store:
    """The store, with the calls that a run makes counted."""
    return cast("Store", _TimedStore(store, clock))


class _TimedStore:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in CALLS_OF_A_RUN:
            return found
        assert inspect.iscoroutinefunction(found), "every call of the store is one"

        async def call(*arguments: Any, **named: Any) -> Any:
            with self._clock.counting("database"):
                return await found(*arguments, **named)

        return call


class TimedRunner(TaskRunner):
    """Runs tasks, and says when one has ended."""

    def __init__(self, settings: Settings, store: Store, storage: Storage, registry: Registry, clock: Clock) -> None:
        super().__init__(settings, store, storage, registry, Refused("nothing runs commands here"))
        self._clock = clock
        self.ended = asyncio.Event()

    async def run(self, task: Task, lease: Lease, interrupt: Interrupt) -> None:
        cpu = time.process_time()
        with self._clock.counting("wall"):
            await super().run(task, lease, interrupt)
        self._clock.cpu += time.process_time() - cpu
        self.ended.set()

    async def _open_model(self, context: RunContext) -> ChatModel:
        with self._clock.counting("model_client"):
            model = await super()._open_model(context)
        return _TimedModel(model, self._clock)


class _TimedModel:
    def __init__(self, model: ChatModel, clock: Clock) -> None:
        self._model, self._clock = model, clock

    @property
    def name(self) -> str:
        return self._model.name

    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[dict[str, Any]], on_delta: OnDelta | None = None
    ) -> Turn:
        with self._clock.counting("model_client"):
            return await self._model.reply(messages, tools, on_delta)
