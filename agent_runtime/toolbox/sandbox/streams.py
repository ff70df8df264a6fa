"""The ends of pipes or of a terminal, between the worker and a command."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from dataclasses import dataclass

from agent_runtime.toolbox.sandbox.identity import give_to_sandbox

CHUNK_BYTES = 65_536


@dataclass
class Streams:
    """The worker's ends, and those that the command is started with, which the worker then closes."""

    output: asyncio.StreamReader
    input: asyncio.StreamWriter | None
    errors: asyncio.StreamReader | None
    """None on a terminal: there they come with the output."""
    terminal: int | None
    """The worker's end of the terminal, for its size."""
    theirs: tuple[int, int, int]
    _open: list[asyncio.BaseTransport]

    def started(self) -> None:
        """The command has its ends now, or never will."""
        for descriptor in set(self.theirs):
            os.close(descriptor)

    async def close_all(self) -> None:
        """Close both sides' ends, where no command was started."""
        self.started()
        self.close()

    def close(self) -> None:
        """Close the worker's ends; who waits for output meets its end."""
        for transport in self._open:
            transport.close()


async def pipes(*, with_input: bool = True) -> Streams:
    """A pipe for each of input, output and errors. Without `with_input` the input is empty."""
    (our_output, their_output), (our_errors, their_errors) = os.pipe(), os.pipe()
    output, reading = await _reader(our_output)
    errors, reading_errors = await _reader(our_errors)
    transports, input_ = [reading, reading_errors], None
    if with_input:
        their_input, our_input = os.pipe()
        input_, writing = await _writer(our_input)
        transports.append(writing)
    else:
        their_input = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return Streams(output, input_, errors, None, (their_input, their_output, their_errors), transports)


async def terminal(columns: int, rows: int) -> Streams:
    """A terminal of that size, in characters."""
    ours, theirs = os.openpty()
    set_size(ours, columns, rows)
    give_to_sandbox(theirs)
    # Two transports, and each closes what it was given.
    input_, writing = await _writer(os.dup(ours))
    output, reading = await _reader(ours)
    return Streams(output, input_, None, ours, (theirs, theirs, theirs), [reading, writing])


def set_size(terminal: int, columns: int, rows: int) -> None:
    """Tell a terminal, and the programs on it, how many characters it has room for."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader(limit=CHUNK_BYTES)
    file = os.fdopen(descriptor, "rb", buffering=0)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader, transport


async def _writer(descriptor: int) -> tuple[asyncio.StreamWriter, asyncio.BaseTransport]:
    # A protocol with flow control; what it would read never comes, since this end is only written to.
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    file = os.fdopen(descriptor, "wb", buffering=0)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_write_pipe(lambda: protocol, file)
    return asyncio.StreamWriter(transport, protocol, None, loop), transport
