"""Installing as hosted Supabase's `postgres`, which is no superuser, beside what Supabase owns."""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.conftest import cloned
from tests.db import runs
from tests.db.impersonation import DENIED, acting_as, many, one, person, refused, value
from tests.db.programs import BOOTSTRAP, as_hosted, dump, psql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cluster, Database
    from tests.db.impersonation import Connection


@pytest.fixture(scope="module")
def template() -> Iterator[Callable[[Cluster], str]]:
    """The name of a database as hosted Supabase hands it over with our SQL installed; made once per cluster."""
    made: dict[int, str] = {}
    with ExitStack() as dropped:

        def on(cluster: Cluster) -> str:
            if cluster.postgres.major not in made:
                database = dropped.enter_context(contextmanager(cloned)(cluster, "template1"))
                as_hosted(database)
                finished = psql(database, "-f", str(BOOTSTRAP))
                assert finished.returncode == 0, finished.stderr
                made[cluster.postgres.major] = database.name
            return made[cluster.postgres.major]

        yield on


@pytest.fixture
def superuser(each_cluster: Cluster, template: Callable[[Cluster], str]) -> Iterator[Connection]:
    with (
        contextmanager(cloned)(each_cluster, template(each_cluster)) as database,
        psycopg.connect(database.superuser, autocommit=True, row_factory=dict_row) as connection,
    ):
        yield connection


def sign_up(superuser: Connection, email: str) -> uuid.UUID:
    """As Supabase Auth does it."""
    user = uuid.uuid4()
    with superuser.transaction():
        superuser.execute("set local role supabase_auth_admin")
        superuser.execute("set local search_path = auth")
        superuser.execute("insert into users (id, email) values (%s, %s)", [user, email])
    return user


def test_it_installs_twice_and_touches_nothing_of_supabases_but_by_triggers_and_policies(hosted: Database) -> None:
    theirs = "-n", "auth", "-n", "storage"
    before = Counter(dump(hosted, *theirs).splitlines())
    assert psql(hosted, "-f", str(BOOTSTRAP)).returncode == 0
    once = dump(hosted)
    after = Counter(dump(hosted, *theirs).splitlines())
    assert before - after == Counter()
    verbs = "CREATE ", "ALTER ", "GRANT ", "REVOKE "
    begun = [line.split(" ")[:3] for line in after - before if line.startswith(verbs)]
    assert sorted(" ".join(words) for words in begun) == [
        'CREATE POLICY "agent-files:',
        'CREATE POLICY "agent-files:',
        'CREATE POLICY "agent-files:',
        'CREATE POLICY "agent-files:',
        "CREATE TRIGGER agent_runtime_account_deleted",
        "CREATE TRIGGER agent_runtime_new_email",
        "CREATE TRIGGER agent_runtime_no_truncate",
        "CREATE TRIGGER agent_runtime_sign_in",
        "CREATE TRIGGER agent_runtime_sign_up",
    ]
    assert psql(hosted, "-f", str(BOOTSTRAP)).returncode == 0
    assert dump(hosted) == once


def test_a_sign_up_by_supabase_auth_gets_its_profile(superuser: Connection) -> None:
    user = sign_up(superuser, "ana@example.org")
    profile = one(superuser, "select username, role, is_active from public.users where id = %s", user)
    assert profile == {"username": "ana", "role": "user", "is_active": True}
    with superuser.transaction():
        superuser.execute("set local role supabase_auth_admin")
        superuser.execute("set local search_path = auth")
        superuser.execute("update users set email = 'new@example.org'")
    assert value(superuser, "select email from public.users") == "new@example.org"
    with superuser.transaction():
        superuser.execute("set local role supabase_auth_admin")
        superuser.execute("delete from auth.users")
    assert value(superuser, "select count(*) from public.users") == 0


def test_a_confirmed_address_is_let_in_where_it_is_invited(superuser: Connection) -> None:
    admin = sign_up(superuser, "ana@example.org")
    superuser.execute("update public.users set role = 'admin'")
    with person(superuser, admin):
        superuser.execute("select public.invite_user('ben@example.org', 'viewer')")
    user = sign_up(superuser, "ben@example.org")
    role = "select role from public.users where id = %s"
    assert value(superuser, role, user) == "user"
    with superuser.transaction():
        superuser.execute("set local role supabase_auth_admin")
        superuser.execute("set local search_path = auth")
        superuser.execute("update users set email_confirmed_at = now() where id = %s", [user])
    assert value(superuser, role, user) == "viewer"


