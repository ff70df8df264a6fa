"""Every function that people call, with another tenant's ids in every argument: as if there were no such thing.

A function that is not in `CALLS`, or an argument that is neither in `THEIRS` nor in `PLAIN`, fails here.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db import runs
from tests.db.impersonation import DENIED, NOT_FOUND, many, person, value
from tests.db.sides import Side, settle

if TYPE_CHECKING:
    from tests.db.impersonation import Connection

CALLS: dict[str, Callable[[Side], dict[str, Any]]] = {
    "submit_task": lambda s: {"p_prompt": "x", "p_task": str(uuid.UUID(int=7))},
    "cancel_task": lambda s: {"p_task": s.rows["tasks"]["id"]},
    "pause_task": lambda s: {"p_task": s.rows["tasks"]["id"]},
    "resume_task": lambda s: {"p_task": s.rows["tasks"]["id"]},
    "retry_children": lambda s: {"p_task": s.rows["tasks"]["id"]},
    "answer_task": lambda s: {"p_task": s.rows["tasks"]["id"], "p_answer": "x"},
    "decide_execution": lambda s: {"p_execution": s.rows["tool_executions"]["id"], "p_approve": True},
    "settle_execution": lambda s: {"p_execution": s.rows["tool_executions"]["id"], "p_happened": True},
    "runtime_status": lambda s: {},
    "invite_user": lambda s: {"p_email": "somebody@example.org", "p_role": "user"},
    "revoke_invitation": lambda s: {"p_invitation": s.rows["invitations"]["id"]},
    "my_invitations": lambda s: {},
    "accept_invitation": lambda s: {"p_invitation": s.rows["invitations"]["id"]},
    "leave_tenant": lambda s: {"p_tenant_id": s.tenant},
    "set_user_role": lambda s: {"p_user": s.user, "p_role": "viewer"},
    "set_user_active": lambda s: {"p_user": s.user, "p_active": False},
    "remove_user": lambda s: {"p_user": s.user},
    "transfer_ownership": lambda s: {"p_from": s.user, "p_to": s.admin},
    "rename_tenant": lambda s: {"p_name": "x"},
    "search_messages": lambda s: {"p_query": "x"},
    "vault_list": lambda s: {},
    "vault_slot": lambda s: {"p_name": "x", "p_scope": "tenant"},
    "vault_put": lambda s: {
        "p_id": str(uuid.UUID(int=8)),
        "p_name": "x",
        "p_scope": "tenant",
        "p_tenant": None,
        "p_category": "x",
        "p_ciphertext": "00" * 29,
        "p_wrapped_key": "00" * 60,
        "p_key_id": "x",
    },
    "vault_remove": lambda s: {"p_name": "key", "p_scope": "user"},
    "audit_head": lambda s: {},
    "audit_verify": lambda s: {},
    "audit_export": lambda s: {},
    "my_access": lambda s: {},
    "runtime_health": lambda s: {},
    "set_configuration": lambda s: {"p_key": "default_model", "p_value": json.dumps("x")},
    "set_tool": lambda s: {"p_tool": s.rows["tools"]["id"], "p_timeout_seconds": 5},
    "platform_tenants": lambda s: {},
    "set_tenant_limits": lambda s: {"p_tenant": str(s.tenant), "p_limits": "{}"},
    "set_tenant_allow_hosts": lambda s: {"p_tenant": str(s.tenant), "p_hosts": "[]"},
    "clone_agent": lambda s: {"p_agent": s.rows["agents"]["id"], "p_name": "x"},
    "publish_agent": lambda s: {"p_agent": s.rows["agents"]["id"]},
    "try_tool": lambda s: {"p_tool": s.rows["tools"]["id"]},
    "adopt_server_tools": lambda s: {"p_execution": s.rows["tool_executions"]["id"]},
    "task_people": lambda s: {"p_task": s.rows["tasks"]["id"]},
    "search_tasks": lambda s: {},
}
"""Arguments that are one's own."""

