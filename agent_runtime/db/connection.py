"""Connecting to Postgres, and saying in one line why it failed. No message here ever holds a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent_runtime.errors import (
    AgentRuntimeError,
    ConfigError,
    DatabaseUnavailable,
    Denied,
    IllegalTransition,
    InvalidInput,
    LeaseLost,
    NotFound,
)

CONNECT_TIMEOUT_SECONDS = 10

KEEPALIVES = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""For connections that are kept open: one whose other end went away without a word ends in about half a minute.
The last is in milliseconds."""

BY_CODE: dict[str, type[AgentRuntimeError]] = {
    "AR001": LeaseLost,
    "AR002": NotFound,
    "AR003": IllegalTransition,
    "AR004": IllegalTransition,
    "AR005": InvalidInput,
    "AR006": InvalidInput,
    "AR007": ConfigError,
    "42501": Denied,
}
"""SQLSTATEs that our functions raise."""


@contextmanager
def connect(conninfo: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection.

    Raises `ConfigError` for a wrong name, password or database, `DatabaseUnavailable` when nothing answers.
    """
    try:
        connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS)
    except psycopg.OperationalError as error:
        raise connection_error(conninfo, error) from error
    with connection:
        yield connection


def connection_error(conninfo: str, error: psycopg.OperationalError) -> AgentRuntimeError:
    """What to raise when a connection could not be made."""
    reason = explain(error)
    where = describe(conninfo)
    if "authentication failed" in reason or "does not exist" in reason or "no password supplied" in reason:
        return ConfigError(f"DATABASE_URL ({where}): {reason}")
    return DatabaseUnavailable(
        f"Postgres at {where} does not answer: {reason}; is it running, and is DATABASE_URL right?"
    )


def with_keepalives(conninfo: str) -> str:
    """The same connection string, kept alive, but for what it says of that itself."""
    said = conninfo_to_dict(conninfo)
    return make_conninfo(conninfo, **{name: value for name, value in KEEPALIVES.items() if name not in said})


def describe(conninfo: str) -> str:
    """`user@host:port/name`, without the password."""
    parts = conninfo_to_dict(conninfo)
    host, port = parts.get("host") or "localhost", parts.get("port") or 5432
    return f"{parts.get('user') or '?'}@{host}:{port}/{parts.get('dbname') or parts.get('user') or '?'}"


def explain(error: psycopg.Error) -> str:
    """The server's own words, on one line, with its hint."""
    diagnostic = error.diag
    if diagnostic.message_primary:
        hint = f" ({diagnostic.message_hint})" if diagnostic.message_hint else ""
        return f"{diagnostic.message_primary}{hint}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # libpq tries each address of a name and repeats itself; the last line is the one that was true.
    return lines[-1].removeprefix("FATAL:").strip() if lines else type(error).__name__


def translate(error: psycopg.Error) -> AgentRuntimeError | None:
    """Our own error for a SQLSTATE that our functions raise, or None where there is none."""
    kind = BY_CODE.get(error.sqlstate or "")
    return kind(explain(error)) if kind else None
