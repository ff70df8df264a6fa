"""The vault: whose a credential is, who hears of it, and which run is handed it, sealed."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from agent_runtime.errors import ConfigError
from agent_runtime.vault.keys import Keyring, MasterKey, make_key
from agent_runtime.vault.operate import Vault
from agent_runtime.vault.sealing import Sealed, Slot, Unsealable, seal, unseal
from tests.db import runs
from tests.db.impersonation import (
    DENIED,
    INVALID,
    LEASE_LOST,
    NOT_FOUND,
    WRONG_STATE,
    acting_as,
    many,
    one,
    person,
    refused,
    value,
)
from tests.db.people import People, settle_in

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row

KEY = MasterKey.parse(make_key())
RING = Keyring(KEY)
PUT = "select * from public.vault_put(%s, %s, %s, %s, %s, %s, %s, %s)"


@pytest.fixture
def people(connection: Connection) -> People:
    """With a worker that has the key."""
    found = settle_in(connection)
    with acting_as(connection, "agent_worker"):
        connection.execute("select public.worker_vault_keys(%s)", [RING.ids])
    return found


def put(
    connection: Connection,
    name: str,
    text: str,
    scope: str,
    tenant: object = None,
    *,
    key: MasterKey = KEY,
    category: str = "",
) -> Row:
    """As whoever the connection acts as."""
    named = str(tenant) if tenant else None
    slot = Slot.model_validate(value(connection, "select public.vault_slot(%s, %s, %s)", name, scope, named))
    sealed = seal(text, slot, key)
    return one(
        connection, PUT, slot.id, name, scope, named, category, sealed.ciphertext, sealed.wrapped_key, sealed.key_id
    )


def refer(connection: Connection, tool: str, *names: str) -> None:
    """Let a tool's configuration refer to credentials."""
    config = {"environment": {f"V{n}": f"Bearer {{{{credential:{name}}}}}" for n, name in enumerate(names)}}
    connection.execute("update public.tools set config = %s where name = %s", [json.dumps(config), tool])


def begun(connection: Connection, task: Row, step: int = 2, tool: str = "probe") -> str:
    """A running call of a tool."""
    recorded = runs.record_turn(connection, task, step, runs.tool_call(tool))
    execution: str = recorded["executions"][0]["id"]
    runs.start(connection, task, execution)
    return execution


def handed(connection: Connection, task: Row, execution: str | None, *names: str) -> dict[str, str]:
    """What the worker is handed, opened, by name."""
    with acting_as(connection, "agent_worker"):
        rows = value(
            connection, "select public.worker_credentials(%s, %s, %s, %s)",
            task["id"], task["lease_token"], execution, list(names),
        )  # fmt: skip
    return {row["name"]: unseal(Sealed.model_validate(row), RING) for row in rows}


def test_whose_a_credential_is_follows_from_who_puts_it(connection: Connection, people: People) -> None:
    theirs = value(connection, "select home_tenant_id from public.users where id = %s", people.frank)
    put(connection, "everybody", "global-value", "global")
    put(connection, "ours", "tenant-value", "tenant", people.tenant, category="tokens")
    with person(connection, people.frank):
        mine = put(connection, "mine", "franks-value", "user")
    assert (mine["user_id"], mine["tenant_id"], mine["created_by"]) == (people.frank, theirs, people.frank)
    with person(connection, people.dan):
        ours = put(connection, "admins", "dans-value", "tenant")
        again = put(connection, "admins", "dans-second", "tenant", people.tenant, category="x")
    assert (ours["tenant_id"], ours["user_id"], ours["created_by"]) == (people.tenant, None, people.dan)
    assert (again["id"], again["category"]) == (ours["id"], "x")
    rows = many(connection, "select * from public.vault_list()")
    assert [(row["scope"], row["name"], row["category"]) for row in rows] == [
        ("global", "everybody", "general"), ("tenant", "admins", "x"), ("tenant", "ours", "tokens"),
        ("user", "mine", "general"),
    ]  # fmt: skip


def test_people_hear_of_their_own_their_tenants_and_the_platforms(connection: Connection, people: People) -> None:
    put(connection, "everybody", "global-value", "global")
    put(connection, "ours", "tenant-value", "tenant", people.tenant)
    for user in (people.alice, people.bob):
        with person(connection, user):
            put(connection, "mine", "users-value", "user")
    with person(connection, people.alice):
        rows = many(connection, "select * from public.vault_list()")
        assert [(row["scope"], row["user_id"]) for row in rows] == [
            ("global", None), ("tenant", None), ("user", people.alice),
        ]  # fmt: skip
        assert set(rows[0]) == {
            "id", "tenant_id", "user_id", "name", "category", "scope", "key_id", "created_by", "created_at",
            "updated_at", "last_used_at",
        }  # fmt: skip
    # An admin of the tenant hears nothing of what its people keep; the deactivated hear nothing at all.
    with person(connection, people.dan):
        assert [row["scope"] for row in many(connection, "select * from public.vault_list()")] == ["global", "tenant"]
    with person(connection, people.bob):
        assert [row["name"] for row in many(connection, "select * from public.credentials")] == ["everybody", "mine"]
    with person(connection, people.eve):
        assert many(connection, "select * from public.credentials") == []


