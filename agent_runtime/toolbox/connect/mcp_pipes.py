"""Messages of an MCP server over the pipes of a command in the sandbox: a JSON text per line, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.toolbox.sandbox.running import Running

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

_LINE_LIMIT_BYTES = 8 * 1024 * 1024
_BYTES_PER_CALL = 32 * 1024 * 1024
_MESSAGES_PER_CALL = 10_000
_CHUNK_BYTES = 65_536
TOOLS_CHANGED = "notifications/tools/list_changed"


@dataclass
class Flow:
    """What a server may send between two calls. `problem` says why it was cut off."""

    messages: int = 0
    received_bytes: int = 0
    problem: str | None = None
    ended: bool = False
    """Nothing more will come."""

    def begin(self) -> None:
        """A new call: count anew."""
        self.messages = self.received_bytes = 0

    def take(self, size: int, messages: int, rest: int) -> bool:
        """Count; False when it is too much."""
        self.received_bytes += size
        self.messages += messages
        if rest > _LINE_LIMIT_BYTES:
            self.problem = f"limit line_bytes reached: a message of over {_LINE_LIMIT_BYTES} bytes"
        elif self.received_bytes > _BYTES_PER_CALL:
            self.problem = f"limit received_bytes reached: over {_BYTES_PER_CALL} bytes for one call"
        elif self.messages > _MESSAGES_PER_CALL:
            self.problem = f"limit messages reached: over {_MESSAGES_PER_CALL} messages for one call"
        return self.problem is None


@asynccontextmanager
async def over_pipes(running: Running, flow: Flow) -> AsyncIterator[TransportStreams]:
    """The transport that the SDK's client takes. It ends when the command ends or floods."""
    import anyio
    from mcp.shared.message import SessionMessage

    arriving, read_stream = anyio.create_memory_object_stream["SessionMessage | Exception"](0)
    write_stream, leaving = anyio.create_memory_object_stream[SessionMessage](0)

    async def receive() -> None:
        rest = b""
        async with arriving:
            while chunk := await running.read(_CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if not flow.take(len(chunk), len(lines), len(rest)):
                    running.kill()
                    return
                for line in lines:
                    message = _parsed(line)
                    if message is not None:
                        try:
                            await arriving.send(message)
                        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                            return
            flow.ended = True

    async def send() -> None:
        async with leaving:
            async for message in leaving:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                try:
                    await running.write(text.encode() + b"\n")
                except BrokenPipeError:
                    # Nobody reads any more, so no answer will come.
                    running.kill()
                    return

    tasks = [asyncio.create_task(receive()), asyncio.create_task(send())]
    try:
        yield read_stream, write_stream
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (arriving, read_stream, write_stream, leaving):
            stream.close()


def _parsed(line: bytes) -> SessionMessage | None:
    """None for what is no message, since many servers write a word of their own to their output, and for news that
    nobody here listens to: the SDK would log each that is malformed, with its stack."""
    from mcp.shared.message import SessionMessage
    from mcp_types import JSONRPCNotification, jsonrpc_message_adapter

    if not line.strip():
        return None
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except (ValueError, RecursionError):
        return None
    if isinstance(message, JSONRPCNotification) and message.method != TOOLS_CHANGED:
        return None
    return SessionMessage(message)
