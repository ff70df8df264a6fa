"""The key that signs the stubs of retired months: Ed25519, kept outside the database."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from agent_runtime.errors import ConfigError

SETTING = "AGENT_RUNTIME_AUDIT_KEY"
_BYTES = 32
_MAKE_ONE = "make one with `openssl rand -base64 32`, and keep it where the database's owner cannot read it"


class AuditKey:
    """Signs, and says whether it has signed."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._private.public_key()
        self.id = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]
        """Names the key without telling it."""

    def sign(self, text: str) -> bytes:
        return self._private.sign(text.encode())

    def has_signed(self, text: str, signature: bytes) -> bool:
        try:
            self._public.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


def audit_key(setting: SecretStr | None) -> AuditKey | None:
    """The key of the setting, None without one. Raises `ConfigError` when it is none."""
    if setting is None:
        return None
    text = setting.get_secret_value().strip()
    try:
        seed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{SETTING} is not base64: {_MAKE_ONE}") from None
    if len(seed) != _BYTES:
        raise ConfigError(f"{SETTING} is {len(seed)} bytes long, it has to be {_BYTES}: {_MAKE_ONE}")
    return AuditKey(seed)


def required_audit_key(setting: SecretStr | None) -> AuditKey:
    """The same, where nothing can be done without."""
    key = audit_key(setting)
    if key is None:
        raise ConfigError(f"{SETTING} is not set, and a month that is retired is signed: {_MAKE_ONE}")
    return key