def test_nobody_puts_what_is_not_theirs(connection: Connection, people: People) -> None:
    put(connection, "ours", "tenant-value", "tenant", people.tenant)
    other = value(connection, "select tenant_id from public.users where id = %s", people.bob)
    for user, scope, tenant in (
        (people.alice, "global", None), (people.alice, "tenant", None), (people.alice, "tenant", people.tenant),
        (people.vera, "user", None), (people.eve, "user", None), (people.eve, "tenant", None),
        (people.dan, "global", None), (people.dan, "tenant", other), (people.dan, None, None),
    ):  # fmt: skip
        with person(connection, user):
            for statement in ("select public.vault_slot('ours', %s, %s)", "select public.vault_remove('ours', %s, %s)"):
                with refused(DENIED), connection.transaction():
                    connection.execute(statement, [scope, str(tenant) if tenant else None])
    # Without claims there is nobody whose it could be.
    with acting_as(connection, "authenticated"), refused(DENIED), connection.transaction():
        connection.execute("select public.vault_slot('x', 'user', null)")
    for role in ("anon", "agent_worker"):
        with acting_as(connection, role), refused(DENIED), connection.transaction():
            connection.execute("select public.vault_slot('x', 'global', null)")
    with acting_as(connection, "service_role"):
        put(connection, "from_the_key", "global-value", "global")
        with refused(INVALID), connection.transaction():
            connection.execute("select public.vault_slot('x', 'user', null)")
        with refused(NOT_FOUND), connection.transaction():
            connection.execute("select public.vault_slot('x', 'tenant', 'nowhere')")


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 101, "ñ", None, "a\nb"])
def test_a_name_is_a_name(connection: Connection, name: str | None) -> None:
    with refused(INVALID, "letters, digits"):
        connection.execute("select public.vault_slot(%s, 'global')", [name])


def test_what_tools_run_as_a_person_does_not_change_the_vault(connection: Connection, people: People) -> None:
    with person(connection, people.alice):
        put(connection, "mine", "alices-value", "user")
    connection.execute(
        "insert into private.acting (xid, user_id, task_id) values (pg_current_xact_id(), %s, %s)",
        [people.alice, people.task["id"]],
    )
    with person(connection, people.alice):
        for statement in ("select public.vault_slot('mine', 'user')", "select public.vault_remove('mine', 'user')"):
            with refused(DENIED, "not for tools"), connection.transaction():
                connection.execute(statement)
    connection.execute("delete from private.acting")


def test_people_seal_with_no_key_that_the_workers_lack(connection: Connection, people: People) -> None:
    stray = MasterKey.parse(make_key())
    with person(connection, people.alice), refused(INVALID, "AGENT_RUNTIME_VAULT_KEY"), connection.transaction():
        put(connection, "mine", "alices-value", "user", key=stray)
    # A worker that starts with a key makes it known, unless it lacks one that is needed.
    with acting_as(connection, "agent_worker"):
        assert value(connection, "select public.worker_vault_keys(%s)", [stray.id]) == {"unknown": []}
    with person(connection, people.alice):
        put(connection, "mine", "alices-value", "user", key=stray)
    with acting_as(connection, "agent_worker"):
        assert value(connection, "select public.worker_vault_keys(%s)", [KEY.id]) == {"unknown": [stray.id]}
        assert value(connection, "select public.worker_vault_keys('{}')") == {"unknown": [stray.id]}


def test_a_slot_that_was_taken_meanwhile_is_not_overwritten(connection: Connection) -> None:
    first = put(connection, "shared", "first-value", "global")
    for stranger in (uuid.uuid4(), first["id"]):
        name = "shared" if stranger != first["id"] else "another"
        with refused(WRONG_STATE, "changed meanwhile"), connection.transaction():
            connection.execute(PUT, [stranger, name, "global", None, "", "00" * 40, "00" * 60, KEY.id])


