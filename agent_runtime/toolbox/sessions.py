"""What a run keeps open between its calls: terminals, a Python, a browser, connections to servers of tools.

A session belongs to one run of a task: it ends when the task ends, waits or goes to another worker. Nothing that a
task must not lose may live in a session alone; the tools say so when they find theirs gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from agent_runtime.structlog_alone import structlog

log = structlog.get_logger(__name__)


class Session(Protocol):
    """Something that stays open until it is closed."""

    async def close(self) -> None:
        """End it and everything that it started; a second call does nothing."""


S = TypeVar("S", bound=Session)


class Sessions:
    """The sessions of one run, by a key that names tool and session, such as `terminal:main` or `browser`."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, kind: type[S], make: Callable[[], Awaitable[S]]) -> S:
        """The session of that key, made by `make` where there is none. Who asks meanwhile waits for the same one."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            found = self.find(key, kind)
            if found is not None:
                return found
            made = await make()
            self._open[key] = made
            return made

    def find(self, key: str, kind: type[S]) -> S | None:
        """The session of that key if it is open."""
        found = self._open.get(key)
        return found if isinstance(found, kind) else None

    def keys(self) -> list[str]:
        """The keys of all that is open, sorted."""
        return sorted(self._open)

    async def close(self, key: str) -> bool:
        """Close the session of that key; whether there was one."""
        session = self._open.pop(key, None)
        if session is not None:
            await session.close()
        return session is not None

    async def close_all(self) -> None:
        """Close all of them, each whatever becomes of the others."""
        sessions, self._open = self._open, {}
        ended = await asyncio.gather(*(session.close() for session in sessions.values()), return_exceptions=True)
        for key, problem in zip(sessions, ended, strict=True):
            if isinstance(problem, BaseException):
                log.error("a session did not close", session=key, error=f"{type(problem).__name__}: {problem}")
