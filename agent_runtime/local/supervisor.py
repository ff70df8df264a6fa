"""Keeps the parts of a running stack alive: what ends by itself is started again, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from agent_runtime.errors import AgentRuntimeError, Unavailable
from agent_runtime.local.processes import Child, last_words

RESTARTS_IN_A_ROW = 5
STEADY_SECONDS = 60.0
"""A part that ran so long counts as healthy again."""
FIRST_DELAY_SECONDS = 0.5


class Part(Protocol):
    """A part of the stack that is a process."""

    @property
    def child(self) -> Child:
        """The running process."""

    async def start(self) -> None:
        """Start it, and wait until it is of use."""

    async def stop(self) -> None:
        """Stop it."""


async def keep_alive(parts: Mapping[str, Part], report: Callable[[str], None]) -> None:
    """Watch the parts until cancelled. `report` gets one line per event.

    Raises `Unavailable`, naming the part and its log, when one ends again and again.
    """
    watches = {asyncio.create_task(_watch(name, part, report)) for name, part in parts.items()}
    try:
        done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
        for watch in done:
            watch.result()
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


async def _watch(name: str, part: Part, report: Callable[[str], None]) -> None:
    failures = 0
    while True:
        started = time.monotonic()
        exit_code = await part.child.wait()
        failures = 1 if time.monotonic() - started > STEADY_SECONDS else failures + 1
        reason = last_words(part.child.log)
        if failures > RESTARTS_IN_A_ROW:
            raise Unavailable(
                f"{name} ended {failures} times in a row (exit code {exit_code}): {reason} (log: {part.child.log})"
            )
        delay = FIRST_DELAY_SECONDS * 2 ** (failures - 1)
        report(f"{name} ended (exit code {exit_code}); starting it again in {delay:g} s")
        await asyncio.sleep(delay)
        try:
            await part.start()
        except AgentRuntimeError as error:
            report(str(error))
        else:
            report(f"{name} is back")
