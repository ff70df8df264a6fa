"""Where commands run: the strongest sandbox that this machine offers, found out by trying it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.interpreter import search_path
from agent_runtime.toolbox.sandbox.launch import LAUNCHER, CommandLimits, Launch, sandbox_uid
from agent_runtime.toolbox.sandbox.private_folder import private_folder
from agent_runtime.toolbox.sandbox.processes import CommandResult, run_process

REMEDY = (
    "install bubblewrap (`apt install bubblewrap`, `dnf install bubblewrap`), use Linux 5.13 or newer with Landlock, "
    "or set AGENT_RUNTIME_ALLOW_UNSANDBOXED=true if every task and model may do what this account may do"
)
OUTPUT_LIMIT_BYTES = 1024 * 1024


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
        network: bool = False,
    ) -> CommandResult:
        """Run `argv` in `workspace`, the one folder that it can write in besides a private /tmp.

        The environment holds `environment` and a few plain defaults, nothing of the worker's. Raises `ToolRefused`
        when no command can be started. Whether it ends, runs out of time or is cancelled, none of its processes stays.
        """


def choose_sandbox(allow_unsandboxed: bool, limits: CommandLimits | None = None) -> Sandbox:
    """The first of bubblewrap and Landlock that works here; else none, if allowed, else one that refuses.

    Each is tried with a real command: a program that is installed can still be forbidden to make namespaces.
    Blocks for a fraction of a second; call it at start-up, outside an event loop or in a thread.
    """
    from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
    from agent_runtime.toolbox.sandbox.landlock import Landlock

    limits = limits or CommandLimits()
    reasons = []
    for sandbox in (Bubblewrap(limits), Landlock(limits)):
        problem = sandbox.problem() or _failure_of_a_trial(sandbox)
        if problem is None:
            return sandbox
        reasons.append(f"{sandbox.name}: {problem}")
    return Unsandboxed(limits) if allow_unsandboxed else Refused("; ".join(reasons))


class Unsandboxed:
    """No confinement: limits on time, output and resources, a clean environment, and an unprivileged id for root."""

    name = "none"

    def __init__(self, limits: CommandLimits) -> None:
        self._limits = limits

    def describe(self) -> str:
        return "none: commands run unconfined, with all rights of this account (AGENT_RUNTIME_ALLOW_UNSANDBOXED)"

    async def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        timeout_seconds: float,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
        network: bool = False,  # noqa: ARG002 - it cannot be taken away here
    ) -> CommandResult:
        with private_folder() as home:
            launch = Launch(
                folder=str(workspace),
                limits=self._limits.as_rlimits(timeout_seconds),
                environment={**plain_environment(str(home), search_path(confined=False)), **(environment or {})},
                supervise=True,
                uid=sandbox_uid(),
            )
            return await run_process(
                launch.argv(str(LAUNCHER), list(argv)),
                environment=launch.handed_on(),
                stdin=stdin,
                timeout_seconds=timeout_seconds,
                output_limit_bytes=output_limit_bytes,
            )


class Refused:
    """Runs nothing, and says what would help."""

    name = "refused"

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def describe(self) -> str:
        return f"refused: no sandbox works here ({self._reason}), so commands are refused; {REMEDY}"

    async def run(
        self,
        argv: Sequence[str],  # noqa: ARG002
        *,
        workspace: Path,  # noqa: ARG002
        timeout_seconds: float,  # noqa: ARG002
        environment: Mapping[str, str] | None = None,  # noqa: ARG002
        stdin: bytes | None = None,  # noqa: ARG002
        output_limit_bytes: int = OUTPUT_LIMIT_BYTES,  # noqa: ARG002
        network: bool = False,  # noqa: ARG002
    ) -> CommandResult:
        raise ToolRefused(
            f"commands cannot run on this machine: no sandbox works ({self._reason}). Do the work with the file tools, "
            f"or tell the person what the operator can do: {REMEDY}"
        )


def plain_environment(home: str, path: str) -> dict[str, str]:
    """What a command finds in its environment; nothing is inherited, since the worker's holds keys."""
    return {
        "PATH": path,
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        # Byte code would turn up among the task's files.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


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
