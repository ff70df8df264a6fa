"""Who may see what, asked of the REST API with the person's own token: row-level security answers."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from agent_runtime.errors import Unavailable
from agent_runtime.http_clients import client_settings
from agent_runtime.web.tokens import Token, TokenRefused

_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=20)
_IDS_AT_ONCE = 100
_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class SupabaseAway(Unavailable):
    """The API did not answer, or not as it should."""


class Supabase:
    """The project's API, with the publishable key and a person's token. `async with Supabase(url, key)`."""

    def __init__(self, url: str, publishable_key: str) -> None:
        self._url, self._key = url, publishable_key

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, limits=_CONNECTIONS, **client_settings(self._url))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def visible(self, token: Token, tasks: Iterable[UUID]) -> set[UUID]:
        """Those of the tasks that the person may see now. Raises `TokenRefused`, `SupabaseAway`."""
        wanted, seen = sorted(set(tasks)), set[UUID]()
        for at in range(0, len(wanted), _IDS_AT_ONCE):
            ids = ",".join(str(task) for task in wanted[at : at + _IDS_AT_ONCE])
            rows = await self.rows(token, "tasks", {"select": "id", "id": f"in.({ids})"})
            seen |= {UUID(row["id"]) for row in rows}
        return seen

    async def rows(self, token: Token, table: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """Rows of a table as the person sees them. Raises `TokenRefused`, `SupabaseAway`."""
        answer = await self._get(f"/rest/v1/{table}", token, query)
        if answer.status_code in _REFUSED:
            raise TokenRefused("sign in again: the access token is not accepted")
        try:
            found = answer.json() if answer.is_success else None
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise SupabaseAway(f"the REST API answered with status {answer.status_code}")
        return found

    async def session_lives(self, token: Token) -> bool:
        """Whether Auth still knows the session of a token that REST may accept until it expires. Raises
        `SupabaseAway`."""
        answer = await self._get("/auth/v1/user", token, {})
        if not answer.is_success and answer.status_code not in (*_REFUSED, httpx.codes.NOT_FOUND):
            raise SupabaseAway(f"Auth answered with status {answer.status_code}")
        return answer.is_success

    async def sign_in_settings(self) -> dict[str, Any]:
        """Auth's public settings. Raises `SupabaseAway`."""
        answer = await self._get("/auth/v1/settings", None, {})
        try:
            found = answer.json() if answer.is_success else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise SupabaseAway(f"Auth answered with status {answer.status_code}")
        return found

    async def is_up(self) -> bool:
        """Whether the API answers."""
        try:
            return (await self._get("/auth/v1/health", None, {})).is_success
        except SupabaseAway:
            return False

    async def _get(self, path: str, token: Token | None, query: dict[str, str]) -> httpx.Response:
        headers = {"apikey": self._key} | ({"Authorization": f"Bearer {token.text}"} if token else {})
        try:
            return await self._http.get(self._url + path, params=query, headers=headers)
        except httpx.HTTPError as error:
            raise SupabaseAway(f"the Supabase API does not answer: {type(error).__name__}") from None
