"""Accounts for those who try, made by Supabase Auth, with real tokens."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

import httpx

from agent_runtime.errors import ConfigError, Unavailable
from agent_runtime.http_clients import client_settings
from agent_runtime.person import auth


@dataclass(frozen=True)
class Api:
    """Where the Supabase API is, and both keys."""

    url: str
    publishable_key: str
    secret_key: str

    def sign_up(self, name: str) -> tuple[str, str]:
        """A new account: its id and an access token.

        By the admins' way where there is one, which sends no e-mail. Raises `ConfigError` when Auth makes no account
        that can sign in, `Unavailable` when it does not answer.
        """
        email, password = f"{name}@example.org", secrets.token_urlsafe(24)
        session = None
        if not self._made_by_admin(email, password):
            session = asyncio.run(auth.sign_up(self.url, self.publishable_key, email, password))
        session = session or asyncio.run(auth.sign_in(self.url, self.publishable_key, email, password))
        if session is None or session.user_id is None:
            raise ConfigError(
                "Supabase Auth wants e-mail addresses confirmed, and takes no account from the secret key"
            )
        return session.user_id, session.access_token

    def _made_by_admin(self, email: str, password: str) -> bool:
        try:
            answer = httpx.post(
                f"{self.url.rstrip('/')}/auth/v1/admin/users",
                json={"email": email, "password": password, "email_confirm": True},
                headers={"apikey": self.secret_key, "authorization": f"Bearer {self.secret_key}"},
                timeout=30.0,
                **client_settings(self.url),
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.url} did not answer ({str(error) or type(error).__name__})") from None
        return answer.is_success