THEIRS: dict[str, Callable[[Side], list[Any]]] = {
    "p_task": lambda s: [s.rows["tasks"]["id"]],
    "p_execution": lambda s: [s.rows["tool_executions"]["id"]],
    "p_conversation": lambda s: [s.rows["conversations"]["id"]],
    "p_agent": lambda s: [s.rows["agents"]["id"], s.rows["agents"]["name"]],
    "p_invitation": lambda s: [s.rows["invitations"]["id"]],
    "p_tool": lambda s: [s.rows["tools"]["id"]],
    "p_user": lambda s: [s.user, s.admin],
    "p_from": lambda s: [s.user, s.admin],
    "p_to": lambda s: [s.user, s.admin],
    "p_files": lambda s: [json.dumps([{"filename": "a", "file_path": s.rows["files"]["file_path"], "file_size": 1,
                                       "mime_type": "x"}])],
    "p_idempotency_key": lambda s: ["key-of-theirs"],
    "p_email": lambda s: ["theirs-user@example.org"],
    "p_tenant_id": lambda s: [s.tenant],
    "p_tenant": lambda s: [str(s.tenant), "theirs-admin"],
    "p_after": lambda s: [json.dumps({"tenant_id": str(s.tenant), "chain_seq": 1, "hash": "00"})],
}  # fmt: skip
PLAIN = {
    "p_prompt", "p_priority", "p_title", "p_limits", "p_run_after", "p_answer", "p_approve", "p_reason", "p_arguments",
    "p_digest", "p_happened", "p_result", "p_role", "p_active", "p_name", "p_query", "p_limit", "p_scope", "p_id",
    "p_key", "p_value", "p_is_enabled", "p_requires_confirmation", "p_approvals_required", "p_timeout_seconds",
    "p_output_limit_bytes", "p_search", "p_status", "p_before", "p_before_id", "p_whose",
    "p_head", "p_since", "p_spawn", "p_items", "p_until", "p_category", "p_ciphertext", "p_wrapped_key", "p_key_id",
}  # fmt: skip
"""Arguments that name nothing of a tenant's."""

NO_UUID = "22P02"
"""What a name gets where an id belongs."""

UNHEARD = {"accept_invitation", "vault_remove"}
OPERATORS = {"set_configuration", "platform_tenants", "set_tenant_limits", "set_tenant_allow_hosts", "publish_agent"}
"""Functions that hear no person of a tenant, with whatever of their own."""

TELLS = {("submit_task", "p_task")}
"""An id that is taken cannot be given to a new row, whosever it is: a primary key is one for all."""


def nobody(given: Any) -> Any:
    """What names nothing at all, in the shape of what was given."""
    text = str(given)
    if re.fullmatch(r"[0-9a-f-]{36}", text):
        return str(uuid.uuid4())
    return re.sub(r"[0-9a-f-]{36}", lambda _: str(uuid.uuid4()), text).replace("theirs", "nobodys")


def said(connection: Connection, who: uuid.UUID, function: str, arguments: dict[str, Any]) -> tuple[str, str]:
    """SQLSTATE and text of the refusal, or empty ones; ids and the given arguments left out. Nothing of it stays."""
    text = ", ".join(f"{name} => %({name})s" for name in arguments)
    try:
        with connection.transaction(force_rollback=True), person(connection, who):
            connection.execute(f"select public.{function}({text})", arguments)
    except psycopg.Error as error:
        message = error.diag.message_primary or ""
        for given in arguments.values():
            message = message.replace(str(given), "…")
        return error.sqlstate or "", re.sub(r"[0-9a-f-]{36}", "…", message)
    return "", ""


def digest(connection: Connection, tenant: uuid.UUID) -> list[str]:
    """What a tenant has, row by row."""
    tables = many(
        connection,
        "select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attname = 'tenant_id'"
        " and a.attnum > 0 order by 1",
    )
    return [
        value(
            connection,
            f"select md5(string_agg(t::text, ' ' order by t::text)) from public.{row['name']} t where tenant_id = %s",
            tenant,
        )
        for row in tables
    ]


@pytest.fixture
def sides(connection: Connection) -> tuple[Side, Side]:
    runs.install_probes(connection)
    runs.register(connection)
    ours, theirs = settle(connection, "ours"), settle(connection, "theirs")
    runs.submit(connection, theirs.user, idempotency_key="key-of-theirs")
    return ours, theirs


def test_another_tenants_ids_read_as_if_there_were_none(connection: Connection, sides: tuple[Side, Side]) -> None:
    ours, theirs = sides
    functions = many(
        connection,
        "select proname as name, coalesce(proargnames, '{}') as names, pronargs as count from pg_proc"
        " where pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', oid, 'execute')",
    )
    before = digest(connection, theirs.tenant)
    told = {}
    for function in functions:
        name, names = function["name"], function["names"][: function["count"]]
        assert name in CALLS, f"{name} is not in CALLS"
        assert set(names) <= set(THEIRS) | PLAIN, f"{name} has arguments that are in neither THEIRS nor PLAIN"
        mine = CALLS[name](ours)
        # With one's own it is heard, so that what is refused below is refused for the other's sake.
        heard = {said(connection, who, name, mine)[0] for who in (ours.admin, ours.user)}
        assert heard - {DENIED, NOT_FOUND} or name in UNHEARD | OPERATORS, name
        for argument in (one for one in names if one in THEIRS):
            for given in THEIRS[argument](theirs):
                for who in (ours.admin, ours.user):
                    there = said(connection, who, name, {**mine, argument: given})
                    nothing = said(connection, who, name, {**mine, argument: nobody(given)})
                    fine = there == nothing and there[0] in ("", DENIED, NOT_FOUND, NO_UUID)
                    if not fine and (name, argument) not in TELLS:
                        told[f"{name} {argument}"] = (there, nothing)
    assert told == {}
    assert digest(connection, theirs.tenant) == before