def test_no_row_is_written_past_the_functions_and_none_moves(connection: Connection, people: People) -> None:
    with person(connection, people.alice):
        row = put(connection, "mine", "alices-value", "user")
    # As the embedded API does it at its start.
    connection.execute("grant all on all tables in schema public to anon, authenticated, service_role")
    attempts = [
        ("insert into public.credentials (name, scope, key_id) values ('forged', 'global', 'k')", "service_role"),
        ("update public.credentials set name = 'other'", "service_role"),
        ("delete from public.credentials", "service_role"),
        ("truncate public.credentials cascade", "service_role"),
        ("truncate public.credentials cascade", "authenticated"),
        ("insert into public.credentials (name, scope, key_id) values ('forged', 'global', 'k')", "authenticated"),
        ("select * from private.sealed_credentials", "authenticated"),
        ("select * from private.sealed_credentials", "service_role"),
        ("select * from private.sealed_credentials", "agent_worker"),
        ("select * from public.credentials", "agent_worker"),
    ]
    for statement, role in attempts:
        user = people.alice if role == "authenticated" else None
        with acting_as(connection, role, user), refused(DENIED), connection.transaction():  # type: ignore[arg-type]
            connection.execute(statement)
    with person(connection, people.alice):
        assert connection.execute("update public.credentials set name = 'x'").rowcount == 0
        assert connection.execute("delete from public.credentials").rowcount == 0
    for change in ("tenant_id = null, user_id = null, scope = 'global'", "name = 'other'", f"user_id = '{people.bob}'"):
        with refused(DENIED, "cannot be given"), connection.transaction():
            connection.execute(f"update public.credentials set {change} where id = %s", [row["id"]])


def test_a_call_is_handed_what_its_tools_configuration_names(connection: Connection, people: People) -> None:
    put(connection, "github", "global-value", "global")
    put(connection, "gitlab", "other-value", "global")
    refer(connection, "probe", "github")
    refer(connection, "probe_pure", "gitlab")
    execution = begun(connection, people.task)
    assert handed(connection, people.task, execution, "github", "gitlab", "nothing") == {"github": "global-value"}
    # One's own before the tenant's before the platform's; of others nothing.
    put(connection, "github", "tenant-value", "tenant", people.tenant)
    assert handed(connection, people.task, execution, "github") == {"github": "tenant-value"}
    for user, text in ((people.frank, "franks-value"), (people.bob, "bobs-value")):
        with person(connection, user):
            put(connection, "github", text, "user")
    other = value(connection, "select tenant_id from public.users where id = %s", people.bob)
    put(connection, "github", "bobs-tenant", "tenant", other)
    assert handed(connection, people.task, execution, "github") == {"github": "tenant-value"}
    with person(connection, people.alice):
        put(connection, "github", "alices-value", "user")
    assert handed(connection, people.task, execution, "github") == {"github": "alices-value"}
    # Who was deactivated lends nothing any more.
    connection.execute("update public.users set is_active = false where id = %s", [people.alice])
    assert handed(connection, people.task, execution, "github") == {"github": "tenant-value"}


def test_nothing_is_handed_to_a_call_that_does_not_run_or_to_a_lease_that_is_lost(
    connection: Connection, people: People
) -> None:
    put(connection, "github", "global-value", "global")
    refer(connection, "probe", "github")
    (waiting,) = runs.record_turn(connection, people.task, 2, runs.tool_call("probe"))["executions"]
    assert handed(connection, people.task, waiting["id"], "github") == {}
    assert handed(connection, people.task, people.execution, "github") == {}
    assert handed(connection, people.task, str(uuid.uuid4()), "github") == {}
    runs.start(connection, people.task, waiting["id"])
    assert handed(connection, people.task, waiting["id"], "github") == {"github": "global-value"}
    franks = runs.running(connection, people.frank)
    assert handed(connection, franks, waiting["id"], "github") == {}
    with refused(LEASE_LOST), connection.transaction():
        handed(connection, {**people.task, "lease_token": uuid.uuid4()}, waiting["id"], "github")
    connection.execute("update public.tools set is_enabled = false where name = 'probe'")
    assert handed(connection, people.task, waiting["id"], "github") == {}
    connection.execute("update public.tools set is_enabled = true where name = 'probe'")
    for role in ("authenticated", "anon"):
        with acting_as(connection, role, people.alice), refused(DENIED), connection.transaction():
            connection.execute(
                "select public.worker_credentials(%s, %s, %s, '{github}')",
                [people.task["id"], people.task["lease_token"], waiting["id"]],
            )


