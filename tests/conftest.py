"""Real parts for the tests: Postgres, the Supabase API, the scripted model server. Nothing of ours is mocked.

database         a database of its own per test with our SQL installed, on Postgres 18 and again on 16
each_database    the same, and once more on 15: for what must be shown on each version
database18       the same, on Postgres 18 alone
empty_database   nothing in it yet, on 18 and again on 16; `each_empty_database` once more on 15
stack            the whole embedded stack without a worker, started once, shared: sign up users of your own in it
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

if TYPE_CHECKING:
    from agent_runtime.local.postgres import LocalPostgres, Major
    from agent_runtime.local.secrets import Secrets
    from agent_runtime.local.stack import Stack

TEMPLATE = "installed"

LONGEST_FILES = (
    "tests/ui/test_files.py",
    "tests/ui/test_story.py",
    "tests/ui/test_admin.py",
    "tests/ui/test_task.py",
    "tests/ui/test_session.py",
    "tests/ui/test_approvals.py",
    "tests/ui/test_live.py",
    "tests/e2e/test_access_rest.py",
    "tests/e2e/test_chaos.py",
    "tests/unit/test_find_secrets.py",
    "tests/e2e/test_up.py",
    "tests/unit/test_bench.py",
    "tests/unit/test_style.py",
)
"""Of these a process gets one first: whoever got one last would work alone at the end. The rest go by their number of
tests, the most first."""

MEMORY_BYTES = 8 << 30

POSTGRES_15 = Path(os.environ.get("POSTGRES_15_PROGRAMS", "/usr/lib/postgresql/15/bin"))
"""No wheel carries Postgres 15; Debian's packages do, and plpgsql_check with it."""


@dataclass(frozen=True)
class Database:
    """A database of one test, as connection strings of the roles that use it."""

    name: str
    major: int
    owner: str
    """As `postgres`, which owns everything and is no superuser, as on hosted Supabase."""
    worker: str
    """As `agent_worker`."""
    superuser: str
    """As `supabase_admin`: to look where nobody else may."""
    programs: Path
    """The folder with `psql` and `pg_dump` of its version."""


