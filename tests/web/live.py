"""A browser's side of a live stream, and a server to ask: what the tests of the web UI's server are made of."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx

from agent_runtime.web.server import RunningServer, serving
from agent_runtime.web.settings import WebSettings
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Heard:
    """One event of the stream; a comment has the kind `:`."""

    kind: str
    data: Any = None
    id: str | None = None


@dataclass
class Client:
    """Reads one stream, as the page does."""

    lines: AsyncIterator[str]
    heard: list[Heard] = field(default_factory=list)

    async def next(self) -> Heard | None:
        """The next event; None at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self.lines:
                if line.startswith(":"):
                    fields["event"] = ":"
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    data = json.loads(fields["data"]) if "data" in fields else None
                    event = Heard(fields.get("event", "message"), data, fields.get("id"))
                    self.heard.append(event)
                    return event
        return None

    async def until(self, condition: Callable[[Heard], bool]) -> Heard:
        """Read on until an event is as wanted."""
        while (event := await self.next()) is not None:
            if condition(event):
                return event
        raise AssertionError(f"the stream ended before; heard {self.heard[-5:]}")

    async def until_kind(self, kind: str) -> Heard:
        return await self.until(lambda event: event.kind == kind)

    @property
    def ids(self) -> list[int]:
        """Of the timeline's events, as they came."""
        return [event.data["id"] for event in self.heard if event.kind == "task_event"]


def settings_of(stack: Stack, **more: Any) -> WebSettings:
    """For a server beside the running stack. `DATABASE_URL=None` is one that reads over REST."""
    given = {
        "SUPABASE_URL": stack.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
        "DATABASE_URL": stack.worker_database_url,
        **more,
    }
    return WebSettings(**given)


@contextlib.asynccontextmanager
async def server(stack: Stack, bundle: Path | None = None, **more: Any) -> AsyncIterator[RunningServer]:
    """A server in this process, until the block ends."""
    async with serving(settings_of(stack, **more), bundle, host="127.0.0.1", port=0) as (running, _):
        yield running


@contextlib.asynccontextmanager
async def watching(
    url: str, task_id: UUID | str, token: str, *, after: int | str | None = None
) -> AsyncIterator[Client]:
    """A stream that is open."""
    async with asking(url, task_id, token, after=after) as response:
        assert response.status_code == 200, (await response.aread()).decode()
        # Held here: what nobody holds is closed.
        client = Client(response.aiter_lines())
        yield client


@contextlib.asynccontextmanager
async def asking(
    url: str, task_id: UUID | str, token: str | None, *, after: int | str | None = None
) -> AsyncIterator[httpx.Response]:
    """The answer to a request for a stream, whatever it is."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS, **LOOPBACK) as http,
        http.stream("GET", f"{url}/live/tasks/{task_id}", headers=headers) as response,
    ):
        yield response