def test_a_run_that_goes_on_is_handed_what_earlier_calls_had(connection: Connection, people: People) -> None:
    put(connection, "github", "global-value", "global")
    put(connection, "gitlab", "other-value", "global")
    refer(connection, "probe", "github")
    refer(connection, "probe_confirm", "gitlab")
    runs.finish(connection, people.task, begun(connection, people.task))
    runs.record_turn(connection, people.task, 3, runs.tool_call("probe_confirm"))
    assert handed(connection, people.task, None, "github", "gitlab") == {"github": "global-value"}


def test_each_read_is_on_record_without_a_value(connection: Connection, people: People) -> None:
    put(connection, "github", "global-value", "global")
    refer(connection, "probe", "github")
    execution = begun(connection, people.task)
    handed(connection, people.task, execution, "github")
    if value(connection, "select to_regproc('private.write_audit')"):
        connection.execute("select private.write_audit()")
    row = one(connection, "select * from public.audit_logs where resource_type = 'credentials' and action = 'read'")
    assert row["actor"] == f"worker:{runs.WORKER}"
    assert row["tenant_id"] == people.tenant
    assert row["new_values"] == {
        "name": "github", "scope": "global", "task_id": str(people.task["id"]), "execution_id": execution,
    }  # fmt: skip
    used = one(connection, "select last_used_at, updated_at from public.credentials")
    assert used["last_used_at"] is not None
    kinds = many(connection, "select action from public.audit_logs where resource_type = 'credentials' order by id")
    assert sorted(kind["action"] for kind in kinds) == ["insert", "read"]
    dumped = value(
        connection, "select string_agg(a::text, ' ') from public.audit_logs a where resource_type = 'credentials'"
    )
    assert "ciphertext" not in dumped
    assert "wrapped" not in dumped


def test_what_was_moved_to_another_row_in_the_database_does_not_open(connection: Connection, people: People) -> None:
    put(connection, "github", "global-value", "global")
    with person(connection, people.alice):
        put(connection, "mine", "alices-value", "user")
    refer(connection, "probe", "github", "mine")
    execution = begun(connection, people.task)
    swap = (
        "update private.sealed_credentials s set ciphertext = o.ciphertext, wrapped_key = o.wrapped_key"
        " from private.sealed_credentials o where o.credential_id <> s.credential_id"
    )
    connection.execute(swap)
    with pytest.raises(Unsealable, match="moved here from another row"):
        handed(connection, people.task, execution, "github", "mine")


@pytest.mark.parametrize(
    ("config", "at"),
    [({"api_key": "sk-123"}, "api_key"), ({"a": [{"password": "x"}]}, "password"), ({"a": {"token": ["x"]}}, "token"),
     ({"proxy": "http://ana:secret@proxy:3128"}, "proxy"), ({"deep": {"er": ["https://a:b@c/"]}}, "er")],
)  # fmt: skip
def test_a_tools_configuration_takes_no_secret(connection: Connection, config: Any, at: str) -> None:
    with refused(INVALID, f'"{at}" looks like'):
        connection.execute("update public.tools set config = %s where name = 'shell_exec'", [json.dumps(config)])


def test_a_tools_configuration_takes_references_and_what_is_no_secret(connection: Connection) -> None:
    config = {
        "api_key": "{{credential:a}}", "authorization": "Bearer {{credential:b}}", "token": "",
        "proxy": "http://ana:{{credential:c}}@proxy:3128", "url": "http://proxy:3128/a@b", "password": None,
        "list": ["x", 1, True],
    }  # fmt: skip
    connection.execute("update public.tools set config = %s where name = 'shell_exec'", [json.dumps(config)])
    found = many(
        connection, "select private.credentials_named_in(config) as name from public.tools where name = 'shell_exec'"
    )
    assert sorted(row["name"] for row in found) == ["a", "b", "c"]


def test_an_account_takes_its_credentials_along_and_an_admin_leaves_the_tenants(
    connection: Connection, people: People
) -> None:
    with person(connection, people.alice):
        put(connection, "mine", "alices-value", "user")
    with person(connection, people.dan):
        put(connection, "ours", "tenant-value", "tenant")
    connection.execute("delete from auth.users where id = any (%s)", [[people.alice, people.dan]])
    (left,) = many(connection, "select * from public.credentials")
    assert (left["name"], left["created_by"]) == ("ours", None)
    assert value(connection, "select count(*) from private.sealed_credentials") == 1


