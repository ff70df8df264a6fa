"""Two connections at the same moment: one waits for what the other holds, and the test knows when it does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db.impersonation import value

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection

PATIENCE_SECONDS = 20

_WAITS = "select count(*) from pg_locks where pid = %s and not granted"


@contextmanager
def connect(database: Database) -> Iterator[Connection]:
    """One more connection of the owner's."""
    with psycopg.connect(
        database.owner, autocommit=True, row_factory=dict_row, options="-c statement_timeout=20s"
    ) as connection:
        yield connection


def wait_until_blocked(owner: Connection, connection: Connection) -> None:
    """Returns when the other connection waits for a lock."""
    for _ in range(PATIENCE_SECONDS * 50):
        if value(owner, _WAITS, connection.info.backend_pid):
            return
        owner.execute("select pg_sleep(0.02)")
    pytest.fail("the other connection never waited")


def wait_until_settled_or_blocked(owner: Connection, connection: Connection, future: Future[Any]) -> None:
    """For a wait that must not be, but would be with the fault that the test is about."""
    for _ in range(PATIENCE_SECONDS * 50):
        if future.done() or value(owner, _WAITS, connection.info.backend_pid):
            return
        owner.execute("select pg_sleep(0.02)")
