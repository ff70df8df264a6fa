"""Putting credentials into the vault, listing, removing and rotating them, as a person or as the operator.

A value is sealed here, where the master key is; what travels and what the database holds is sealed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from agent_runtime.errors import AgentRuntimeError, InvalidInput
from agent_runtime.records import Time
from agent_runtime.vault.keys import Keyring
from agent_runtime.vault.scrub import MIN_CHARACTERS
from agent_runtime.vault.sealing import Scope, Slot, Unsealable, WrappedKey, rewrap, seal

VALUE_LIMIT_BYTES = 16_384

Call = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Calls a function of the database as somebody, by its name with named arguments."""


class Credential(BaseModel):
    """A row of `credentials`: what may be known of one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    name: str
    scope: Scope
    category: str
    tenant_id: UUID | None = None
    user_id: UUID | None = None
    key_id: str
    created_at: Time
    updated_at: Time
    last_used_at: Time | None = None


@dataclass(frozen=True)
class Rotation:
    """What a rotation did. `failed` says of each credential that it could not wrap anew why not."""

    rewrapped: int
    failed: list[str]


class Vault:
    """The vault, as whoever `call` acts for. Methods raise what the database refuses with: `Denied`, `NotFound`, …"""

    def __init__(self, call: Call, keys: Keyring) -> None:
        self._call, self._keys = call, keys

    async def put(
        self, name: str, value: str, scope: Scope, *, tenant: str | None = None, category: str = ""
    ) -> Credential:
        """Seal `value` into the credential of that name, a new one or what is there.

        Raises `InvalidInput` for a value that cannot be one, `ConfigError` without the master key.
        """
        check_value(value)
        key = (await self._opened(make=True)).current
        owner = {"p_name": name, "p_scope": scope, "p_tenant": tenant}
        slot = Slot.model_validate(await self._call("vault_slot", owner))
        sealed = seal(value, slot, key)
        row = await self._call(
            "vault_put",
            {
                "p_id": str(slot.id),
                **owner,
                "p_category": category,
                "p_ciphertext": sealed.ciphertext,
                "p_wrapped_key": sealed.wrapped_key,
                "p_key_id": sealed.key_id,
            },
        )
        return Credential.model_validate(_only(row))

    async def list(self) -> list[Credential]:
        """Those that the caller may know of."""
        return [Credential.model_validate(row) for row in await self._call("vault_list", {})]

    async def remove(self, name: str, scope: Scope, *, tenant: str | None = None) -> Credential:
        """Raises `NotFound`."""
        row = await self._call("vault_remove", {"p_name": name, "p_scope": scope, "p_tenant": tenant})
        return Credential.model_validate(_only(row))

    async def require_keys(self) -> None:
        """Raises `ConfigError` when the keys here are not all that credentials are sealed with. For the operator."""
        keys = await self._opened(make=True)
        answer = await self._call("worker_vault_keys", {"p_key_ids": keys.ids})
        keys.require(answer["unknown"])

    async def rotate(self) -> Rotation:
        """Wrap every data key anew with the current master key, row by row; workers that have both go on meanwhile.

        Where Supabase Vault keeps the keys, it makes a new one first. Raises `ConfigError` without a current key.
        """
        if self._keys.is_in_supabase:
            await self._call("vault_new_key", {})
        keys = await self._opened()
        current, done, failed = keys.current, 0, dict[UUID, str]()
        while True:
            rows = await self._call("vault_wrapped", {"p_key_id": current.id})
            left = [row for row in map(WrappedKey.model_validate, rows) if row.id not in failed]
            if not left:
                return Rotation(done, list(failed.values()))
            for row in left:
                try:
                    fresh = rewrap(row, keys)
                except Unsealable as error:
                    failed[row.id] = str(error)
                    continue
                # False when somebody put it anew meanwhile: it is looked at again.
                done += await self._call(
                    "vault_rewrap",
                    {
                        "p_id": str(row.id),
                        "p_was": row.wrapped_key,
                        "p_wrapped_key": fresh.wrapped_key,
                        "p_key_id": fresh.key_id,
                    },
                )

    async def _opened(self, *, make: bool = False) -> Keyring:
        """The keys; with `make`, a first one where Supabase Vault keeps them and has none."""

        async def ask() -> list[str] | None:
            kept: list[str] | None = await self._call("worker_master_keys", {})
            if kept == [] and make:
                await self._call("vault_new_key", {})
                kept = await self._call("worker_master_keys", {})
            return kept

        return await self._keys.opened(ask)


def check_value(value: str) -> None:
    """Raises `InvalidInput` for what cannot be kept, or could not be kept out of what tools print."""
    size = len(value.encode(errors="surrogatepass"))
    if size > VALUE_LIMIT_BYTES:
        raise InvalidInput(f"limit credential_bytes reached: {size} of {VALUE_LIMIT_BYTES} bytes")
    if len("".join(value.split())) < MIN_CHARACTERS:
        raise InvalidInput(
            f"the value has fewer than {MIN_CHARACTERS} characters: so short a secret cannot be told from other text "
            "in what tools print"
        )
    if "\0" in value or any(0xD800 <= ord(sign) < 0xE000 for sign in value):
        raise InvalidInput("the value is not text: a credential is UTF-8 without NUL; give bytes in base64")


def _only(answer: Any) -> Any:
    rows = answer if isinstance(answer, list) else [answer]
    if len(rows) != 1:
        raise AgentRuntimeError(f"the database answered with {len(rows)} rows instead of one")
    return rows[0]
