"""A person's access token, always a good one: exchanged when it runs out, by one process at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from agent_runtime.errors import ConfigError, Denied
from agent_runtime.person import auth, session
from agent_runtime.person.session import LOG_IN, Session

# A token is exchanged so long before it runs out, since a request takes time and clocks differ.
MARGIN_SECONDS = 30


class Tokens(httpx.Auth):
    """The tokens of one session; as an httpx `auth` it puts them on each request.

    With `keep` the session is the one on disk: each exchange is written there at once, because a refresh token is good
    for one exchange, and an exchange by another process is picked up from there.
    """

    def __init__(self, session: Session, *, keep: bool) -> None:
        self.session = session
        self._keep = keep
        self._exchanging = asyncio.Lock()

    async def access_token(self) -> str:
        """Raises `Denied` when the session is over, `Unavailable` when Auth does not answer."""
        if self._runs_out():
            await self._renew(self.session)
        return self.session.access_token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["authorization"] = f"Bearer {await self.access_token()}"
        used = self.session
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED and await self._was_refused_for_its_token(answer):
            # This machine's clock may be wrong, or the project's keys were changed.
            await self._renew(used)
            request.headers["authorization"] = f"Bearer {self.session.access_token}"
            yield request

    async def touch(self, timeout_seconds: float | None) -> None:
        """Note that the session is in use, and how long it may lie idle."""
        update = {"last_used_at": time.time(), "timeout_seconds": timeout_seconds}
        if self._keep:
            # In a thread: the lock may be held by an exchange that needs this loop to go on.
            self.session = await asyncio.to_thread(self._touch_kept, update)
        else:
            self.session = self.session.model_copy(update=update)

    def _touch_kept(self, update: dict[str, Any]) -> Session:
        with session.alone():
            # Another process may have exchanged the tokens meanwhile, or a logout removed them.
            kept = self._on_disk()
            if kept is None:
                return self.session
            touched = kept.model_copy(update=update)
            session.save(touched)
            return touched

    async def _was_refused_for_its_token(self, answer: httpx.Response) -> bool:
        return b"PGRST30" in await answer.aread()

    async def _renew(self, used_up: Session) -> None:
        async with self._exchanging:
            # Compared by the refresh token: two access tokens of the same second can be the same.
            if self.session.refresh_token == used_up.refresh_token:
                await (self._exchange_kept(used_up) if self._keep else self._exchange())

    async def _exchange_kept(self, used_up: Session) -> None:
        held = session.alone()
        await asyncio.to_thread(held.__enter__)
        try:
            kept = self._on_disk()
            if kept is None:
                raise Denied(f"the session of {self.session.email} was ended by a logout or another login: {LOG_IN}")
            self.session = kept
            if kept.refresh_token == used_up.refresh_token or self._runs_out():
                await self._exchange()
                session.save(self.session)
        finally:
            held.__exit__(None, None, None)

    async def _exchange(self) -> None:
        renewed = await auth.exchange(self.session)
        self.session = renewed.model_copy(update={"last_used_at": time.time()})

    def _on_disk(self) -> Session | None:
        try:
            kept = session.load()
        except ConfigError:
            return None
        same = (kept.supabase_url, kept.email) == (self.session.supabase_url, self.session.email)
        return kept if same else None

    def _runs_out(self) -> bool:
        return self.session.expires_at - time.time() < MARGIN_SECONDS
