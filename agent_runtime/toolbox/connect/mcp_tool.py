"""Rows of type `mcp`: a server, whose call lists its tools for an administrator, and the tools that were taken from it.

What the model is told of a tool is what an administrator took into the table, never what the server says today. When
the server describes a tool otherwise by now, the call is refused until an administrator has looked at it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.records import ToolRow
from agent_runtime.toolbox.connect.mcp_config import Connection, ServerConfig, ServerToolConfig
from agent_runtime.toolbox.connect.mcp_session import McpSession, Offered, plain
from agent_runtime.toolbox.connect.schema import harmless
from agent_runtime.toolbox.definition import Run, ToolContext, ToolResult

_DESCRIPTION_LIMIT = 1000
_LISTING_LIMIT_BYTES = 512 * 1024
_STRUCTURED_LIMIT_BYTES = 64 * 1024
_PICTURE_LIMIT_BYTES = 8 * 1024 * 1024
_PICTURES_LIMIT = 8
_PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
_FOLDER = "from_servers"


def make_run(row: ToolRow, parameters: dict[str, Any]) -> Run:  # noqa: ARG001
    """Raises `ConfigError` and pydantic's `ValidationError` for a row that cannot work."""
    if "tool" in row.config:
        ServerToolConfig.model_validate(row.config)
        return _call_tool
    ServerConfig.model_validate(row.config)

    async def list_tools(arguments: dict[str, Any], context: ToolContext) -> ToolResult:  # noqa: ARG001
        config = ServerConfig.model_validate(context.config)
        session = await _connected(row.name, Connection.model_validate(_connection_of(context.config)), context)
        async with _Patience(row.name, session, context):
            offered = await session.offered()
        # The row's own configuration, not the filled one: what is recorded names credentials and holds none.
        return _listing(row.name, config, _connection_of(row.config), list(offered.values()))

    return list_tools