@dataclass(frozen=True)
class Cluster:
    """A running Postgres with our roles and a template that has our SQL installed."""

    postgres: LocalPostgres
    secrets: Secrets
    programs: Path

    def database(self, name: str) -> Database:
        from agent_runtime.local import cluster
        from agent_runtime.local.postgres import SUPERUSER

        conninfo = self.postgres.conninfo
        return Database(
            name=name,
            major=self.postgres.major,
            owner=conninfo(cluster.OWNER, self.secrets.postgres, name),
            worker=conninfo(cluster.WORKER, self.secrets.agent_worker, name),
            superuser=conninfo(SUPERUSER, self.secrets.supabase_admin, name),
            programs=self.programs,
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files in the order in which the processes are to get them."""
    files = [item.nodeid.partition("::")[0] for item in items]
    count = Counter(files)
    first = {name: rank - len(LONGEST_FILES) for rank, name in enumerate(LONGEST_FILES)}
    # Stable, and by name where two have as many: every process collects the same order.
    order = sorted(range(len(items)), key=lambda n: (first.get(files[n], 0), -count[files[n]], files[n]))
    items[:] = [items[n] for n in order]


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder for the session that the unprivileged user of the stack can enter; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="agent-runtime-tests-", dir=_memory()))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """Where files are kept in memory, if there is enough: making and dropping a database takes half the CPU there."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and shutil.disk_usage(shared).free > MEMORY_BYTES else None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres18(open_folder: Path) -> AsyncIterator[Cluster]:
    """A Postgres 18 for the session."""
    async with _cluster(open_folder, 18) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres16(open_folder: Path) -> AsyncIterator[Cluster]:
    """A Postgres 16 for the session."""
    async with _cluster(open_folder, 16) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres15(open_folder: Path) -> AsyncIterator[Cluster]:
    """A Postgres 15 for the session, from the system's packages."""
    if not (POSTGRES_15 / "initdb").exists():
        pytest.skip(
            f"no Postgres 15 in {POSTGRES_15}: apt-get install postgresql-15-plpgsql-check, "
            "or name another folder of its programs in POSTGRES_15_PROGRAMS"
        )
    async with _cluster(open_folder, 15, POSTGRES_15) as cluster:
        yield cluster


@pytest.fixture(params=[18, 16], ids=["pg18", "pg16"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each of the two in turn."""
    found = request.getfixturevalue(f"postgres{request.param}")
    assert isinstance(found, Cluster)
    return found


@pytest.fixture(params=[18, 16, 15], ids=["pg18", "pg16", "pg15"])
def each_cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each version that is supported at its oldest, its middle and its newest, in turn."""
    found = request.getfixturevalue(f"postgres{request.param}")
    assert isinstance(found, Cluster)
    return found


@pytest.fixture
def oldest_cluster(request: pytest.FixtureRequest) -> Cluster:
    """The oldest version that this machine has programs of: 15, else 16."""
    found = request.getfixturevalue("postgres15" if (POSTGRES_15 / "initdb").exists() else "postgres16")
    assert isinstance(found, Cluster)
    return found


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A database of this test alone, with our SQL installed."""
    yield from cloned(cluster, TEMPLATE)


@pytest.fixture
def each_database(each_cluster: Cluster) -> Iterator[Database]:
    """The same, on Postgres 18, 16 and 15."""
    yield from cloned(each_cluster, TEMPLATE)


@pytest.fixture
def database18(postgres18: Cluster) -> Iterator[Database]:
    """The same, on Postgres 18 alone."""
    yield from cloned(postgres18, TEMPLATE)


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Database]:
    """A database of this test alone, with nothing in it; the roles of the cluster are there."""
    yield from cloned(cluster, "template1")


@pytest.fixture
def each_empty_database(each_cluster: Cluster) -> Iterator[Database]:
    """The same, on Postgres 18, 16 and 15."""
    yield from cloned(each_cluster, "template1")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(open_folder: Path) -> AsyncIterator[Stack]:
    """The embedded stack: Postgres 18, the Supabase API, our SQL and the scripted model server; no worker."""
    from agent_runtime.local.stack import Stack

    async with Stack(open_folder / "stack", look_for_ollama=False, durable=False) as running:
        yield running


@asynccontextmanager
async def _cluster(folder: Path, major: Major, programs: Path | None = None) -> AsyncIterator[Cluster]:
    from agent_runtime.db import schema
    from agent_runtime.local import cluster, ports, secrets, wheels
    from agent_runtime.local.postgres import LocalPostgres
    from agent_runtime.local.service_user import choose_service_user

    made = secrets.generate()
    logs = folder / f"postgres-{major}"
    logs.mkdir(mode=0o711)
    postgres = LocalPostgres(
        logs / "data",
        port=ports.choose(None, taken=set()),
        password=made.supabase_admin,
        records=logs,
        logs=logs,
        user=choose_service_user(logs / "data"),
        major=major,
        durable=False,
        programs=programs,
    )
    await postgres.initialise()
    await postgres.start()
    try:
        await cluster.set_up(postgres, made, database=TEMPLATE)
        running = Cluster(postgres, made, programs or wheels.postgres(major).path.parent)
        await asyncio.to_thread(schema.apply, running.database(TEMPLATE).owner)
        yield running
    finally:
        await postgres.stop()


def cloned(running: Cluster, template: str) -> Iterator[Database]:
    """A database made from a template, dropped afterwards."""
    from agent_runtime.local import cluster

    name = f"test_{uuid.uuid4().hex}"
    superuser = running.postgres.superuser_conninfo

    with psycopg.connect(superuser, autocommit=True) as connection:
        for statement in cluster.database_statements(name, template=template, strategy="file_copy"):
            connection.execute(statement)
    yield running.database(name)
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
