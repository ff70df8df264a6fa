"""Opening a store over one of the two transports: Postgres itself, or the REST API of Supabase."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from agent_runtime.config import Settings
from agent_runtime.db.connection import describe
from agent_runtime.db.functions import Store
from agent_runtime.db.postgres import open_postgres
from agent_runtime.errors import ConfigError

__all__ = ["Address", "Store", "SupabaseAddress", "address_of", "describe_address", "open_store"]


@dataclass(frozen=True)
class SupabaseAddress:
    """Where the REST API is, and the secret key for it."""

    url: str
    key: SecretStr


Address = str | SupabaseAddress
"""A Postgres connection string, or the REST API."""


def address_of(settings: Settings) -> Address:
    """`DATABASE_URL` where it is set, else `SUPABASE_URL` with `SUPABASE_SECRET_KEY`.

    Raises `ConfigError` that names what is missing.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    if settings.supabase_url is not None and settings.supabase_secret_key is not None:
        return SupabaseAddress(settings.supabase_url, settings.supabase_secret_key)
    if settings.supabase_url is None and settings.supabase_secret_key is None:
        raise ConfigError(
            "DATABASE_URL is not set: give the Postgres connection string, or SUPABASE_URL and SUPABASE_SECRET_KEY to "
            "work over the REST API, or start everything with `agent-runtime up`"
        )
    missing = "SUPABASE_URL" if settings.supabase_url is None else "SUPABASE_SECRET_KEY"
    raise ConfigError(
        f"neither DATABASE_URL nor {missing} is set: a worker needs the first, or SUPABASE_URL with SUPABASE_SECRET_KEY"
    )


def describe_address(address: Address) -> str:
    """In words, without a secret."""
    if isinstance(address, SupabaseAddress):
        return f"REST API at {address.url} (SUPABASE_URL)"
    return f"Postgres at {describe(address)} (DATABASE_URL)"


def open_store(
    address: Address, worker_id: UUID, *, connections: int, patience_seconds: float
) -> AbstractAsyncContextManager[Store]:
    """A store with up to `connections` calls at a time.

    Entering it raises `ConfigError` or `DatabaseUnavailable` when the first connection cannot be made.
    """
    if isinstance(address, SupabaseAddress):
        # Here, since it takes long to import.
        from agent_runtime.db.supabase import open_supabase

        return open_supabase(
            address.url,
            address.key.get_secret_value(),
            worker_id,
            connections=connections,
            patience_seconds=patience_seconds,
        )
    return open_postgres(address, worker_id, connections=connections, patience_seconds=patience_seconds)
