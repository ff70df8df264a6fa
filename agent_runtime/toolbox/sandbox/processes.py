"""Run one process to its end: bounded output, a time limit, and nothing left behind however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from agent_runtime.toolbox.sandbox.launch import Launch
from agent_runtime.toolbox.sandbox.starting import Supervised, start_supervised
from agent_runtime.toolbox.sandbox.streams import CHUNK_BYTES, Streams, pipes

T = TypeVar("T")

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
    launch: Launch, *, stdin: bytes | None, timeout_seconds: float, output_limit_bytes: int
) -> CommandResult:
    """Run a command until it ends, its time is over or its output floods. Raises `OSError` when none can be started."""
    streams = await completed(pipes(with_input=stdin is not None), Streams.close_all)
    try:
        process = start_supervised(launch, streams.theirs)
    except BaseException:
        streams.close()
        raise
    finally:
        streams.started()
    stdout, stderr = _Tail(output_limit_bytes), _Tail(output_limit_bytes)
    timed_out = flooded = False
    try:
        async with asyncio.timeout(timeout_seconds):
            await _exchange(process, streams, stdin, stdout, stderr)
    except TimeoutError:
        timed_out = True
    except _Flood:
        flooded = True
    finally:
        await to_the_end(_end(process, streams))
    code = await process.wait()
    return CommandResult(
        exit_code=code,
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
        if len(self._end) > self._half + CHUNK_BYTES:
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


async def _exchange(process: Supervised, streams: Streams, stdin: bytes | None, stdout: _Tail, stderr: _Tail) -> None:
    assert streams.errors is not None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read(streams.output, stdout))
            group.create_task(_read(streams.errors, stderr))
            if streams.input is not None:
                group.create_task(_feed(streams.input, stdin or b""))
            await process.wait()
    except* _Flood:
        raise _Flood from None


async def _read(stream: asyncio.StreamReader, into: _Tail) -> None:
    while chunk := await stream.read(CHUNK_BYTES):
        into.add(chunk)


async def _feed(stream: asyncio.StreamWriter, content: bytes) -> None:
    # A command need not read what it is given.
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.close()
        await stream.wait_closed()


async def _end(process: Supervised, streams: Streams) -> None:
    try:
        await end_process(process)
    finally:
        streams.close()


async def end_process(process: Supervised) -> None:
    """End a command, and everything that it started."""
    process.stop()
    try:
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait()
    except TimeoutError:
        # A supervisor that hangs in the kernel; it hears of it when it can.
        process.abandon()


async def completed(work: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[None]]) -> T:
    """What `work` makes. Cancelled meanwhile, it is finished and undone first, since nobody would know of it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await to_the_end(_undone(task, undo))
        raise


async def _undone(task: asyncio.Task[T], undo: Callable[[T], Awaitable[None]]) -> None:
    # What failed has made nothing.
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await undo(task.result())


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
