"""Closed by default: lists of what stands open, each of which is stated here or empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.impersonation import many, one

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection, Role

PERSONS = {
    "submit_task", "cancel_task", "pause_task", "resume_task", "answer_task", "decide_execution", "settle_execution",
    "retry_children",
    "runtime_status", "audit_head", "audit_verify", "audit_export", "search_messages",
    "vault_slot", "vault_put", "vault_list", "vault_remove",
    "invite_user", "revoke_invitation", "my_invitations", "accept_invitation", "leave_tenant", "set_user_role",
    "set_user_active", "remove_user", "transfer_ownership", "rename_tenant",
    "my_access", "set_configuration", "set_tool", "platform_tenants", "set_tenant_limits", "set_tenant_allow_hosts",
    "clone_agent", "publish_agent", "try_tool", "adopt_server_tools", "runtime_health", "search_tasks", "task_people",
}  # fmt: skip
# What audit_… call past the policies, for admins alone.
AUDITORS = {"my_audit_head", "check_my_audit", "export_my_audit"}
# What search_tasks calls past the policies.
SEARCHED = {"found_tasks"}
WORKERS = {
    "worker_register", "worker_config", "worker_renew", "worker_stopped", "worker_claim", "worker_reap",
    "worker_list", "worker_backlog", "worker_report", "worker_context", "worker_record_turn", "worker_start_execution",
    "worker_finish_execution", "worker_suspend", "worker_settle",
    "worker_release", "worker_add_files", "worker_children", "worker_expired_files", "worker_forget_files",
    "worker_query",
    "worker_credentials", "worker_vault_keys", "worker_master_keys",
}  # fmt: skip
SERVERS = {"web_read_events", "web_last_event"}
"""What the web UI's server asks, over a connection of `agent_worker`; the REST API has no use for them."""
POLICIES = {"me", "my_tenant", "my_tenants", "me_by_hint", "my_tenant_as_admin", "is_admin", "can_write",
            "acts_as_owner", "agent_named", "trimmed", "may_upload", "json", "ask_of_task", "my_address",
            "is_acting", "signs_nothing", "is_operator", "owner_name", "decider_name"}  # fmt: skip

VAULT = {"vault_slot", "vault_put", "vault_list", "vault_remove", "vault_wrapped", "vault_rewrap", "vault_new_key"}
"""The service key's, as the operator."""

OURS = "pronamespace in ('public'::regnamespace, 'private'::regnamespace)"


def named(connection: Connection, statement: str) -> set[str]:
    return {row["name"] for row in many(connection, statement)}


def callable_by(connection: Connection, role: Role) -> set[str]:
    return named(
        connection,
        f"select proname as name from pg_proc where {OURS} and has_function_privilege('{role}', oid, 'execute')",
    )


def test_everybody_calls_what_is_theirs_to_call(connection: Connection) -> None:
    assert callable_by(connection, "anon") == set()
    assert callable_by(connection, "authenticated") == PERSONS | POLICIES | AUDITORS | SEARCHED
    assert callable_by(connection, "agent_worker") == WORKERS | {"worker_execute"} | SERVERS
    assert callable_by(connection, "service_role") == WORKERS | POLICIES | VAULT | {"sync_tools", "cancel_task"}


def test_no_function_is_everybodys(connection: Connection) -> None:
    granted = (
        f"select proname as name from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) where {OURS}"
    )
    assert named(connection, f"{granted} and grantee = 0") == set()


def test_every_function_looks_for_names_in_the_catalog_first_and_among_temporary_ones_last(
    connection: Connection,
) -> None:
    fixed = "'search_path=pg_catalog, pg_temp' = any (coalesce(proconfig, '{}'))"
    assert named(connection, f"select proname as name from pg_proc where {OURS} and not ({fixed})") == set()


def test_every_table_has_row_level_security(connection: Connection) -> None:
    tables = "select relname as name from pg_class where relkind in ('r', 'p') and not relrowsecurity"
    assert named(connection, f"{tables} and relnamespace in ('public'::regnamespace, 'private'::regnamespace)") == set()


def test_every_view_has_its_callers_rights(connection: Connection) -> None:
    views = "select relname as name from pg_class where relkind in ('v', 'm') and relnamespace = 'public'::regnamespace"
    assert named(connection, views) == {
        "conversation_details", "tool_statistics", "current_files", "task_overview", "waiting_executions",
    }  # fmt: skip
    assert named(connection, f"{views} and not ('security_invoker=true' = any (coalesce(reloptions, '{{}}')))") == set()


def test_every_foreign_key_is_indexed(connection: Connection) -> None:
    unindexed = """
        select conrelid::regclass || ' ' || a.attname as name
        from pg_constraint f join pg_attribute a on a.attrelid = f.conrelid and a.attnum = f.conkey[1]
        where f.contype = 'f' and f.connamespace = 'public'::regnamespace
          and not exists (select from pg_index i where i.indrelid = f.conrelid and i.indkey[0] = f.conkey[1])
    """
    assert named(connection, unindexed) == set()


def test_there_is_one_permissive_policy_for_a_verb_and_none_for_anon(connection: Connection) -> None:
    policies = many(
        connection, "select tablename, cmd, roles::text, permissive from pg_policies where schemaname = 'public'"
    )
    assert {row["roles"] for row in policies} == {"{authenticated}"}
    assert {row["permissive"] for row in policies} == {"PERMISSIVE"}
    assert "ALL" not in {row["cmd"] for row in policies}
    assert len({(row["tablename"], row["cmd"]) for row in policies}) == len(policies)


def test_nobody_but_the_owner_holds_anything_in_private(connection: Connection) -> None:
    grants = (
        "select relname || ' ' || grantee::regrole as name from pg_class, aclexplode(relacl)"
        " where relnamespace = 'private'::regnamespace and grantee <> relowner"
    )
    assert named(connection, grants) == set()


def test_a_worker_that_logged_in_works_and_reads_no_table(database: Database) -> None:
    with (
        psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as owner,
        psycopg.connect(database.worker, autocommit=True, row_factory=dict_row) as worker,
    ):
        runs.install_probes(owner)
        task = runs.submit(owner, runs.sign_up(owner, "ana@example.org"))
        worker.execute("select public.worker_register(%s, 'host', 1, '0', 1, 2)", [runs.WORKER])
        claimed = one(worker, "select * from public.worker_claim(%s, 1, 60)", runs.WORKER)
        assert claimed["id"] == task["id"]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute("select from public.tasks")
        # An admin at psql stops it.
        assert one(owner, "select status from public.cancel_task(%s)", task["id"]) == {"status": "running"}
        waiting = runs.submit(owner, claimed["user_id"])
        assert one(owner, "select status from public.cancel_task(%s)", waiting["id"]) == {"status": "cancelled"}
