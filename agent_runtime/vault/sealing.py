"""From a value to what the database holds, and back: AES-256-GCM, a data key per credential, wrapped by the master key.

Both layers are bound to the credential's row by their associated data, so that what is sealed for one row opens in no
other. A rotation wraps the data keys anew and leaves the values alone.
"""

from __future__ import annotations

import json
import os
from typing import Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict

from agent_runtime.vault.keys import CURRENT, PREVIOUS, Keyring, MasterKey

NONCE_BYTES = 12
_VERSION = "agent-runtime vault 1"

Scope = Literal["global", "tenant", "user"]


class Slot(BaseModel):
    """Which row a credential is: what its seal is bound to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    tenant_id: UUID | None = None
    user_id: UUID | None = None
    scope: Scope
    name: str


class WrappedKey(Slot):
    """A credential's data key under a master key. `wrapped_key` is in hex."""

    key_id: str
    wrapped_key: str


class Sealed(WrappedKey):
    """A credential as the database hands it out; `ciphertext` is in hex."""

    ciphertext: str


class Unsealable(Exception):
    """It does not open: the key is missing, or the row is not what was sealed. Says which, and no secret."""


def seal(value: str, slot: Slot, key: MasterKey) -> Sealed:
    """`value` for the row `slot`."""
    data_key = AESGCM.generate_key(bit_length=256)
    return Sealed(
        **slot.model_dump(),
        key_id=key.id,
        wrapped_key=_encrypt(key.secret, data_key, slot, "key").hex(),
        ciphertext=_encrypt(data_key, value.encode(), slot, "value").hex(),
    )


def unseal(sealed: Sealed, keys: Keyring) -> str:
    """The value. Raises `Unsealable`."""
    return _decrypt(_data_key(sealed, keys), sealed.ciphertext, sealed, "value").decode()


def rewrap(wrapped: WrappedKey, keys: Keyring) -> WrappedKey:
    """The same data key under the current master key. Raises `Unsealable`, `ConfigError`."""
    key = keys.current
    fresh = _encrypt(key.secret, _data_key(wrapped, keys), wrapped, "key").hex()
    return wrapped.model_copy(update={"key_id": key.id, "wrapped_key": fresh})


def _data_key(wrapped: WrappedKey, keys: Keyring) -> bytes:
    key = keys.get(wrapped.key_id)
    if key is None:
        raise Unsealable(
            f"the credential {wrapped.name} is sealed with a key (id {wrapped.key_id}) that is neither {CURRENT} nor "
            f"among {PREVIOUS} of this process"
        )
    return _decrypt(key.secret, wrapped.wrapped_key, wrapped, "key")


def _encrypt(key: bytes, plain: bytes, slot: Slot, what: str) -> bytes:
    # Random: a master key wraps far fewer than the 2^32 data keys for which that is sound.
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, _binding(slot, what))


def _decrypt(key: bytes, sealed_hex: str, slot: Slot, what: str) -> bytes:
    try:
        sealed = bytes.fromhex(sealed_hex)
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _binding(slot, what))
    except (InvalidTag, ValueError):
        raise Unsealable(
            f"the credential {slot.name} does not open: it was damaged, or moved here from another row; put it into "
            "the vault anew"
        ) from None


def _binding(slot: Slot, what: str) -> bytes:
    owner = [str(part) if part else None for part in (slot.id, slot.tenant_id, slot.user_id)]
    return json.dumps([_VERSION, what, *owner, slot.scope, slot.name]).encode()
