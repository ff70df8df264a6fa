"""The audit is complete, append-only for everybody, and kept by month; a month is retired with a signed stub."""

from __future__ import annotations

import base64
import gzip
import uuid
from datetime import date
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from agent_runtime.audit.key import AuditKey
from agent_runtime.audit.retire import ChainBroken, retire
from agent_runtime.db import schema
from agent_runtime.errors import InvalidInput, NotFound
from tests.conftest import cloned
from tests.db import runs
from tests.db.audits import found_by, heads_of, months, verified
from tests.db.impersonation import DENIED, acting_as, many, one, person, refused, value
from tests.db.races import connect
from tests.db.test_upgrade import VERSION_2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cluster, Database
    from tests.db.impersonation import Connection

NOT_AUDITED = {
    "public.audit_logs": "it is the audit",
    "private.audit_heads": "part of the audit's chain",
    "private.audit_stubs": "made by retiring a month, which is on record",
    "public.task_events": "made of audited changes, by triggers",
    "private.schema_version": "that a version was installed is an event of its own",
    "private.acting": "rows live as long as their transaction",
    "private.executed_statements": "the call that executed it is audited",
    "private.sealed_credentials": "ciphertexts, of credentials that are audited",
    "private.duties": "when workers last did what they do all the time",
    "private.family_news": "what a task is to hear of its children; what becomes of it is audited",
    "private.vault_keys": "names of keys, of no use without them",
}


def nothing(_rows: int) -> None:
    pass


def test_every_table_is_audited_or_says_why_not(connection: Connection) -> None:
    tables = many(
        connection,
        "select n.nspname || '.' || c.relname as name, exists ("
        "  select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'audit' and t.tginitdeferred"
        ") as audited"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p') and n.nspname in ('public', 'private') and not c.relispartition",
    )
    assert not {row["name"] for row in tables if not row["audited"]} - set(NOT_AUDITED)
    assert sum(row["audited"] for row in tables) >= 13


def test_nobody_changes_what_is_on_record(connection: Connection) -> None:
    runs.sign_up(connection, "alice@example.org")
    audit = [f"private.{name}" for name in months(connection)] + ["public.audit_logs"]
    connection.execute(
        "grant usage on schema private to service_role;"
        " grant all on all tables in schema public, private to service_role"
    )
    for role in (None, "service_role"):
        for table in (*audit, "private.audit_heads", "private.audit_stubs"):
            for statement in (
                "truncate {}", "truncate only {}" if table != "public.audit_logs" else "truncate {} cascade",
            ):  # fmt: skip
                _is_refused(connection, role, statement.format(table))
        for table in ("public.audit_logs", "private.audit_heads", *(t for t in audit if _has_rows(connection, t))):
            _is_refused(connection, role, f"delete from {table}")
            _is_refused(connection, role, f"update {table} set hash = hash")
        for table in audit:
            _is_refused(
                connection, role,
                f"insert into {table} (action, resource_type, actor, created_at, prev_hash, hash, chain_seq, id)"
                " select action, resource_type, actor, created_at, prev_hash, hash, chain_seq, gen_random_uuid()"
                f" from {table} union all select 'x', 'x', 'x', now(), '', '', 1, gen_random_uuid() limit 1",
            )  # fmt: skip
        _is_refused(connection, role, "insert into private.audit_heads values (gen_random_uuid(), 1, now(), '', '')")
    with refused(DENIED), connection.transaction():
        connection.execute("select private.append_audit(null, null, 'x', 'x', 'x', null, null, null, null, null, true)")


def _has_rows(connection: Connection, table: str) -> bool:
    return bool(value(connection, f"select exists (select from {table})"))


def _is_refused(connection: Connection, role: str | None, statement: str) -> None:
    with pytest.raises(psycopg.Error) as caught, connection.transaction():  # noqa: PT012
        if role:
            connection.execute(f"set local role {role}")
        connection.execute(statement.encode())
    # A row that is sent to a partition that is not its own gets no further either.
    assert caught.value.sqlstate in (DENIED, "23514"), (statement, caught.value)


