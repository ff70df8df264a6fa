"""Applying `sql/bootstrap.sql`, and asking a database which version of it is installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from agent_runtime import resources
from agent_runtime.db.connection import connect, explain
from agent_runtime.errors import ConfigError

SCHEMA_VERSION = 5
"""What this release installs, and the newest that it can work with."""

_INCLUDE = re.compile(r"^\\ir\s+(\S+)\s*$")


@dataclass(frozen=True)
class SchemaStatus:
    """`installed` is None on a database that was never bootstrapped."""

    installed: int | None
    expected: int = SCHEMA_VERSION


def bootstrap_script() -> str:
    """`bootstrap.sql` as one text, each `\\ir FILE` replaced by the file: what psql runs, for who has no psql."""
    return _with_includes(resources.sql() / "bootstrap.sql")


def apply(conninfo: str) -> SchemaStatus:
    """Install or bring up to date, in one transaction.

    Raises `ConfigError` when the role may not, or the database is newer than this release; `DatabaseUnavailable`
    when it cannot be reached.
    """
    with connect(conninfo) as connection:
        require_known_version(status(connection))
        try:
            connection.execute(bootstrap_script())
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigError(f"the role in DATABASE_URL may not install the schema: {explain(error)}") from error
        return status(connection)


def status(connection: psycopg.Connection) -> SchemaStatus:
    """Which version a database has."""
    row = connection.execute("select to_regclass('private.schema_version')").fetchone()
    if row is None or row[0] is None:
        return SchemaStatus(installed=None)
    version = connection.execute("select max(version) from private.schema_version").fetchone()
    return SchemaStatus(installed=version[0] if version else None)


def require_known_version(found: SchemaStatus) -> None:
    """Raises `ConfigError` for a database that a newer release has changed."""
    if found.installed is not None and found.installed > found.expected:
        raise ConfigError(
            f"the database has schema version {found.installed}, this release knows {found.expected}: "
            "upgrade agent-runtime on this machine"
        )


def _with_includes(path: Path) -> str:
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        include = _INCLUDE.match(line)
        lines.append(_with_includes(path.parent / include.group(1)) if include else line)
    return "\n".join(lines) + "\n"
