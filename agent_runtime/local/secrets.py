"""The stack's secrets: made once at the first start, kept in the data folder for its owner alone."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_serializer

from agent_runtime.errors import ConfigError
from agent_runtime.local.state_file import read_state, write_state


def _key() -> SecretStr:
    return SecretStr(base64.b64encode(secrets.token_bytes(32)).decode())


class Secrets(BaseModel):
    """Passwords of the Postgres roles, the API's keys, and the vault's."""

    model_config = ConfigDict(frozen=True)

    supabase_admin: SecretStr
    """The cluster's superuser: sets up, nothing else."""
    postgres: SecretStr
    """Owns the database, as on hosted Supabase."""
    supabase_api: SecretStr
    agent_worker: SecretStr
    publishable_key: str
    secret_key: SecretStr
    jwt_secret: SecretStr
    audit_key: SecretStr = Field(default_factory=_key)
    """AGENT_RUNTIME_AUDIT_KEY of this stack. Folders of earlier releases have none: they are given one."""
    vault_key: SecretStr = Field(default_factory=_key)
    """AGENT_RUNTIME_VAULT_KEY; the same."""
    vault_previous_keys: list[SecretStr] = Field(default_factory=list)
    """After a change of `vault_key` by hand, until `vault rotate`."""

    @field_serializer("vault_previous_keys")
    def _reveal_each(self, values: list[SecretStr]) -> list[str]:
        return [value.get_secret_value() for value in values]

    @field_serializer(
        "supabase_admin",
        "postgres",
        "supabase_api",
        "agent_worker",
        "secret_key",
        "jwt_secret",
        "audit_key",
        "vault_key",
    )
    def _reveal(self, value: SecretStr) -> str:
        return value.get_secret_value()


def generate() -> Secrets:
    """Fresh ones. Passwords are of letters, digits, `-` and `_`: nothing in them needs quoting in a URL or a shell."""
    return Secrets(
        supabase_admin=_password(),
        postgres=_password(),
        supabase_api=_password(),
        agent_worker=_password(),
        publishable_key=f"sb_publishable_{secrets.token_hex(16)}",
        secret_key=SecretStr(f"sb_secret_{secrets.token_hex(24)}"),
        jwt_secret=SecretStr(secrets.token_urlsafe(48)),
    )


def load_or_generate(path: Path) -> Secrets:
    """The folder's secrets, written with mode 0600 at the first start.

    Raises `ConfigError` when the file is damaged: guessing new ones would lock everybody out.
    """
    if not path.exists():
        made = generate()
        write_state(path, made.model_dump())
        return made
    kept = read_state(path)
    try:
        found = Secrets.model_validate(kept)
    except ValidationError:
        raise ConfigError(f"{path} is damaged: restore it from a backup, or start with another --data-dir") from None
    if found.model_dump() != kept:
        write_state(path, found.model_dump())
    return found


def _password() -> SecretStr:
    return SecretStr(secrets.token_hex(24))