def test_an_account_goes_and_its_entries_stay_and_verify(database: Database) -> None:
    with connect(database) as owner:
        alice, bob = (runs.sign_up(owner, f"{name}@example.org") for name in ("alice", "bob"))
        with person(owner, alice):
            owner.execute("update users set full_name = 'Alice' where id = auth.uid()")
            owner.execute("select set_config('role', 'none', true)")
            owner.execute("select private.write_audit()")
        assert value(owner, "select count(*) from audit_logs where user_id = %s", alice) == 1
        owner.execute("delete from auth.users where id = %s", [alice])
        kept = one(owner, "select user_id, actor from audit_logs where actor = %s", f"user:{alice}")
        assert kept == {"user_id": None, "actor": f"user:{alice}"}
        with refused(DENIED):
            owner.execute("update audit_logs set user_id = null where user_id is null")
        assert value(owner, "select count(*) from users where id = %s", bob) == 1
    assert not verified(database.owner)[1]


def test_a_move_is_in_the_chains_of_both_tenants(connection: Connection) -> None:
    alice, bob = (runs.sign_up(connection, f"{name}@example.org") for name in ("alice", "bob"))
    tenant = "select tenant_id from users where id = %s"
    left, joined = value(connection, tenant, bob), value(connection, tenant, alice)
    connection.execute("update users set tenant_id = %s where id = %s", [joined, bob])
    told = many(connection, "select tenant_id from audit_logs where resource_id = %s and action = 'update'", bob)
    assert {row["tenant_id"] for row in told} == {left, joined}


def test_a_sign_in_is_on_record_and_never_kept_waiting(database18: Database) -> None:
    with connect(database18) as owner, connect(database18) as other:
        alice = runs.sign_up(owner, "alice@example.org")
        sign_in = "update auth.users set last_sign_in_at = clock_timestamp()"
        owner.execute(sign_in)
        found = "select actor, resource_type, resource_id from public.audit_logs where action = 'sign_in'"
        assert one(owner, found) == {"actor": f"user:{alice}", "resource_type": "users", "resource_id": alice}
        with other.transaction():
            # Somebody holds the chain, and does not let go.
            other.execute("update public.users set full_name = 'x'")
            other.execute("select private.write_audit()")
            owner.execute(sign_in)
        assert len(many(owner, found)) == 1
        owner.execute("alter table private.audit_events rename to elsewhere")
        owner.execute(sign_in)


def test_switching_the_audit_is_always_on_record(database18: Database) -> None:
    switch = "update system_config set config_value = %s where config_key = 'enable_audit_logging'"
    with connect(database18) as owner:
        runs.sign_up(owner, "alice@example.org")
        with owner.transaction():
            owner.execute("update users set full_name = 'before'")
            owner.execute(switch, ["false"])
            owner.execute("update users set full_name = 'after'")
        owner.execute("update users set full_name = 'off'")
        owner.execute(switch, ["true"])
        told = many(
            owner,
            "select coalesce(new_values ->> 'full_name', new_values ->> 'config_value') as told from audit_logs"
            " where action = 'update' and resource_type <> 'tools' order by created_at",
        )
        assert [row["told"] for row in told] == ["before", "false", "true"]
    assert not verified(database18.owner)[1]


def test_installing_is_on_record(connection: Connection) -> None:
    (entry,) = many(connection, "select * from audit_logs where action = 'install'")
    assert (entry["new_values"], entry["tenant_id"]) == ({"version": schema.SCHEMA_VERSION}, None)


def test_what_our_functions_tell_is_masked_and_names_who(connection: Connection) -> None:
    alice = runs.sign_up(connection, "alice@example.org")
    connection.execute(
        "select private.audit_event('read', 'credentials', %s, %s, null)",
        [alice, '{"name": "GITHUB", "token": "hunter2"}'],
    )
    entry = one(connection, "select * from audit_logs where action = 'read'")
    assert (entry["new_values"], entry["actor"]) == ({"name": "GITHUB", "token": "***"}, "role:postgres")
    assert value(connection, "select count(*) from private.audit_events") == 0
    with acting_as(connection, "service_role"), refused(DENIED), connection.transaction():
        connection.execute("select private.audit_event('read', 'credentials', null, null, null)")


