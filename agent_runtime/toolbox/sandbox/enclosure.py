"""What all sandboxes have in common: how a command is asked for, run to its end, or kept open."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.processes import CommandResult, run_process, to_the_end
from agent_runtime.toolbox.sandbox.running import Running, start_process

OUTPUT_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Command:
    """What shall run, and what it shall have."""

    argv: Sequence[str]
    workspace: Path
    timeout_seconds: float | None
    """None: as long as its owner lets it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    pty: bool = False


@dataclass(frozen=True)
class Enclosed:
    """A process to start, beginning with the supervisor, and its environment: the command with its walls."""

    argv: list[str]
    environment: dict[str, str]


class Enclosure(ABC):
    """Runs and keeps commands behind the walls that each kind builds in `_enclosed`."""

    @abstractmethod
    def _enclosed(self, command: Command) -> AbstractAsyncContextManager[Enclosed]:
        """The walls, for as long as the command runs. Raises `ToolRefused` when they cannot be built."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        timeout_seconds: float,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
        network: bool = False,
    ) -> CommandResult:
        """See `Sandbox.run`."""
        command = Command(argv, workspace, timeout_seconds, environment or {}, network)
        async with self._enclosed(command) as enclosed:
            return await run_process(
                enclosed.argv,
                environment=enclosed.environment,
                stdin=stdin,
                timeout_seconds=timeout_seconds,
                output_limit_bytes=output_limit_bytes,
            )

    async def start(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        environment: Mapping[str, str] | None = None,
        network: bool = False,
        pty: bool = False,
    ) -> Running:
        """See `Sandbox.start`."""
        starting = asyncio.create_task(self._start(Command(argv, workspace, None, environment or {}, network, pty)))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await to_the_end(_given_up(starting))
            raise

    async def _start(self, command: Command) -> Running:
        async with AsyncExitStack() as leaving:
            enclosed = await leaving.enter_async_context(self._enclosed(command))
            running = await start_process(enclosed.argv, enclosed.environment, pty=command.pty)
            running.on_close(leaving.pop_all())
            return running


async def _given_up(starting: asyncio.Task[Running]) -> None:
    # It may be there already, and nobody would know of it.
    with suppress(OSError, ToolRefused):
        running = await starting
        await running.close()
