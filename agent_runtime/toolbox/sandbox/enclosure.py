"""What all sandboxes have in common: how a command is asked for, run to its end, or kept open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from agent_runtime.toolbox.sandbox.launch import Launch
from agent_runtime.toolbox.sandbox.processes import CommandResult, completed, run_process
from agent_runtime.toolbox.sandbox.running import Running, start_process
from agent_runtime.toolbox.web.egress import EgressGuard

OUTPUT_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Command:
    """What shall run, and what it shall have."""

    argv: Sequence[str]
    workspace: Path
    timeout_seconds: float | None
    """None: as long as its owner lets it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    network: EgressGuard | None = None
    """What it may reach; None for nothing."""
    pty: bool = False


class Enclosure(ABC):
    """Runs and keeps commands behind the walls that each kind builds in `_enclosed`."""

    @abstractmethod
    def _enclosed(self, command: Command) -> AbstractAsyncContextManager[Launch]:
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
        network: EgressGuard | None = None,
    ) -> CommandResult:
        """See `Sandbox.run`."""
        command = Command(argv, workspace, timeout_seconds, environment or {}, network)
        async with self._enclosed(command) as launch:
            return await run_process(
                launch,
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
        network: EgressGuard | None = None,
        pty: bool = False,
    ) -> Running:
        """See `Sandbox.start`."""
        command = Command(argv, workspace, None, environment or {}, network, pty)
        return await completed(self._start(command), Running.close)

    async def _start(self, command: Command) -> Running:
        async with AsyncExitStack() as leaving:
            running = await start_process(await leaving.enter_async_context(self._enclosed(command)))
            running.on_close(leaving.pop_all())
            return running