SECRETS = {
    "postgresql://u:hunter2@h/db": "postgresql://u:***@h/db",
    "host=h password=hunter2 dbname=d": "host=h password=*** dbname=d",
    "Authorization: Bearer hunter2.abc": "Authorization: Bearer ***",
    "curl -H 'authorization: Basic hunter2'": "curl -H 'authorization: Basic ***'",
    "use bearer hunter2hunter2 here": "use bearer *** here",
    'say {"apiKey": "hunter2", "n": 1}': 'say {"apiKey": "***", "n": 1}',
    "https://h/?token=hunter2&page=2": "https://h/?token=***&page=2",
    "eyJhbGciOiJIUzI1NiJ9.hunter2.sig": "***",
    "key sb_secret_hunter2hunter2": "key ***",
    f"-----BEGIN {'PRIVATE'} KEY-----\nhunter2\n-----END PRIVATE KEY-----": f"-----BEGIN {'PRIVATE'} KEY-----***",
    "redis://:hunter2@h": "redis://:***@h",
}  # fmt: skip


def test_secrets_within_any_text_are_masked(connection: Connection) -> None:
    for text, masked in SECRETS.items():
        for nested in ('"x"', '["x"]', '{"a": [{"b": "x"}]}'):
            shown = value(
                connection,
                "select replace(private.masked(replace(%s, '\"x\"', to_jsonb(%s::text)::text)::jsonb)::text, 'x', 'x')",
                nested, text,
            )  # fmt: skip
            assert "hunter2" not in shown, text
        assert value(connection, "select private.masked(to_jsonb(%s::text)) #>> '{}'", text) == masked
    for text in ("max_tokens: 7", "see https://example.org:443/a and write", "a task", "the key question"):
        assert value(connection, "select private.masked(to_jsonb(%s::text)) #>> '{}'", text) == text


# -- months ------------------------------------------------------------------------------------------------------


def test_months_are_made_ahead_and_none_is_needed(database: Database) -> None:
    with connect(database) as owner:
        made = months(owner)
        assert len(made) == 5
        for name in made[1:4]:
            owner.execute(sql.SQL("drop table private.{}").format(sql.Identifier(name)))
        runs.register(owner)
        runs.reap(owner)
        assert months(owner) == made
    with psycopg.connect(database.superuser, autocommit=True) as superuser:
        # The clock of a chain never goes back: so this is the year 2031.
        superuser.execute("set session_replication_role = replica")
        superuser.execute("update private.audit_heads set created_at = '2031-05-05 UTC'")
    with connect(database) as owner:
        owner.execute("update system_config set config_value = '7' where config_key = 'session_timeout'")
        assert value(owner, "select count(*) from private.audit_logs_rest") == 1
        owner.execute("select private.make_audit_month('2031-05-09')")
        assert value(owner, "select count(*) from private.audit_logs_2031_05") == 1
        assert value(owner, "select count(*) from private.audit_logs_rest") == 0
        with refused(DENIED):
            owner.execute("truncate private.audit_logs_2031_05")
    assert not verified(database.owner)[1]


KEY = AuditKey(base64.b64decode("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="))
OTHER_KEY = AuditKey(bytes(32))


@pytest.fixture
def old(postgres18: Cluster) -> Iterator[Database]:
    """A database of version 2 with an audit of three months, upgraded."""
    for database in cloned(postgres18, "template1"):
        with psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as owner:
            owner.execute(gzip.decompress(VERSION_2.read_bytes()))
            alice = runs.sign_up(owner, "alice@example.org")
            owner.execute(
                "insert into public.audit_logs"
                " (user_id, actor, action, resource_type, created_at, tenant_id, new_values)"
                " select case when mod(n, 3) = 0 then %s::uuid end, 'user:x', 'update', 'users',"
                "  make_timestamptz(2026, 1 + n / 40, 1 + mod(n, 40) / 4, 12, 0, 0, 'UTC'),"
                "  case when mod(n, 4) > 0 then (select tenant_id from public.users) end, jsonb_build_object('n', n)"
                " from generate_series(0, 119) n",
                [alice],
            )
        schema.apply(database.owner)
        yield database


