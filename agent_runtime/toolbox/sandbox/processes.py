"""Run one process to its end: bounded output, a time limit, and nothing left behind however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

_CHUNK_BYTES = 65_536
_GRACE_SECONDS = 10.0
FLOOD_BYTES = 64 * 1024 * 1024
"""A command that wrote so much is stopped: reading on would cost the worker a core for nothing."""


@dataclass(frozen=True)
class CommandResult:
    """How a command ended. `exit_code` is 128 + signal when a signal ended it."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False
    truncated: bool = False
    """The middle of an output was left out."""
    flooded: bool = False
    """The command was stopped because it wrote more than `FLOOD_BYTES`."""


async def run_process(
    argv: Sequence[str],
    *,
    stdin: bytes | None,
    timeout_seconds: float,
    output_limit_bytes: int,
    environment: Mapping[str, str] | None = None,
) -> CommandResult:
    """Run `argv`, which starts with the launcher as supervisor, until it ends, the time is over or the output floods.

    Stopping the supervisor with SIGTERM takes everything below it along. Raises `OSError` when it cannot be started.
    """
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    given = nothing if stdin is None else pipe
    process = await spawn(argv, environment or {}, stdin=given, stdout=pipe, stderr=pipe)
    stdout, stderr = _Tail(output_limit_bytes), _Tail(output_limit_bytes)
    timed_out = flooded = False
    try:
        async with asyncio.timeout(timeout_seconds):
            await _exchange(process, stdin, stdout, stderr)
    except TimeoutError:
        timed_out = True
    except _Flood:
        flooded = True
    finally:
        await to_the_end(end_process(process))
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return CommandResult(
        exit_code=code if code >= 0 else 128 - code,
        stdout=stdout.text(),
        stderr=stderr.text(),
        timed_out=timed_out,
        truncated=stdout.left_out > 0 or stderr.left_out > 0,
        flooded=flooded,
    )


class _Flood(Exception):
    pass


class _Tail:
    """Keeps the first and the last half of a limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._half = max(limit_bytes // 2, 1)
        self._head = bytearray()
        self._end = bytearray()
        self._seen = 0

    def add(self, chunk: bytes) -> None:
        self._seen += len(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._end += chunk[max(room, 0) :]
        if len(self._end) > self._half + _CHUNK_BYTES:
            del self._end[: -self._half]
        if self._seen > FLOOD_BYTES:
            raise _Flood

    @property
    def left_out(self) -> int:
        return max(self._seen - 2 * self._half, 0)

    def text(self) -> str:
        head, end = self._head.decode(errors="replace"), bytes(self._end[-self._half :]).decode(errors="replace")
        if not self.left_out:
            return (bytes(self._head) + bytes(self._end)).decode(errors="replace")
        return f"{head}\n[... {self.left_out} bytes left out ...]\n{end}"


async def spawn(
    argv: Sequence[str], environment: Mapping[str, str], *, stdin: int, stdout: int, stderr: int
) -> asyncio.subprocess.Process:
    """Start a supervisor. Cancelled meanwhile, it is ended in order first."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=stdout, stderr=stderr, env=dict(environment), start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The process may be there already.
        with suppress(OSError):
            await to_the_end(end_process(await starting))
        raise


async def _exchange(process: asyncio.subprocess.Process, stdin: bytes | None, stdout: _Tail, stderr: _Tail) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read(process.stdout, stdout))
            group.create_task(_read(process.stderr, stderr))
            if process.stdin is not None:
                group.create_task(_feed(process.stdin, stdin or b""))
            await process.wait()
    except* _Flood:
        raise _Flood from None


async def _read(stream: asyncio.StreamReader | None, into: _Tail) -> None:
    assert stream is not None
    while chunk := await stream.read(_CHUNK_BYTES):
        into.add(chunk)


async def _feed(stream: asyncio.StreamWriter, content: bytes) -> None:
    # A command need not read what it is given.
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.close()
        await stream.wait_closed()


async def end_process(process: asyncio.subprocess.Process) -> None:
    """End a supervisor, and with it everything below it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            # The group, because a command just forked may not have made its own session yet.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        # Everything that was started holds the pipes; their end is the proof that it is gone.
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await asyncio.gather(process.wait(), _drain(process.stdout), _drain(process.stderr))
                return


async def _drain(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(_CHUNK_BYTES):
        pass


async def to_the_end(work: Awaitable[None]) -> None:
    """Finish `work` even when this task is cancelled meanwhile, then let the cancellation go on."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError
