"""A command that stays open between calls: a shell on a terminal, an interpreter, a server of tools."""

from __future__ import annotations

import asyncio
import errno
from contextlib import AsyncExitStack

from agent_runtime.toolbox.sandbox.launch import Launch
from agent_runtime.toolbox.sandbox.processes import end_process, to_the_end
from agent_runtime.toolbox.sandbox.starting import Supervised, start_supervised
from agent_runtime.toolbox.sandbox.streams import CHUNK_BYTES, Streams, pipes, set_size, terminal

ERRORS_LIMIT_BYTES = 64 * 1024
COLUMNS, ROWS = 120, 40


class Running:
    """One command behind the same walls as any other, until it ends or is closed; it dies with the worker.

    On a terminal both its streams arrive in `read`; on pipes `read` is its output alone, and the end of its errors is
    kept in `errors`. One reader at a time. What is not read holds the command back.
    """

    def __init__(self, process: Supervised, streams: Streams) -> None:
        self._process = process
        self._streams = streams
        assert streams.input is not None
        self._input = streams.input
        self._walls = AsyncExitStack()
        self._errors = bytearray()
        self._reading_errors = asyncio.create_task(self._keep_errors())
        self._closing: asyncio.Task[None] | None = None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + signal when a signal ended it."""
        return self._process.exit_code

    @property
    def terminal(self) -> int | None:
        """The worker's end of its terminal, whose settings and foreground can be asked for; None on pipes."""
        return self._streams.terminal

    @property
    def errors(self) -> str:
        """The last 64 KiB of its errors; nothing on a terminal, where they come with the output."""
        return self._errors.decode(errors="replace")

    async def read(self, limit_bytes: int = CHUNK_BYTES) -> bytes:
        """The next output, as soon as there is any; b"" at its end."""
        try:
            return await self._streams.output.read(limit_bytes)
        except OSError as error:
            # So ends a terminal that nobody has open any more.
            if error.errno == errno.EIO:
                return b""
            raise

    async def write(self, content: bytes) -> None:
        """Give it input, and wait until it is taken. Raises `BrokenPipeError` when it reads no more."""
        try:
            if self._input.is_closing():
                raise ConnectionResetError
            self._input.write(content)
            await self._input.drain()
        except OSError as error:
            raise BrokenPipeError(errno.EPIPE, "the command reads no more") from error

    def close_input(self) -> None:
        """The end of its input, on pipes; on a terminal that is the character `\\x04` at the start of a line."""
        if self._streams.terminal is None:
            self._input.close()

    async def resize(self, columns: int, rows: int) -> None:
        """Change the size of its terminal, in characters; without one nothing happens."""
        if self._streams.terminal is not None and not self._input.is_closing():
            set_size(self._streams.terminal, columns, rows)

    def signal(self, number: int) -> None:
        """Send a signal to the command itself, not to what it started. One that is gone hears nothing."""
        self._process.signal(number)

    def kill(self) -> None:
        """End it with everything that it started; `wait` tells when that is done."""
        self._process.stop()

    async def wait(self) -> int:
        """Its exit code, once it and everything that it started are gone."""
        return await self._process.wait()

    async def close(self) -> None:
        """End it, and give back all that it held. A second call waits for the first."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await to_the_end(self._closing)

    def on_close(self, walls: AsyncExitStack) -> None:
        """What shall be closed after it."""
        self._walls = walls

    async def _close(self) -> None:
        try:
            await end_process(self._process)
        finally:
            self._streams.close()
            self._reading_errors.cancel()
            await asyncio.gather(self._reading_errors, return_exceptions=True)
            await self._walls.aclose()

    async def _keep_errors(self) -> None:
        while self._streams.errors is not None and (chunk := await self._streams.errors.read(CHUNK_BYTES)):
            self._errors += chunk
            del self._errors[:-ERRORS_LIMIT_BYTES]


async def start_process(launch: Launch) -> Running:
    """Start a command. Raises `OSError` when it cannot be started."""
    streams = await (terminal(COLUMNS, ROWS) if launch.terminal else pipes())
    try:
        return Running(start_supervised(launch, streams.theirs), streams)
    except BaseException:
        streams.close()
        raise
    finally:
        streams.started()
