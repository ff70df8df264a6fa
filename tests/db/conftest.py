"""A database that a module shares, and a connection whose changes go away with the test.

shared_database   one clone per module, on Postgres 18 and again on 16: for tests that change nothing, or roll back
connection        its owner's connection, in a transaction that is rolled back at the end
hosted            a database as hosted Supabase hands it over, without our SQL, on Postgres 18, 16 and 15
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.conftest import TEMPLATE, cloned
from tests.db.programs import as_hosted

if TYPE_CHECKING:
    from tests.conftest import Cluster, Database
    from tests.db.impersonation import Connection


@pytest.fixture(scope="module", params=[18, 16], ids=["pg18", "pg16"])
def shared_cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each of the two in turn, for a whole module."""
    found: Cluster = request.getfixturevalue(f"postgres{request.param}")
    return found


@pytest.fixture(scope="module")
def shared_database(shared_cluster: Cluster) -> Iterator[Database]:
    """A database of this module, with our SQL installed."""
    yield from cloned(shared_cluster, TEMPLATE)


@pytest.fixture(scope="module")
def shared_connection(shared_database: Database) -> Iterator[Connection]:
    """The owner's connection, open for the module."""
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def connection(shared_connection: Connection) -> Iterator[Connection]:
    """The owner's connection, in a transaction that is rolled back."""
    with shared_connection.transaction(force_rollback=True):
        # It never commits, so what is done at the end of a transaction is done at once: the audit.
        shared_connection.execute("set constraints all immediate")
        yield shared_connection


@pytest.fixture
def hosted(each_empty_database: Database) -> Database:
    """What Supabase owns and grants is there; installing is the test's."""
    as_hosted(each_empty_database)
    return each_empty_database
