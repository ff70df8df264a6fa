"""Supabase Auth: sign up, sign in, exchange a refresh token, sign out.

Spoken to directly rather than through supabase-py, which cannot parse the timestamps in the embedded Auth's answers
(`2026-01-01 00:00:00+00`). Only what a session needs is read from an answer, so hosted Auth serves as well.
"""

from __future__ import annotations

import time
from typing import Any

import httpx

from agent_runtime.errors import AgentRuntimeError, ConfigError, Denied, InvalidInput, Unavailable
from agent_runtime.http_clients import client_settings, is_loopback
from agent_runtime.person.session import LOG_IN, Session

_TIMEOUT_SECONDS = 30.0


async def sign_in(supabase_url: str, publishable_key: str, email: str, password: str) -> Session:
    """Raises `Denied` (wrong e-mail or password), `ConfigError` (wrong key), `Unavailable`."""
    body = {"email": email, "password": password}
    answer = await _ask(supabase_url, publishable_key, "/token", body, {"grant_type": "password"})
    return _session(answer, supabase_url, publishable_key, email)


async def sign_up(supabase_url: str, publishable_key: str, email: str, password: str) -> Session | None:
    """Make an account. None when the e-mail address has to be confirmed before the first sign-in.

    Raises `InvalidInput` (weak password, taken or malformed address), `ConfigError`, `Unavailable`.
    """
    answer = await _ask(supabase_url, publishable_key, "/signup", {"email": email, "password": password}, {})
    return _session(answer, supabase_url, publishable_key, email) if "access_token" in answer else None


async def exchange(session: Session) -> Session:
    """A session with new tokens for the old refresh token. Raises `Denied` when it has been used up or revoked."""
    body = {"refresh_token": session.refresh_token}
    try:
        answer = await _ask(
            session.supabase_url, session.publishable_key, "/token", body, {"grant_type": "refresh_token"}
        )
    except (Denied, InvalidInput) as error:
        raise Denied(f"the session of {session.email} is over ({error}): {LOG_IN}") from None
    renewed = _session(answer, session.supabase_url, session.publishable_key, session.email)
    return renewed.model_copy(update={"last_used_at": session.last_used_at, "timeout_seconds": session.timeout_seconds})


async def sign_out(session: Session) -> None:
    """Revoke this session's refresh token. Raises `Unavailable`; a session that is over already is fine."""
    try:
        await _ask(
            session.supabase_url, session.publishable_key, "/logout", None, {"scope": "local"}, session.access_token
        )
    except (Denied, InvalidInput):
        return


async def _ask(
    supabase_url: str,
    publishable_key: str,
    path: str,
    body: dict[str, str] | None,
    parameters: dict[str, str],
    access_token: str | None = None,
) -> dict[str, Any]:
    headers = {"apikey": publishable_key, "authorization": f"Bearer {access_token or publishable_key}"}
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, **client_settings(supabase_url)) as http:
            answer = await http.post(f"{supabase_url}/auth/v1{path}", json=body, params=parameters, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(supabase_url, error) from None
    try:
        content = answer.json() if answer.content else {}
    except ValueError:
        content = {}
    if not isinstance(content, dict):
        content = {}
    if not answer.is_success:
        raise _refusal(answer.status_code, content, supabase_url)
    return content


def unreachable(supabase_url: str, error: Exception) -> Unavailable:
    """One line for a Supabase that does not answer, with the remedy."""
    why = str(error) or type(error).__name__
    remedy = "start it with `agent-runtime up`" if is_loopback(supabase_url) else "check the URL and the network"
    return Unavailable(f"Supabase at {supabase_url} did not answer ({why}): {remedy}")


def _refusal(status: int, content: dict[str, Any], supabase_url: str) -> AgentRuntimeError:
    code = str(content.get("error_code") or content.get("error") or "")
    text = str(content.get("msg") or content.get("error_description") or content.get("message") or f"status {status}")
    if "api key" in text.lower():
        return ConfigError(
            f"Supabase at {supabase_url} does not know the publishable key: give the right one with --key"
        )
    if code in ("invalid_credentials", "invalid_grant"):
        return Denied(f"Supabase Auth refused: {text}")
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Unavailable(f"Supabase Auth at {supabase_url} cannot answer now: {text}")
    if status == httpx.codes.NOT_FOUND:
        return ConfigError(f"there is no Supabase Auth at {supabase_url}: check the URL")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Denied(f"Supabase Auth refused: {text}")
    return InvalidInput(f"Supabase Auth refused: {text}")


def _session(answer: dict[str, Any], supabase_url: str, publishable_key: str, email: str) -> Session:
    try:
        user = answer.get("user") or {}
        expires_at = answer.get("expires_at") or time.time() + float(answer.get("expires_in") or 3_600)
        return Session(
            supabase_url=supabase_url,
            publishable_key=publishable_key,
            access_token=answer["access_token"],
            refresh_token=answer["refresh_token"],
            expires_at=int(expires_at),
            email=user.get("email") or email,
            user_id=user.get("id"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unavailable(f"what answers at {supabase_url} is not Supabase Auth: check the URL") from None