def test_the_default_privileges_are_taken_back(superuser: Connection) -> None:
    rights = many(
        superuser,
        """
        select c.relname, r.rolname, p.verb
        from pg_class c, unnest(array['anon', 'authenticated']) r (rolname),
          unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p (verb)
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
          and has_table_privilege(r.rolname, c.oid, p.verb)
        """,
    )
    assert {(row["rolname"], row["verb"]) for row in rights} == {
        ("authenticated", "INSERT"), ("authenticated", "UPDATE"), ("authenticated", "DELETE")
    }  # fmt: skip
    assert {row["relname"] for row in rights if row["verb"] == "DELETE"} == {"agents"}
    functions = (
        "select proname from pg_proc"
        " where pronamespace = 'public'::regnamespace and has_function_privilege('anon', oid, 'execute')"
    )
    assert many(superuser, functions) == []
    sequences = (
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and case when relkind = 'S' then has_sequence_privilege('authenticated', oid, 'usage, select, update') end"
    )
    assert many(superuser, sequences) == []


def test_a_task_runs_from_its_submission_to_its_end(superuser: Connection) -> None:
    runs.install_probes(superuser)
    runs.register(superuser)
    task = runs.running(superuser, sign_up(superuser, "ana@example.org"))
    runs.executed(superuser, task, 1)
    runs.settle(superuser, task)
    assert runs.task_row(superuser, task)["status"] == "completed"


def test_bytes_are_read_by_whom_the_file_is_for(superuser: Connection) -> None:
    runs.install_probes(superuser)
    runs.register(superuser)
    ana, bob = (sign_up(superuser, f"{name}@example.org") for name in ("ana", "bob"))
    assert one(superuser, "select id, public from storage.buckets") == {"id": "agent-files", "public": False}
    task = runs.running(superuser, ana)
    path = f"{task['tenant_id']}/{task['id']}/report.md"
    with acting_as(superuser, "service_role"):
        superuser.execute("insert into storage.objects (bucket_id, name) values ('agent-files', %s)", [path])
    read = "select count(*) from storage.objects"
    operation = "select set_config('storage.operation', %s, false)"
    superuser.execute(operation, ["storage.object.get_authenticated"])
    with person(superuser, ana):
        assert value(superuser, read) == 0
    file = {"filename": "report.md", "file_path": path, "file_size": 1, "mime_type": "x"}
    runs.executed(superuser, task, 1, files=[file])
    with person(superuser, ana):
        assert value(superuser, read) == 1
    with person(superuser, bob):
        assert value(superuser, read) == 0
    with acting_as(superuser, "anon"):
        assert value(superuser, read) == 0
    # A signed URL would outlive the right to read; and where Storage does not say what it does, it could be one.
    for signing in ("storage.object.sign", "storage.object.sign_many", "storage.object.sign_upload_url", ""):
        superuser.execute(operation, [signing])
        with person(superuser, ana):
            assert value(superuser, read) == 0
        with refused(DENIED, "row-level security"), person(superuser, ana):
            superuser.execute(
                "insert into storage.objects (bucket_id, name, owner_id) values ('agent-files', %s, %s)",
                [f"{task['tenant_id']}/{uuid.uuid4()}/a.csv", str(ana)],
            )
    superuser.execute(operation, ["storage.object.upload"])

    upload = "insert into storage.objects (bucket_id, name, owner_id) values (%s, %s, %s)"
    for bucket, name in (("agent-files", path + "2"), ("agent-files", "x"), ("elsewhere", path)):
        with refused(DENIED, "row-level security"), person(superuser, bob):
            superuser.execute(upload, [bucket, name, str(bob)])
    with person(superuser, ana):
        mine = f"{task['tenant_id']}/{uuid.uuid4()}/a.csv"
        superuser.execute(upload, ["agent-files", mine, str(ana)])
        assert value(superuser, read) == 2
    for statement in ("update storage.objects set name = 'x'", "delete from storage.objects"):
        with person(superuser, ana):
            assert superuser.execute(statement).rowcount == 0