def test_a_rotation_under_concurrent_reads_loses_none(database18: Database) -> None:
    fresh = MasterKey.parse(make_key())
    both, stop = Keyring(fresh, [KEY]), threading.Event()
    with psycopg.connect(database18.owner, autocommit=True, row_factory=dict_row) as owner:
        people = settle_in(owner)
        names = [f"c{n}" for n in range(20)]
        for name in names:
            put(owner, name, f"value-of-{name}", "global")
        refer(owner, "probe", *names)
        execution = begun(owner, people.task)

    def read() -> int:
        seen = 0
        with psycopg.connect(database18.worker, autocommit=True) as worker:
            while not stop.is_set() or seen < 3:
                cursor = worker.execute(
                    "select public.worker_credentials(%s, %s, %s, %s)",
                    [people.task["id"], people.task["lease_token"], execution, names],
                )
                (row,) = cursor.fetchone() or ([],)
                opened = {one["name"]: unseal(Sealed.model_validate(one), both) for one in row}
                assert opened == {name: f"value-of-{name}" for name in names}
                seen += 1
        return seen

    async def rotate() -> tuple[int, list[str]]:
        reading = [asyncio.create_task(asyncio.to_thread(read)) for _ in range(2)]
        try:
            async with await psycopg.AsyncConnection.connect(database18.owner, autocommit=True) as owner:

                async def call(function: str, arguments: dict[str, Any]) -> Any:
                    named = ", ".join(f"{name} => %({name})s" for name in arguments)
                    row = await (await owner.execute(f"select public.{function}({named})", arguments)).fetchone()
                    return row[0] if row else None

                done = await Vault(call, both).rotate()
        finally:
            stop.set()
            await asyncio.gather(*reading)
        return done.rewrapped, done.failed

    assert asyncio.run(rotate()) == (20, [])
    with psycopg.connect(database18.owner, row_factory=dict_row) as owner:
        assert value(owner, "select public.worker_vault_keys(%s)", [fresh.id]) == {"unknown": []}
        # A wrapping that was read before somebody put the credential anew does not come back.
        row = one(
            owner, "select credential_id, encode(wrapped_key, 'hex') as was from private.sealed_credentials limit 1"
        )
        assert value(
            owner, "select public.vault_rewrap(%s, %s, %s, 'x')", row["credential_id"], "00" * 60, "00" * 60
        ) is False  # fmt: skip


SUPABASE_VAULT = """
    create schema vault;
    create table vault.secrets (id uuid primary key default gen_random_uuid(), name text unique,
      description text not null default '', secret text not null, created_at timestamptz not null default now());
    create view vault.decrypted_secrets as select *, secret as decrypted_secret from vault.secrets;
    create function vault.create_secret(new_secret text, new_name text default null, new_description text default '',
      new_key_id uuid default null) returns uuid language sql as
      $$ insert into vault.secrets (secret, name, description) values ($1, $2, $3) returning id $$;
"""
"""What of Supabase Vault is used, with its names and signatures: a stand-in, which encrypts nothing."""


def test_supabase_vault_can_keep_the_master_keys(connection: Connection, people: People) -> None:
    async def call(function: str, arguments: dict[str, Any]) -> Any:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        rows = connection.execute(f"select * from public.{function}({named})", arguments).fetchall()
        return rows[0].get(function, rows)

    vault = Vault(call, Keyring(None, is_in_supabase=True))
    with pytest.raises(
        ConfigError, match="AGENT_RUNTIME_VAULT_KEY is supabase, and the database has no Supabase Vault"
    ):
        asyncio.run(vault.require_keys())
    connection.execute(SUPABASE_VAULT)
    asyncio.run(vault.require_keys())
    asyncio.run(vault.put("github", "global-value", "global"))
    refer(connection, "probe", "github")
    execution = begun(connection, people.task)
    for kept in (1, 2):
        with acting_as(connection, "agent_worker"):
            keys = value(connection, "select public.worker_master_keys()")
        assert len(keys) == kept
        ring = asyncio.run(Keyring(None, is_in_supabase=True).opened(lambda keys=keys: _given(keys)))  # type: ignore[misc]
        with acting_as(connection, "agent_worker"):
            rows = value(
                connection, "select public.worker_credentials(%s, %s, %s, '{github}')",
                people.task["id"], people.task["lease_token"], execution,
            )  # fmt: skip
        assert unseal(Sealed.model_validate(rows[0]), ring) == "global-value"
        assert rows[0]["key_id"] == ring.ids[0]
        if kept == 1:
            assert asyncio.run(vault.rotate()).rewrapped == 1
    for role, statement in (
        ("agent_worker", "select public.vault_new_key()"), ("agent_worker", "select * from vault.secrets"),
        ("authenticated", "select public.worker_master_keys()"), ("anon", "select public.worker_master_keys()"),
    ):  # fmt: skip
        with acting_as(connection, role, people.alice), refused(DENIED), connection.transaction():  # type: ignore[arg-type]
            connection.execute(statement)


async def _given(keys: list[str]) -> list[str]:
    return keys