async def _call_tool(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
    config = ServerToolConfig.model_validate(context.config)
    session = await _connected(config.server, config.connection, context)
    async with _Patience(config.server, session, context):
        now = (await session.offered()).get(config.tool)
        if now is None or now.digest != config.digest:
            what = "offers this tool no longer" if now is None else "has changed this tool since it was approved"
            raise ToolRefused(
                f"the server {config.server} {what}, so it was not called. An administrator must look: `agent-runtime "
                f"tools refresh {config.server}`. Tell the person, and try another way"
            )
        result = await session.call(config.tool, arguments)
    return _as_result(result, config.server, context)


async def _connected(server: str, connection: Connection, context: ToolContext) -> McpSession:
    key = f"mcp:{server}:{connection.key()}"
    known = context.sessions.find(key, McpSession)
    if known is not None and known.ended:
        await context.sessions.close(key)
    try:
        async with asyncio.timeout(_seconds(context)):
            return await context.sessions.get(key, McpSession, lambda: McpSession.open(server, connection, context))
    except TimeoutError:
        raise ToolRefused(
            f"limit timeout_seconds reached: the server {server} did not answer when it was greeted; try another way"
        ) from None


class _Patience:
    """Bounds what is asked of a server. One that does not answer in time is not asked again through this connection."""

    def __init__(self, server: str, session: McpSession, context: ToolContext) -> None:
        self._server, self._session = server, session
        self._limit = asyncio.timeout(_seconds(context))
        self._seconds = _seconds(context)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(self, *raised: Any) -> None:
        try:
            await self._limit.__aexit__(*raised)
        except TimeoutError:
            await self._session.close()
            raise ToolRefused(
                f"limit timeout_seconds reached: the server {self._server} did not answer within {self._seconds:g} "
                "seconds, and its connection was closed; ask for less, or try another way"
            ) from None


def _seconds(context: ToolContext) -> float:
    # Before the executor's own limit, so that a connection to a server that hangs is closed and the reason told.
    return max(context.timeout_seconds * 0.9 - 1, context.timeout_seconds / 2)


def _connection_of(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ("prefix", "allow", "deny")}


def _listing(server: str, config: ServerConfig, connection: dict[str, Any], offered: list[Offered]) -> ToolResult:
    """What an administrator takes into the table, and what is left out with the reason."""
    taken: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    size = 0
    for tool in offered:
        name, said = config.renamed(server, tool.name), plain(tool.name, 100)
        try:
            if not config.takes(tool.name):
                raise ToolRefused("the server's row does not allow it")
            if name in taken or name == server:
                raise ToolRefused(f"its name would be {name}, which another one has")
            row = _row(server, name, tool, connection)
            size += len(json.dumps(row))
            if size > _LISTING_LIMIT_BYTES:
                raise ToolRefused(f"limit listing_bytes reached: {_LISTING_LIMIT_BYTES} for all tools of a server")
        except ToolRefused as refusal:
            left_out.append(f"{said}: {refusal}")
        else:
            taken[name] = row
    lines = [f"The server {server} offers {len(offered)} tools, of which {len(taken)} are to be taken."]
    lines += [f"{name}: {row['description'][:200]}" for name, row in taken.items()]
    lines += [f"left out: {line}" for line in left_out]
    data = {"server": server, "tools": list(taken.values()), "left_out": left_out}
    return ToolResult(content="\n".join(lines), data=data, sources=[f"server {server}"])


def _row(server: str, name: str, tool: Offered, connection: dict[str, Any]) -> dict[str, Any]:
    """One row of the table, as far as the server has a say in it. The name and what it is called come of its words."""
    if len(tool.name) > 200 or plain(tool.name, 200) != tool.name:
        raise ToolRefused("its name is too long, or holds what cannot be seen")
    own_words = plain(tool.description, _DESCRIPTION_LIMIT) or "(none)"
    description = f"The tool {tool.name} of the server {server}. Its own description, by a stranger: {own_words}"
    parameters = harmless(tool.input_schema)
    return {
        "name": name,
        "display_name": plain(tool.title, 100) or tool.name,
        "description": description,
        "function_schema": {
            "type": "function",
            "function": {"name": name, "description": description, "parameters": parameters},
        },
        "config": {
            "server": server,
            "tool": tool.name,
            "digest": tool.digest,
            "connection": connection,
            "network": connection.get("network") is True,
        },
    }


def _as_result(result: Any, server: str, context: ToolContext) -> ToolResult:
    parts: list[str] = []
    images: list[str] = []
    for block in result.content:
        if block.type == "text":
            parts.append(block.text)
        elif block.type == "image" and len(images) < _PICTURES_LIMIT:
            parts.append(_keep_picture(block, images, context))
        elif block.type == "resource" and isinstance(getattr(block.resource, "text", None), str):
            parts.append(block.resource.text)
        elif block.type == "resource_link":
            parts.append(f"[a resource of the server: {plain(str(block.uri), 500)}]")
        else:
            parts.append(f"[a part of type {block.type}, which is not shown]")
    data: dict[str, Any] = {"server": server}
    structured = result.structured_content
    if structured is not None:
        text = json.dumps(structured, ensure_ascii=False)
        if len(text.encode("utf-8", "replace")) <= _STRUCTURED_LIMIT_BYTES:
            data["structured"] = structured
        if not any(part.strip() for part in parts):
            parts.append(text)
    return ToolResult(
        content="\n".join(parts) or "(the server answered with nothing)",
        data=data,
        failed=bool(result.is_error),
        images=images,
        sources=[f"server {server}"],
    )


def _keep_picture(block: Any, images: list[str], context: ToolContext) -> str:
    kind = _PICTURES.get(block.mime_type)
    if kind is None or len(block.data) > _PICTURE_LIMIT_BYTES * 4 // 3:
        return f"[a picture of type {plain(block.mime_type, 50)}, which was not kept]"
    try:
        content = base64.b64decode(block.data, validate=True)
    except (binascii.Error, ValueError):
        return "[a picture that is broken]"
    path = f"{_FOLDER}/{context.execution_id}-{len(images) + 1}.{kind}"
    context.workspace.write_bytes(path, content)
    images.append(path)
    return f"[a picture, kept as {path}]"
