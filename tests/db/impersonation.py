"""Acting in the database as a person, as a key or as a worker, the way the API does it: a role and a token's claims."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
import pytest
from psycopg import sql

Row = dict[str, Any]
Connection = psycopg.Connection[Row]
Role = Literal["anon", "authenticated", "service_role", "agent_worker"]

DENIED = "42501"
LEASE_LOST, NOT_FOUND, WRONG_STATE, UNAPPROVED, INVALID, LIMIT = "AR001", "AR002", "AR003", "AR004", "AR005", "AR006"


@contextmanager
def acting_as(connection: Connection, role: Role, user: uuid.UUID | None = None) -> Iterator[None]:
    """Inside, statements run as the role, with the claims of a token of that user."""
    claims = json.dumps({"sub": str(user), "role": role}) if user else ""
    with connection.transaction():
        connection.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true)",
            [claims, str(user) if user else ""],
        )
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        yield
        # After an error the savepoint takes these back itself.
        connection.execute("reset role")
        connection.execute(
            "select set_config('request.jwt.claims', '', true), set_config('request.jwt.claim.sub', '', true)"
        )


@contextmanager
def person(connection: Connection, user: uuid.UUID) -> Iterator[None]:
    """Signed in as this user."""
    with acting_as(connection, "authenticated", user):
        yield


@contextmanager
def refused(sqlstate: str, match: str | None = None) -> Iterator[None]:
    """The statement inside must be refused with this SQLSTATE, for a reason that matches."""
    with pytest.raises(psycopg.Error, match=match) as caught:
        yield
    assert caught.value.sqlstate == sqlstate, caught.value


def one(connection: Connection, statement: str, *parameters: object) -> Row:
    """The only row of a result."""
    rows = many(connection, statement, *parameters)
    assert len(rows) == 1, rows
    return rows[0]


def many(connection: Connection, statement: str, *parameters: object) -> list[Row]:
    """All rows of a result."""
    return connection.execute(statement, parameters).fetchall()


def value(connection: Connection, statement: str, *parameters: object) -> Any:
    """The only column of the only row."""
    (found,) = one(connection, statement, *parameters).values()
    return found


def affected(connection: Connection, statement: str, *parameters: object) -> int:
    """How many rows a statement changed."""
    return connection.execute(statement, parameters).rowcount
