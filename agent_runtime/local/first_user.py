"""The stack's first user: made at the first start, so that there is somebody to file tasks and run the place."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from agent_runtime.errors import Unavailable
from agent_runtime.http_clients import client_settings
from agent_runtime.local.state_file import read_state, write_state

EMAIL = "you@localhost.localdomain"


@dataclass(frozen=True)
class SignedIn:
    """A session of Supabase Auth. `expires_at` is in seconds since 1970."""

    email: str
    access_token: str
    refresh_token: str
    expires_at: int
    user_id: str


async def sign_in_first_user(credentials: Path, *, supabase_url: str, publishable_key: str) -> SignedIn | None:
    """Sign the first user in; make it when it is not there. `credentials` is the file with its e-mail and password.

    None when the password in the file is no longer the user's: it was changed, and that is the user's right.
    Raises `Unavailable` when Auth does not answer.
    """
    kept = read_state(credentials)
    if not kept:
        # On disk before the user exists: a crash in between must not leave a user whose password nobody knows.
        kept = {"email": EMAIL, "password": secrets.token_urlsafe(18)}
        write_state(credentials, kept)
    body = {"email": kept["email"], "password": kept["password"]}
    try:
        async with httpx.AsyncClient(
            base_url=f"{supabase_url}/auth/v1",
            headers={"apikey": publishable_key},
            timeout=30,
            **client_settings(supabase_url),
        ) as auth:
            for path, parameters in (("/token", {"grant_type": "password"}), ("/signup", {})):
                answer = await auth.post(path, params=parameters, json=body)
                if answer.is_success and "access_token" in answer.json():
                    return _signed_in(kept["email"], answer.json())
                if answer.is_server_error:
                    raise Unavailable(f"Supabase Auth could not sign the first user in: {answer.text[:200]}")
    except httpx.HTTPError as error:
        raise Unavailable(f"Supabase Auth at {supabase_url} did not answer: {error}") from None
    return None


async def make_operator(database_url: str, user: SignedIn) -> None:
    """Let the first user run the platform and the own tenant, where nobody does yet. `database_url` is the owner's."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(
            "update public.users u"
            " set is_operator = true, role = case when u.tenant_id = u.home_tenant_id then 'admin' else u.role end"
            " where u.id = %s and not exists (select from public.users o where o.is_operator)",
            [user.user_id],
        )


def _signed_in(email: str, session: dict[str, Any]) -> SignedIn:
    expires_at = session.get("expires_at") or int(time.time()) + int(session.get("expires_in", 3_600))
    return SignedIn(email, session["access_token"], session["refresh_token"], int(expires_at), session["user"]["id"])
