"""What the browser has to know: where Supabase is, with which key, and how people sign in."""

from __future__ import annotations

import time
from typing import Any

from agent_runtime import __version__
from agent_runtime.web.access import Supabase, SupabaseAway
from agent_runtime.web.settings import WebSettings

PROXY_PATH = "/supabase"
_KEPT_SECONDS = 60.0


class ClientConfig:
    """The answer to `/config.json`. Auth's settings are asked for once a minute at most."""

    def __init__(self, settings: WebSettings, supabase: Supabase, build: str | None) -> None:
        self._settings, self._supabase, self._build = settings, supabase, build
        self._sign_in: dict[str, Any] | None = None
        self._asked_at = 0.0

    async def of(self, origin: str) -> dict[str, Any]:
        """`origin` is where the browser reached this server."""
        proxied = f"{origin}{PROXY_PATH}"
        return {
            "supabase_url": proxied if self._settings.proxy_supabase else self._settings.supabase_url,
            "publishable_key": self._settings.publishable_key,
            "version": __version__,
            "build": self._build,
            "live": True,
            "sign_in": await self._ways_in(),
        }

    async def _ways_in(self) -> dict[str, Any]:
        if self._sign_in is None or time.monotonic() - self._asked_at > _KEPT_SECONDS:
            try:
                self._sign_in = self._read(await self._supabase.sign_in_settings())
                self._asked_at = time.monotonic()
            except SupabaseAway:
                # As it was; else what every project has. The page asks again when it is opened again.
                return self._sign_in or {"password": True, "sign_up": False, "magic_link": False, "providers": []}
        return self._sign_in

    def _read(self, auth: dict[str, Any]) -> dict[str, Any]:
        external = auth.get("external")
        ways = external if isinstance(external, dict) else {}
        by_mail = ways.get("email") is True
        # Where addresses are confirmed without a mail, no mail is set up.
        mails = by_mail and auth.get("mailer_autoconfirm") is False
        return {
            "password": by_mail,
            "sign_up": by_mail and auth.get("disable_signup") is False,
            "magic_link": mails if self._settings.magic_link is None else by_mail and self._settings.magic_link,
            "providers": sorted(
                name for name, on in ways.items() if on is True and name not in ("email", "phone", "anonymous_users")
            ),
        }
