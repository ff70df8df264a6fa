"""A connection to one MCP server that a run keeps open between its calls, and what the server offers through it."""

from __future__ import annotations

import asyncio
import logging
import time
import unicodedata
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.connect.mcp_config import Connection, digest_of
from agent_runtime.toolbox.connect.mcp_pipes import TOOLS_CHANGED, Flow, over_pipes
from agent_runtime.toolbox.definition import ToolContext
from agent_runtime.toolbox.output import clean
from agent_runtime.toolbox.sandbox.private_folder import private_folder

if TYPE_CHECKING:
    from mcp.client import Client
    from mcp_types import CallToolResult

    from agent_runtime.toolbox.sandbox.running import Running

TOOLS_LIMIT = 128
_PAGES_LIMIT = 32
_LISTING_SECONDS = 60.0
"""How long a listing is taken for true: a server may change its tools without a word."""
_HANDSHAKE_SECONDS = 10.0
_CLOSE_SECONDS = 10.0
_LAST_WORDS_SECONDS = 5.0
_LOGGERS = ("mcp", "client", "mcp.client.streamable_http")
REMEDY = "pip install 'agent-runtime[mcp]' on the workers"


@dataclass(frozen=True)
class Offered:
    """A tool as its server describes it: a stranger's words."""

    name: str
    title: str | None
    description: str
    input_schema: Any
    digest: str


