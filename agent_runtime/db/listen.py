"""Wake-ups: one listening connection per process, made again when it breaks. The worker's slow poll is its net."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import psycopg
import structlog

from agent_runtime.db.connection import CONNECT_TIMEOUT_SECONDS

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0


async def listen(conninfo: str, on_pending: Callable[[], None], on_control: Callable[[UUID], None]) -> None:
    """Call back on each wake-up until cancelled. After a reconnection both are told, for what was missed meanwhile."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
            ) as connection:
                await connection.execute("listen agent_runtime_pending")
                await connection.execute("listen agent_runtime_control")
                on_pending()
                async for notification in connection.notifies():
                    if notification.channel == "agent_runtime_pending":
                        on_pending()
                    else:
                        on_control(UUID(notification.payload))
        except psycopg.OperationalError as error:
            log.warning("wake-ups are interrupted, polling goes on", error=str(error).splitlines()[0])
        await asyncio.sleep(RECONNECT_SECONDS)
