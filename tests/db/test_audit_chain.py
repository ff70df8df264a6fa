"""The audit's chains: eight write at once and all of it verifies; whatever a superuser changes afterwards is named."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from agent_runtime.audit import file
from agent_runtime.audit.source import OwnerSource
from tests.conftest import TEMPLATE, cloned
from tests.db import runs
from tests.db.audits import heads_of, tampered, verified
from tests.db.impersonation import many, one, person, value
from tests.db.races import PATIENCE_SECONDS, connect, wait_until_blocked

if TYPE_CHECKING:
    from agent_runtime.audit.records import Head
    from tests.conftest import Cluster, Database
    from tests.db.impersonation import Connection

WRITERS, TENANTS, ROWS = 8, 4, 10_000

WRITE = """
do $$
declare
  v_conversations constant uuid[] := (select array_agg(id order by id) from public.conversations);
begin
  for v_turn in 1..{turns} loop
    update public.conversations set title = 'written by {writer} in turn ' || v_turn
    where id = v_conversations[1 + ({writer} + v_turn) % cardinality(v_conversations)];
    commit;
  end loop;
end
$$
"""


@pytest.fixture(scope="module")
def written(postgres18: Cluster) -> Iterator[Database]:
    """A database with ten thousand audited changes of four tenants, by eight writers at once."""
    for database in cloned(postgres18, TEMPLATE):
        with connect(database) as owner:
            runs.install_probes(owner)
            for number in range(TENANTS):
                runs.submit(owner, runs.sign_up(owner, f"p{number}@example.org"))
        together = Barrier(WRITERS)

        def work(writer: int, database: Database = database, together: Barrier = together) -> None:
            with psycopg.connect(database.owner, autocommit=True) as connection:
                together.wait(PATIENCE_SECONDS)
                connection.execute(WRITE.format(turns=ROWS // WRITERS, writer=writer).encode())

        with ThreadPoolExecutor(WRITERS) as pool:
            for future in [pool.submit(work, writer) for writer in range(WRITERS)]:
                future.result(90)
        yield database


@pytest.fixture(scope="module")
def tenant(written: Database) -> uuid.UUID:
    """One of the four."""
    with psycopg.connect(written.owner, row_factory=dict_row) as owner:
        found: uuid.UUID = value(owner, "select min(tenant_id::text)::uuid from public.conversations")
        return found


@pytest.fixture(scope="module")
def kept(written: Database) -> list[Head]:
    """The heads, as somebody kept them."""
    return heads_of(written)


def test_what_eight_wrote_at_once_verifies(written: Database, kept: list[Head]) -> None:
    verdicts, problems = verified(written.owner, kept=kept)
    assert not problems
    assert len(verdicts) == TENANTS + 1
    assert sum(verdict.rows for verdict in verdicts) >= ROWS
    with psycopg.connect(written.owner, row_factory=dict_row) as owner:
        backwards = (
            "select count(*) from (select created_at < lag(created_at) over (partition by tenant_id order by chain_seq)"
            " as backwards from public.audit_logs) l where backwards"
        )
        assert value(owner, backwards) == 0


SWAP = """
update public.audit_logs l set {set}
from public.audit_logs o
where l.id in (pg_temp.nth(100), pg_temp.nth(101)) and o.id in (pg_temp.nth(100), pg_temp.nth(101)) and o.id <> l.id
"""
COPY = """
insert into public.audit_logs (
  id, action, resource_type, created_at, tenant_id, actor, prev_hash, hash, chain_seq
)
select gen_random_uuid(), 'update', 'users', l.created_at, l.tenant_id, 'user:eve', l.prev_hash, l.hash, {seq}
from public.audit_logs l where l.id = pg_temp.nth({of})
"""
REWRITTEN = "update public.audit_logs set actor = 'user:eve' where id = pg_temp.nth(100);"

TAMPERING: dict[str, tuple[str, str, int | None]] = {
    # What a superuser does, what it is called, and which row is named.
    "changed values": (
        "update public.audit_logs set new_values = '{\"title\": \"x\"}' where id = pg_temp.nth(100)", "forged", 100,
    ),
    "changed actor": (REWRITTEN, "forged", 100),
    "changed time": (
        "update public.audit_logs set created_at = created_at + interval '1 microsecond' where id = pg_temp.nth(100)",
        "forged", 100,
    ),
    "changed, with its hash made anew": (
        REWRITTEN + "update public.audit_logs l set hash = private.audit_hash(prev_hash, private.audit_text(l))"
        " where id = pg_temp.nth(100)",
        "forged", 100,
    ),
    "deleted": ("delete from public.audit_logs where id = pg_temp.nth(100)", "missing", 100),
    "deleted, three": (
        "delete from public.audit_logs where id in (pg_temp.nth(100), pg_temp.nth(101), pg_temp.nth(102))",
        "missing", 100,
    ),
    "deleted, the first": ("delete from public.audit_logs where id = pg_temp.nth(1)", "missing", 1),
    "given to another tenant": (
        "update public.audit_logs set tenant_id = gen_random_uuid() where id = pg_temp.nth(100)", "missing", 100,
    ),
    "put in": (COPY.format(seq=100, of=100), "forged", 100),
    "put in between": (COPY.format(seq=101, of=100), "forged", 101),
    "added behind": (COPY.format(seq="l.chain_seq + 1", of="(select max(chain_seq) from public.audit_logs)"), "", None),
    "numbers exchanged": (SWAP.format(set="chain_seq = o.chain_seq"), "reordered", 100),
    "times exchanged": (SWAP.format(set="created_at = o.created_at"), "reordered", 100),
    "places exchanged": (
        SWAP.format(
            set="chain_seq = o.chain_seq, created_at = o.created_at, prev_hash = o.prev_hash, hash = o.hash"
        ),
        "reordered", 100,
    ),
    "the head gone": (
        "delete from private.audit_heads where chain = current_setting('app.tenant')::uuid", "cut off", None,
    ),
}  # fmt: skip
TAMPERING.pop("added behind")


@pytest.mark.parametrize("how", TAMPERING)
def test_what_a_superuser_changed_is_named(written: Database, tenant: uuid.UUID, how: str) -> None:
    statements, kind, seq = TAMPERING[how]
    with tampered(written, tenant, statements) as (ids, problems):
        problem = problems[tenant].problem
        assert problem is not None
        assert (problem.kind, problem.seq) == (kind, seq), problem
        if kind == "reordered" or (kind == "forged" and "put in" not in how):
            assert problem.id in (ids["100"], ids["101"])
        assert len(problems) == (2 if how == "given to another tenant" else 1)


def test_a_chain_that_was_cut_off_says_from_where_on(written: Database, tenant: uuid.UUID, kept: list[Head]) -> None:
    (last,) = (head.chain_seq for head in kept if head.tenant_id == tenant)
    cut = f"delete from public.audit_logs where id in (pg_temp.nth({last}), pg_temp.nth({last - 1}))"
    with tampered(written, tenant, cut) as (_, problems):
        problem = problems[tenant].problem
        assert problem and (problem.kind, problem.seq) == ("cut off", last - 1)
        assert f"rows {last - 1} to {last}" in problem.says
    # Who takes the head back too is found out by a head that was kept.
    back = f"update private.audit_heads set chain_seq = {last - 2}, hash = prev.hash from (select hash from"
    back += f" public.audit_logs where id = pg_temp.nth({last - 2})) prev where chain = '{tenant}'"
    with tampered(written, tenant, f"{cut}; {back}") as (_, problems):
        assert not problems
    with tampered(written, tenant, f"{cut}; {back}", kept=kept) as (_, problems):
        problem = problems[tenant].problem
        assert problem and (problem.kind, problem.seq) == ("cut off", last)


def test_what_was_added_behind_the_head_is_named(written: Database, tenant: uuid.UUID, kept: list[Head]) -> None:
    (last,) = (head.chain_seq for head in kept if head.tenant_id == tenant)
    added = f"update private.audit_heads set chain_seq = {last - 1} where chain = '{tenant}'"
    with tampered(written, tenant, added) as (_, problems):
        problem = problems[tenant].problem
        assert problem and (problem.kind, problem.seq) == ("forged", last)


def test_a_rebuilt_chain_shows_by_a_head_that_was_kept(written: Database, tenant: uuid.UUID, kept: list[Head]) -> None:
    rebuilt = f"{REWRITTEN} select pg_temp.rebuild(100)"
    with tampered(written, tenant, rebuilt) as (_, problems):
        assert not problems
    with tampered(written, tenant, rebuilt, kept=kept) as (_, problems):
        problem = problems[tenant].problem
        (last,) = (head.chain_seq for head in kept if head.tenant_id == tenant)
        assert problem and (problem.kind, problem.seq) == ("rebuilt", last)
    gone = "delete from public.audit_logs where tenant_id = current_setting('app.tenant')::uuid;"
    gone += "delete from private.audit_heads where chain = current_setting('app.tenant')::uuid"
    with tampered(written, tenant, gone, kept=kept) as (_, problems):
        problem = problems[tenant].problem
        assert problem and problem.kind == "cut off"


async def test_an_export_verifies_without_the_database(written: Database, tenant: uuid.UUID, kept: list[Head]) -> None:
    written_to = io.StringIO()
    with psycopg.connect(written.owner, autocommit=True) as connection:
        source = OwnerSource(connection)
        heads = [head for head in await source.heads() if head.tenant_id == tenant]
        rows = await file.export(source, heads, written_to, on_rows=lambda _: None)
    lines = written_to.getvalue().splitlines()
    assert len(lines) == rows + 1 == heads[0].chain_seq + 1

    def found(lines: list[str], kept: list[Head] | None = None) -> tuple[str, int | None] | None:
        (verdict,) = file.verify_file(lines, kept=kept or [], key=None, on_rows=lambda _: None)
        return (verdict.problem.kind, verdict.problem.seq) if verdict.problem else None

    assert found(lines, kept) is None
    assert found(lines[500:]) is None  # a part verifies as a part
    assert found([*lines[:99], lines[99].replace("written", "forged"), *lines[100:]]) == ("forged", 100)
    assert found([*lines[:99], *lines[100:]]) == ("missing", 100)
    assert found([*lines[:99], lines[100], lines[99], *lines[101:]]) == ("reordered", 100)
    assert found(lines[:-1]) == ("cut off", rows + 1)
    assert found([*lines[:-2], lines[-1]]) == ("cut off", rows)
    other = [head.model_copy(update={"hash": "ab" * 32}) for head in kept]
    assert found(lines, other) == ("rebuilt", rows)
    assert json.loads(json.loads(lines[0])["text"])[0] == str(tenant)


def test_tenants_do_not_wait_for_each_other(database: Database) -> None:
    with connect(database) as owner, connect(database) as alices, connect(database) as bobs:
        runs.install_probes(owner)
        alice, bob = (runs.sign_up(owner, f"{name}@example.org") for name in ("alice", "bob"))
        for user in (alice, bob):
            runs.submit(owner, user)
        change = "update public.conversations set title = 'x' where user_id = %s"
        with ThreadPoolExecutor(1) as pool:
            with alices.transaction():
                alices.execute(change, [alice])
                alices.execute("select private.write_audit()")
                # Alice's chain is hers until she commits; Bob's is another.
                bobs.execute(change, [bob])
                waiting = pool.submit(bobs.execute, "update public.users set full_name = 'x' where id = %s", [alice])
                wait_until_blocked(owner, bobs)
            waiting.result(PATIENCE_SECONDS)
        # Without that, a chain is held for no longer than the commit takes.
        with alices.transaction():
            alices.execute(change, [alice])
            bobs.execute("update public.users set full_name = 'y' where id = %s", [alice])
    assert not verified(database.owner)[1]


def test_claims_over_many_tenants_do_not_wait_in_circles(database18: Database) -> None:
    with connect(database18) as owner:
        runs.install_probes(owner)
        people = [runs.sign_up(owner, f"p{i}@example.org") for i in range(8)]
        for user in people:
            for _ in range(6):
                runs.submit(owner, user)
        workers = [uuid.uuid4() for _ in range(8)]
        for worker in workers:
            runs.register(owner, worker)
    together = Barrier(8)

    def work(worker: uuid.UUID) -> int:
        taken = 0
        with connect(database18) as connection:
            together.wait(PATIENCE_SECONDS)
            while batch := runs.claim(connection, 6, worker=worker):
                taken += len(batch)
                for task in batch:
                    runs.settle(connection, task)
        return taken

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, workers)) == 48
    assert not verified(database18.owner)[1]


def test_who_acts_is_known_when_the_transaction_ends(database: Database) -> None:
    with connect(database) as owner:
        alice = runs.sign_up(owner, "alice@example.org")
        last = "select actor, user_id from public.audit_logs where resource_type = 'users'"
        last += " order by created_at desc limit 1"
        with owner.transaction():
            owner.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": str(alice)})])
            owner.execute("set local role authenticated")
            owner.execute("update public.users set full_name = 'A' where id = %s", [alice])
        assert one(owner, last) == {"actor": f"user:{alice}", "user_id": alice}
        with owner.transaction():
            owner.execute("set local role service_role")
            owner.execute("update public.users set full_name = 'B' where id = %s", [alice])
        assert one(owner, last)["actor"] == "role:service_role"
        owner.execute("update public.users set full_name = 'C'")
        assert one(owner, last)["actor"] == "role:postgres"
        # Several in one transaction, each of whom is asked before the next.
        with owner.transaction():
            with person(owner, alice):
                owner.execute("update public.users set full_name = 'D' where id = %s", [alice])
                owner.execute("reset role")
                owner.execute("select private.write_audit()")
            owner.execute("update public.users set full_name = 'E'")
        actors = [row["actor"] for row in many(owner, last.replace("limit 1", "limit 2"))]
        assert actors == ["role:postgres", f"user:{alice}"]


def test_a_transaction_of_thousands_of_changes_stays_quick(database18: Database) -> None:
    with connect(database18) as owner:
        runs.install_probes(owner)
        runs.submit(owner, runs.sign_up(owner, "alice@example.org"))
        change = (
            "insert into public.conversations (title, user_id, agent_id)"
            " select 'x', (select id from public.users), (select id from public.agents where name = 'Prober')"
            " from generate_series(1, 2000)"
        )
        owner.execute(change)
        # Each leaves a version of the head behind, and none goes through those of the others.
        reads = one(
            owner,
            "select idx_tup_fetch, seq_tup_read from pg_stat_user_tables where relname = 'audit_heads'",
        )
        assert reads["seq_tup_read"] < 10_000
    assert not verified(database18.owner)[1]


def test_the_worker_and_the_service_key_reach_no_chain(connection: Connection) -> None:
    tables = [
        row["name"]
        for row in many(
            connection,
            "select oid::regclass::text as name from pg_class"
            " where relkind in ('r', 'p') and relnamespace = 'private'::regnamespace and relname ~ '^audit'",
        )
    ]
    assert len(tables) >= 8
    for role in ("anon", "authenticated", "service_role", "agent_worker"):
        for table in tables:
            assert not value(connection, "select has_table_privilege(%s, %s, 'select')", role, table), (role, table)