class McpSession:
    """One server, spoken to by a task of its own, because the SDK must end where it began."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._life: asyncio.Task[None] | None = None
        self._flow = Flow()
        self._running: Running | None = None
        self._offered: dict[str, Offered] = {}
        self._listed_at = float("-inf")

    @classmethod
    async def open(cls, server: str, connection: Connection, context: ToolContext) -> McpSession:
        """Start or reach the server and greet it. Raises `ToolRefused` that says what went wrong."""
        try:
            import mcp  # noqa: F401
        except ImportError:
            raise ToolRefused(
                f"servers of tools (MCP) are not installed on this worker: {REMEDY}; tell the person"
            ) from None
        for name in _LOGGERS:
            # What a stranger's server does wrong is told to the model; its words have no place in the worker's log.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        session = cls(server)
        session._life = asyncio.create_task(session._live(connection, context))
        try:
            await asyncio.shield(session._opened)
        except BaseException:
            await session.close()
            raise
        return session

    @property
    def ended(self) -> bool:
        """Whether nobody is at the other end any more."""
        over = self._flow.ended or self._flow.problem is not None
        return over or self._life is None or self._life.done()

    async def offered(self) -> dict[str, Offered]:
        """The server's tools by name, as of a minute ago at most. Raises `ToolRefused`."""
        if time.monotonic() - self._listed_at > _LISTING_SECONDS:
            self._offered = await self._answer(self._list())
            self._listed_at = time.monotonic()
        return self._offered

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool. Raises `ToolRefused` when the server refuses, is gone or speaks nonsense."""
        result: CallToolResult = await self._answer(self._call(tool, arguments))
        return result

    async def close(self) -> None:
        """End the connection, and the command where there is one."""
        self._closing.set()
        if self._life is None:
            return
        # One that is still greeting does not look whether it should end.
        waiting = {self._life}
        if self._opened.done():
            _, waiting = await asyncio.wait(waiting, timeout=_CLOSE_SECONDS)
        for task in waiting:
            task.cancel()
            await asyncio.wait({task}, timeout=_CLOSE_SECONDS)
        if self._opened.done() and not self._opened.cancelled():
            self._opened.exception()

    async def _live(self, connection: Connection, context: ToolContext) -> None:
        from mcp.client import Client

        try:
            async with AsyncExitStack() as held:
                transport = await self._transport(connection, context, held, self._flow)
                client = await held.enter_async_context(
                    Client(transport, cache=None, read_timeout_seconds=_HANDSHAKE_SECONDS, message_handler=self._hear)
                )
                self._opened.set_result(client)
                await self._closing.wait()
        except asyncio.CancelledError:
            if not self._opened.done():
                self._opened.cancel()
            raise
        except BaseException as error:
            # The SDK wraps what went wrong in groups; for the model there is one sentence.
            if not self._opened.done():
                refusal = error if isinstance(error, ToolRefused) else self._gone("could not be reached", error)
                self._opened.set_exception(refusal)
            elif not isinstance(error, Exception):
                raise

    async def _transport(self, connection: Connection, context: ToolContext, held: AsyncExitStack, flow: Flow) -> Any:
        if connection.transport == "http":
            from agent_runtime.toolbox.connect.mcp_http import over_http

            return over_http(
                str(connection.url), connection.headers, context.egress.allowing(connection.allow_hosts), flow
            )
        granted = connection.network and context.agent_network
        folder = context.workspace.root if connection.workspace else held.enter_context(private_folder())
        try:
            self._running = await context.sandbox.start(
                connection.command or [],
                workspace=folder,
                environment=connection.environment,
                network=context.egress.allowing(connection.allow_hosts) if granted else None,
            )
        except OSError as error:
            raise ToolRefused(f"the server {self._server} could not be started: {error.strerror}") from None
        held.push_async_callback(self._running.close)
        return over_pipes(self._running, flow)

    async def _hear(self, message: Any) -> None:
        if getattr(message, "method", None) == TOOLS_CHANGED:
            self._listed_at = float("-inf")

    async def _list(self) -> dict[str, Offered]:
        client, found, cursor = self._client(), dict[str, Offered](), None
        for _ in range(_PAGES_LIMIT):
            page = await client.list_tools(cursor=cursor, cache_mode="bypass")
            for tool in page.tools:
                found.setdefault(tool.name, _as_offered(tool))
            cursor = page.next_cursor
            if not cursor or len(found) >= TOOLS_LIMIT:
                break
        return dict(list(found.items())[:TOOLS_LIMIT])

    async def _call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        import mcp_types as types

        # Not by call_tool, which holds the answer against the server's own schema: a pattern in it may take for ever.
        return await self._client().session.send_request(
            types.CallToolRequest(params=types.CallToolRequestParams(name=tool, arguments=arguments)),
            types.CallToolResult,
            request_read_timeout_seconds=86_400,
        )

    def _client(self) -> Client:
        return self._opened.result()

    async def _answer(self, asking: Any) -> Any:
        """What a request gives, unless the server ends meanwhile."""
        from mcp.shared.exceptions import MCPError
        from pydantic import ValidationError

        assert self._life is not None
        self._flow.begin()
        request = asyncio.ensure_future(asking)
        try:
            await asyncio.wait({request, self._life}, return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                raise await self._lost()
            return request.result()
        except MCPError as error:
            if self.ended:
                raise await self._lost() from None
            raise ToolRefused(f"the server {self._server} refused: {plain(error.error.message, 500)}") from None
        except ValidationError as error:
            raise ToolRefused(
                f"the server {self._server} answered against its protocol ({error.error_count()} faults); try another "
                "way"
            ) from None
        finally:
            request.cancel()
            await asyncio.wait({request})

    async def _lost(self) -> ToolRefused:
        if self._running is not None:
            # Its output ends a moment before it does, and how it ended is worth the moment.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._running.wait(), _LAST_WORDS_SECONDS)
        return self._gone("is gone; the next call starts it anew")

    def _gone(self, what: str, error: BaseException | None = None) -> ToolRefused:
        reasons = [self._flow.problem]
        if self._running is not None and self._running.exit_code is not None:
            reasons.append(f"its command ended with {self._running.exit_code}")
            reasons += self._running.errors.strip().splitlines()[-1:]
        while isinstance(error, BaseExceptionGroup) and error.exceptions:
            error = error.exceptions[0]
        reasons.append(str(error) if error is not None else None)
        why = plain("; ".join(reason for reason in reasons if reason), 500)
        return ToolRefused(f"the server {self._server} {what}{f': {why}' if why else ''}")


def plain(text: str | None, limit: int) -> str:
    """A stranger's words on one bounded line of visible characters: nothing that hides, turns around or tags."""
    kept = (char if unicodedata.category(char)[0] != "C" else " " for char in clean(text or "")[: limit * 4])
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _as_offered(tool: Any) -> Offered:
    return Offered(
        name=tool.name,
        title=tool.title,
        description=tool.description or "",
        input_schema=tool.input_schema,
        digest=digest_of(tool.name, tool.description, tool.input_schema, tool.output_schema),
    )
