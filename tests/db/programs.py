"""Postgres' own programs, of the version of the server, and our command line, as an admin runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from agent_runtime import resources

if TYPE_CHECKING:
    from tests.conftest import Database

Finished = subprocess.CompletedProcess[str]

BOOTSTRAP = resources.sql() / "bootstrap.sql"


def as_hosted(database: Database) -> None:
    """Put into an empty database what Supabase owns, as on hosted Supabase."""
    with psycopg.connect(database.superuser) as superuser:
        superuser.execute(Path(__file__).with_name("hosted_supabase.sql").read_text(encoding="utf-8"))


def psql(database: Database, *arguments: str, conninfo: str | None = None) -> Finished:
    """psql as the owner, stopping at the first error."""
    return _run(
        [_program(database, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments, conninfo or database.owner]
    )


def db_apply(database: Database) -> Finished:
    """`agent-runtime db apply` as the owner."""
    return _run([sys.executable, "-m", "agent_runtime", "db", "apply"], {"DATABASE_URL": database.owner})


def dump(database: Database, *arguments: str) -> str:
    """The schema, as `pg_dump --schema-only` writes it."""
    finished = _run([_program(database, "pg_dump"), "--schema-only", *arguments, database.superuser])
    assert finished.returncode == 0, finished.stderr
    # Newer versions guard their output with a random word.
    return "\n".join(
        line for line in finished.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )


def _program(database: Database, name: str) -> str:
    return str(database.programs / name)


def _run(argv: list[str], environment: dict[str, str] | None = None) -> Finished:
    path = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PGCONNECT_TIMEOUT": "10"}
    return subprocess.run(argv, env=path | (environment or {}), capture_output=True, text=True, timeout=60, check=False)
