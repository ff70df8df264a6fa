"""Where commands run: the strongest sandbox that this machine offers, found out by trying it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.enclosure import OUTPUT_LIMIT_BYTES, Command, Enclosure
from agent_runtime.toolbox.sandbox.interpreter import search_path
from agent_runtime.toolbox.sandbox.launch import CommandLimits, Launch, plain_environment, sandbox_uid
from agent_runtime.toolbox.sandbox.private_folder import private_folder
from agent_runtime.toolbox.sandbox.processes import CommandResult
from agent_runtime.toolbox.sandbox.running import Running
from agent_runtime.toolbox.web.egress import EgressGuard

REMEDY = (
    "install bubblewrap (`apt install bubblewrap`, `dnf install bubblewrap`), use Linux 5.13 or newer with Landlock, "
    "or set AGENT_RUNTIME_ALLOW_UNSANDBOXED=true if every task and model may do what this account may do"
)


class Sandbox(Protocol):
    """Runs commands so that they reach nothing but their workspace."""

    @property
    def name(self) -> str:
        """`bubblewrap`, `landlock`, `none` or `refused`."""

    def describe(self) -> str:
        """One line for `doctor` and for the start of a worker."""

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
        """Run `argv` in `workspace`, the one folder that it can write in besides a private /tmp.

        The environment holds `environment` and a few plain defaults, nothing of the worker's. With `network` it
        reaches http and https addresses through that guard. Raises `ToolRefused` when no command can be started, or
        none with a network. Whether it ends, runs out of time or is cancelled, none of its processes stays.
        """

    async def start(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        environment: Mapping[str, str] | None = None,
        network: EgressGuard | None = None,
        pty: bool = False,
    ) -> Running:
        """Start `argv` behind the same walls and keep it open, on pipes or on a terminal of its own (`pty`).

        It runs until it ends, the worker dies, or whoever started it closes it: nobody else does. Raises `ToolRefused`
        when no command can be started, `OSError` when this one cannot.
        """


class Trial(Sandbox, Protocol):
    """A kind of sandbox that may work here."""

    def problem(self) -> str | None:
        """Why it cannot be used, as far as can be told without a command."""


def kinds(limits: CommandLimits) -> list[Trial]:
    """What can be tried, the strongest first. A further kind gets its line here: see docs/sandbox.md."""
    from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
    from agent_runtime.toolbox.sandbox.groups import find_groups
    from agent_runtime.toolbox.sandbox.landlock import Landlock

    groups = find_groups(limits)
    return [Bubblewrap(limits, groups), Landlock(limits, groups)]


def choose_sandbox(allow_unsandboxed: bool, limits: CommandLimits | None = None) -> Sandbox:
    """The first of `kinds` that works here; else none, if allowed, else one that refuses.

    Each is tried with a real command: a program that is installed can still be forbidden to make namespaces.
    Blocks for a fraction of a second; call it at start-up, outside an event loop or in a thread.
    """
    limits = limits or CommandLimits()
    reasons = []
    for sandbox in kinds(limits):
        problem = sandbox.problem() or _failure_of_a_trial(sandbox)
        if problem is None:
            return sandbox
        reasons.append(f"{sandbox.name}: {problem}")
    return Unsandboxed(limits) if allow_unsandboxed else Refused("; ".join(reasons))


class Unsandboxed(Enclosure):
    """No confinement: limits on time, output and resources, a clean environment, and an unprivileged id for root."""

    name = "none"

    def __init__(self, limits: CommandLimits) -> None:
        self._limits = limits

    def describe(self) -> str:
        return "none: commands run unconfined, with all rights of this account (AGENT_RUNTIME_ALLOW_UNSANDBOXED)"

    @asynccontextmanager
    async def _enclosed(self, command: Command) -> AsyncIterator[Launch]:
        with private_folder() as home:
            yield Launch(
                argv=list(command.argv),
                folder=str(command.workspace),
                limits=self._limits.as_rlimits(command.timeout_seconds),
                environment={**plain_environment(str(home), search_path(confined=False)), **command.environment},
                uid=sandbox_uid(),
                terminal=command.pty,
            )


class Refused(Enclosure):
    """Runs nothing, and says what would help."""

    name = "refused"

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def describe(self) -> str:
        return f"refused: no sandbox works here ({self._reason}), so commands are refused; {REMEDY}"

    @asynccontextmanager
    async def _enclosed(self, command: Command) -> AsyncIterator[Launch]:  # noqa: ARG002
        raise ToolRefused(
            f"commands cannot run on this machine: no sandbox works ({self._reason}). Do the work with the file tools, "
            f"or tell the person what the operator can do: {REMEDY}"
        )
        yield  # a generator by this alone


def _failure_of_a_trial(sandbox: Sandbox) -> str | None:
    with private_folder() as folder:
        trial = sandbox.run(["true"], workspace=folder, timeout_seconds=10, output_limit_bytes=4096)
        try:
            result = asyncio.run(trial)
        except OSError as error:
            return str(error)
    if result.exit_code == 0:
        return None
    return (result.stderr.strip().splitlines() or [f"a trial run ended with {result.exit_code}"])[-1]