def test_the_audit_of_version_2_is_kept_and_chained(old: Database) -> None:
    verdicts, problems = verified(old.owner)
    assert not problems
    with connect(old) as owner:
        before = many(
            owner,
            "select (new_values ->> 'n')::int as n, chain_seq, tenant_id, user_id from public.audit_logs"
            " where actor = 'user:x' order by tenant_id, chain_seq",
        )
        assert sorted(row["n"] for row in before) == list(range(120))
        assert sum(row["user_id"] is not None for row in before) == 40
        for tenant in {row["tenant_id"] for row in before}:
            told = [row["n"] // 4 for row in before if row["tenant_id"] == tenant]
            assert told == sorted(told)
        assert set(months(owner)) >= {"audit_logs_2026_01", "audit_logs_2026_02", "audit_logs_2026_03"}
        assert value(owner, "select to_regclass('private.audit_logs_before_3') is null")
        assert sum(verdict.rows for verdict in verdicts) == value(owner, "select count(*) from public.audit_logs")


def test_a_month_is_retired_and_its_stub_bridges_it(old: Database) -> None:
    kept = heads_of(old)
    with pytest.raises(InvalidInput, match="2026-01 goes first"):
        retire(old.owner, date.fromisoformat("2026-02-01"), KEY, on_rows=nothing)
    with pytest.raises(InvalidInput, match="is not over"):
        retire(old.owner, date.fromisoformat("2999-01-01"), KEY, on_rows=nothing)
    assert retire(old.owner, date.fromisoformat("2026-01-01"), KEY, on_rows=nothing) == (40, 2)
    with pytest.raises(NotFound, match="no rows of 2026-01"):
        retire(old.owner, date.fromisoformat("2026-01-01"), KEY, on_rows=nothing)
    assert retire(old.owner, date.fromisoformat("2026-02-01"), KEY, on_rows=nothing) == (40, 2)

    verdicts, problems = verified(old.owner, key=KEY, kept=kept)
    assert not problems
    assert {(verdict.stubs, verdict.stubs_signed) for verdict in verdicts} == {(2, True)}
    assert not verified(old.owner)[1]
    assert {verdict.problem.kind for verdict in verified(old.owner, key=OTHER_KEY)[1].values() if verdict.problem} == {
        "forged"
    }
    with connect(old) as owner:
        assert "audit_logs_2026_01" not in months(owner)
        told = many(
            owner, "select actor, new_values from public.audit_logs where action = 'retire' order by created_at"
        )
        assert [(row["actor"], row["new_values"]["month"]) for row in told] == [
            ("role:postgres", "2026-01"), ("role:postgres", "2026-02"),
        ]  # fmt: skip
        for statement in ("delete from private.audit_stubs", "update private.audit_stubs set last_seq = 1"):
            with refused(DENIED):
                owner.execute(statement.encode())
    for meddling, kind in (
        ("update private.audit_stubs set actor = 'role:eve'", "forged"),
        ("update private.audit_stubs set hash = sha256('x') where month = '2026-02-01'", "forged"),
        ("delete from private.audit_stubs where month = '2026-01-01'", "missing"),
        ("delete from private.audit_stubs", "missing"),
    ):
        with psycopg.connect(old.superuser) as superuser:
            superuser.execute("set local session_replication_role = replica")
            superuser.execute(meddling.encode())
            problems = found_by(superuser, key=KEY)[1]
            assert {verdict.problem.kind for verdict in problems.values() if verdict.problem} == {kind}, meddling
            assert len(problems) == 2
            superuser.rollback()


def test_a_month_that_does_not_verify_is_not_dropped(old: Database) -> None:
    with psycopg.connect(old.superuser, autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")
        superuser.execute("update public.audit_logs set actor = 'user:eve' where new_values ->> 'n' = '5'")
    with pytest.raises(ChainBroken, match="forged"):
        retire(old.owner, date.fromisoformat("2026-01-01"), KEY, on_rows=nothing)
    with connect(old) as owner:
        assert value(owner, "select count(*) from private.audit_logs_2026_01") == 40
        assert value(owner, "select count(*) from private.audit_stubs") == 0


def test_ids_of_tenants_open_no_chain(connection: Connection) -> None:
    alice, dan = (runs.sign_up(connection, f"{name}@example.org") for name in ("alice", "dan"))
    connection.execute("update users set role = 'admin' where id = %s", [dan])
    own = value(connection, "select tenant_id from users where id = %s", dan)
    calls = "audit_head()", "audit_verify()", "audit_export()"
    for call in calls:
        with person(connection, alice), refused(DENIED, "for the tenant's admins"), connection.transaction():
            connection.execute(f"select public.{call}".encode())
        with acting_as(connection, "authenticated"), refused(DENIED), connection.transaction():
            connection.execute(f"select public.{call}".encode())
    with person(connection, dan):
        (head,) = value(connection, "select public.audit_head()")
        assert uuid.UUID(head["tenant_id"]) == own
        assert value(connection, "select public.audit_verify()")["problem"] is None
        rows = value(connection, "select public.audit_export()")["rows"]
        assert len(rows) == head["chain_seq"] == value(connection, "select count(*) from audit_logs")
