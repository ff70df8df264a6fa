"""Master keys: 32 bytes in base64, kept outside the database."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_runtime.errors import ConfigError

if TYPE_CHECKING:
    from agent_runtime.config import Settings

KEY_BYTES = 32
CURRENT, PREVIOUS = "AGENT_RUNTIME_VAULT_KEY", "AGENT_RUNTIME_VAULT_PREVIOUS_KEYS"
SUPABASE = "supabase"
"""As the current key: the master keys are kept by the database's extension Supabase Vault."""
HOW_TO_MAKE = "make one with `openssl rand -base64 32`"


@dataclass(frozen=True)
class MasterKey:
    """`id` is a digest: it tells keys apart and says nothing of them."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Of base64, standard or for URLs. Raises `ValueError` that says what it should be."""
        try:
            # Standard, with the padding that some programs leave away.
            plain = text.strip().translate(str.maketrans("-_", "+/")).rstrip("=")
            secret = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"not a key: it is {KEY_BYTES} bytes in base64; {HOW_TO_MAKE}") from None
        if len(secret) != KEY_BYTES:
            length = "too short" if len(secret) < KEY_BYTES else "too long"
            raise ValueError(f"{length}: it has {len(secret)} bytes and must have {KEY_BYTES}; {HOW_TO_MAKE}")
        return cls(hashlib.sha256(b"agent-runtime vault key\0" + secret).hexdigest()[:16], secret)


class Keyring:
    """The current key, which seals, and those before it, which still open."""

    def __init__(
        self, current: MasterKey | None, previous: Iterable[MasterKey] = (), *, is_in_supabase: bool = False
    ) -> None:
        self.is_in_supabase = is_in_supabase
        """The keys are kept by Supabase Vault, and `opened` gets them."""
        self._current = current
        known = [*([current] if current else []), *previous]
        self._by_id = {key.id: key for key in reversed(known)}
        self.ids = list(dict.fromkeys(key.id for key in known))
        """The current one first."""

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        """Those of the settings, which have been checked."""
        current = settings.vault_key.get_secret_value() if settings.vault_key else None
        return cls(
            MasterKey.parse(current) if current and current != SUPABASE else None,
            [MasterKey.parse(key.get_secret_value()) for key in settings.vault_previous_keys],
            is_in_supabase=current == SUPABASE,
        )

    async def opened(self, ask: Callable[[], Awaitable[list[str] | None]]) -> Keyring:
        """This keyring, or the one that Supabase Vault keeps; `ask` calls `worker_master_keys`.

        Raises `ConfigError` when the database does not have the extension.
        """
        if not self.is_in_supabase:
            return self
        kept = await ask()
        if kept is None:
            raise ConfigError(
                f"{CURRENT} is {SUPABASE}, and the database has no Supabase Vault: give a key; {HOW_TO_MAKE}"
            )
        keys = [MasterKey.parse(text) for text in kept]
        return Keyring(keys[0] if keys else None, [*keys[1:], *self._by_id.values()], is_in_supabase=True)

    @property
    def current(self) -> MasterKey:
        """Raises `ConfigError` when there is none."""
        if self._current is None:
            raise ConfigError(f"{CURRENT} is not set: the vault needs it; {HOW_TO_MAKE} and give it to every worker")
        return self._current

    def get(self, key_id: str) -> MasterKey | None:
        return self._by_id.get(key_id)

    def __bool__(self) -> bool:
        return self._current is not None

    def require(self, unknown: list[str]) -> None:
        """Raises `ConfigError` when credentials are sealed with keys (`unknown`, their ids) that are not here."""
        if not unknown:
            return
        if not self:
            raise ConfigError(
                f"{CURRENT} is not set, and the database holds credentials that are sealed with it (key id "
                f"{', '.join(unknown)}): give this process the same key as the others"
            )
        raise ConfigError(
            f"{CURRENT} is not the key that credentials in the database are sealed with (key id {', '.join(unknown)}, "
            f"this one is {self.current.id}): give the right one, or the one before it in {PREVIOUS}"
        )


def make_key() -> str:
    """A new key, as a setting takes it."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
