"""What a row of type `mcp` may say: how a server is reached, and which of its tools are taken under which names.

A server's row:  {"transport": "stdio", "command": ["python3", "-m", "mcp_server_time"], "prefix": "time_"}
                 {"transport": "http", "url": "https://mcp.example.org/mcp", "headers": {…}, "deny": ["debug_*"]}
A tool's row, made of its server's listing: {"server": "time", "tool": "get_time", "digest": "…", "connection": {…}}
"""

from __future__ import annotations

import hashlib
import json
import re
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent_runtime.toolbox.connect.commands import CommandConfig

_PREFIX = r"^[a-z][a-z0-9_]{0,31}$"


class Connection(CommandConfig):
    """How a server is reached: a command in the sandbox, or an address."""

    transport: Literal["stdio", "http"]
    command: list[str] | None = Field(default=None, min_length=1, max_length=64)
    workspace: bool = Field(
        default=False, description="Whether the command works in the task's workspace, not in /tmp."
    )
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.transport == "stdio" and (not self.command or self.url or self.headers):
            raise ValueError("transport stdio goes with command, without url and headers")
        if self.transport == "http" and (not self.url or self.command or self.environment):
            raise ValueError("transport http goes with url, without command and environment")
        return self

    def key(self) -> str:
        """The same for the same way to reach a server; it tells nothing of the credentials in it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class ServerConfig(Connection):
    """The `config` of a server's row."""

    prefix: str | None = Field(default=None, pattern=_PREFIX)
    allow: list[str] = Field(
        default_factory=list, description="The server's names of tools, with * and ?; all by default."
    )
    deny: list[str] = Field(default_factory=list)

    def takes(self, name: str) -> bool:
        """Whether a tool of that name is taken: what is denied is not, whatever is allowed."""
        allowed = not self.allow or any(fnmatchcase(name, pattern) for pattern in self.allow)
        return allowed and not any(fnmatchcase(name, pattern) for pattern in self.deny)

    def renamed(self, server: str, name: str) -> str:
        """The name in this runtime: the prefix, and what is left of the name in small letters, digits and `_`."""
        prefix = f"{server}_" if self.prefix is None else self.prefix
        return f"{prefix}{re.sub('[^a-z0-9_]', '_', name.lower())}"[:64]


class ServerToolConfig(BaseModel):
    """The `config` of a row for one tool of a server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: str
    tool: str
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    connection: Connection


def digest_of(name: str, description: str | None, input_schema: Any, output_schema: Any) -> str:
    """What an administrator approves of a tool: the sha256 of all that the server says of it."""
    said = json.dumps([name, description, input_schema, output_schema], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
