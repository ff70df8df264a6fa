"""Real parts for the tests: Postgres, the Supabase API, the scripted model server. Nothing of ours is mocked.

database         a database of its own per test with our SQL installed, on Postgres 18 and again on 16
each_database    the same, and once more on 15: for what must be shown on each version
database18       the same, on Postgres 18 alone
empty_database   nothing in it yet, on 18 and again on 16; `each_empty_database` once more on 15
stack            the whole embedded stack without a worker, started once, shared: sign up users of your own in it
idle_stack       the same, with nothing left in it for a worker of your own to take
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from tests.made_once import made_once, shared_folder

if TYPE_CHECKING:
    from agent_runtime.local.postgres import LocalPostgres, Major
    from agent_runtime.local.secrets import Secrets
    from agent_runtime.local.stack import Stack

TEMPLATE = "installed"

LONGEST_FILES = (
    "tests/e2e/test_access_rest.py",
    "tests/e2e/test_doctor.py",
    "tests/e2e/test_up.py",
    "tests/ui/test_files.py",
    "tests/ui/test_task.py",
    "tests/db/test_upgrade.py",
    "tests/hostile/test_browser.py",
    "tests/e2e/test_run_command.py",
    "tests/db/test_bootstrap.py",
    "tests/e2e/test_wheel.py",
    "tests/hostile/test_sandbox_without_root.py",
    "tests/e2e/test_chaos.py",
    "tests/unit/test_find_secrets.py",
    "tests/ui/test_approvals.py",
    "tests/unit/test_bench.py",
    "tests/ui/test_admin.py",
    "tests/unit/test_style.py",
    "tests/e2e/test_fleet.py",
    "tests/ui/test_tasks.py",
    "tests/unit/test_types.py",
    "tests/db/test_access.py",
    "tests/ui/test_live.py",
    "tests/ui/test_sources.py",
    "tests/worker/test_leases.py",
    "tests/ui/test_story.py",
    "tests/worker/test_contract.py",
    "tests/ui/test_session.py",
    "tests/e2e/test_canaries.py",
    "tests/unit/test_tools_documents.py",
    "tests/unit/test_audit.py",
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


# What is collected stays: looking through it for garbage is a seventh of the time that collecting takes.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on there is garbage to look for, among what comes now."""
    gc.freeze()
    gc.enable()


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


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes of the run."""
    return shared_folder(tmp_path_factory)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres18(open_folder: Path, shared: Path) -> AsyncIterator[Cluster]:
    """A Postgres 18 for the session."""
    async with _cluster(open_folder, shared, 18) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres16(open_folder: Path, shared: Path) -> AsyncIterator[Cluster]:
    """A Postgres 16 for the session."""
    async with _cluster(open_folder, shared, 16) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres15(open_folder: Path, shared: Path) -> AsyncIterator[Cluster]:
    """A Postgres 15 for the session, from the system's packages."""
    if not (POSTGRES_15 / "initdb").exists():
        pytest.skip(
            f"no Postgres 15 in {POSTGRES_15}: apt-get install postgresql-15-plpgsql-check, "
            "or name another folder of its programs in POSTGRES_15_PROGRAMS"
        )
    async with _cluster(open_folder, shared, 15, POSTGRES_15) as cluster:
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


StackFolder = Callable[[str], Awaitable[Path]]


@pytest.fixture(scope="session")
def stack_folder(open_folder: Path, shared: Path) -> StackFolder:
    """Makes data folders for stacks, by name: the first start of a stack takes three times as long as the next."""

    async def named(name: str) -> Path:
        await made_once(shared / "stack", open_folder / name, _first_start)
        return open_folder / name

    return named


async def _first_start(folder: Path) -> None:
    from agent_runtime.local.stack import Stack

    async with Stack(folder, look_for_ollama=False, durable=False) as stack:
        # Several that start at once would find the same ports free.
        stack.folder.keep(ports={}, versions={})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(stack_folder: StackFolder) -> AsyncIterator[Stack]:
    """The embedded stack: Postgres 18, the Supabase API, our SQL and the scripted model server; no worker."""
    from agent_runtime.local.stack import Stack

    async with Stack(await stack_folder("stack"), look_for_ollama=False, durable=False) as running:
        yield running


CLEAR_THE_QUEUE = """
update public.tasks set cancel_requested_at = now() where completed_at is null;
update public.tasks set lease_expires_at = '-infinity' where status = 'running';
select public.worker_reap(1000);
"""
"""Ends what other tests left open in the shared database: a worker takes whatever is pending."""


@pytest.fixture
def idle_stack(stack: Stack) -> Stack:
    """The stack, in which nothing is pending or running."""
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(CLEAR_THE_QUEUE)
    return stack


@asynccontextmanager
async def _cluster(folder: Path, shared: Path, major: Major, programs: Path | None = None) -> AsyncIterator[Cluster]:
    where = folder / f"postgres-{major}"

    async def make(new: Path) -> None:
        new.mkdir(mode=0o711)
        async with _running(new, major, programs) as cluster:
            await _install(cluster)

    await made_once(shared / where.name, where, make)
    async with _running(where, major, programs) as cluster:
        yield cluster


async def _install(running: Cluster) -> None:
    from agent_runtime.db import schema
    from agent_runtime.local import cluster

    await cluster.set_up(running.postgres, running.secrets, database=TEMPLATE)
    await asyncio.to_thread(schema.apply, running.database(TEMPLATE).owner)


@asynccontextmanager
async def _running(folder: Path, major: Major, programs: Path | None) -> AsyncIterator[Cluster]:
    from agent_runtime.local import ports, secrets, wheels
    from agent_runtime.local.postgres import LocalPostgres
    from agent_runtime.local.service_user import choose_service_user

    made = secrets.load_or_generate(folder / "secrets.json")
    postgres = LocalPostgres(
        folder / "data",
        port=ports.choose(None, taken=set()),
        password=made.supabase_admin,
        records=folder,
        logs=folder,
        user=choose_service_user(folder / "data"),
        major=major,
        durable=False,
        programs=programs,
    )
    await postgres.initialise()
    await postgres.start()
    try:
        yield Cluster(postgres, made, programs or wheels.postgres(major).path.parent)
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
