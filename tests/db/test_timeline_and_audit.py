"""What is on record afterwards: the timeline of a task, and who changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.db import runs
from tests.db.impersonation import acting_as, many, one, person, value

if TYPE_CHECKING:
    import uuid

    from tests.db.impersonation import Connection, Row


@pytest.fixture
def alice(connection: Connection) -> uuid.UUID:
    runs.install_probes(connection)
    runs.register(connection)
    return runs.sign_up(connection, "alice@example.org")


def audited(connection: Connection, table: str, action: str) -> list[Row]:
    return many(
        connection,
        "select * from public.audit_logs where resource_type = %s and action = %s order by created_at, resource_id",
        table, action,
    )  # fmt: skip


def test_the_timeline_tells_each_change_in_its_order(connection: Connection, alice: uuid.UUID) -> None:
    task = runs.running(connection, alice)
    path = f"{task['tenant_id']}/{task['id']}/a"
    file = {"filename": "a", "file_path": path, "file_size": 1, "mime_type": "x", "file_hash": None}
    plan = {"kind": "plan_set", "phases": ["one", "two"]}
    runs.executed(connection, task, 1, files=[file], effect=plan)
    runs.settle(connection, task)
    told = [
        (e["kind"], e["payload"].get("status") or e["payload"].get("role") or e["payload"].get("filename"))
        for e in runs.events(connection, task)
    ]
    assert told == [
        ("task.created", "pending"),
        ("message.created", "user"),
        ("task.status", "running"),
        ("message.created", "assistant"),
        ("execution.status", "pending"),
        ("execution.status", "running"),
        ("execution.status", "completed"),
        ("message.created", "tool"),
        ("file.created", "a"),
        ("task.plan", None),
        ("task.status", "completed"),
        ("task.plan", None),
    ]


def test_the_timeline_names_rows_and_holds_no_content(connection: Connection, alice: uuid.UUID) -> None:
    task = runs.running(connection, alice, prompt="The plan\nwith a secret in its second line")
    runs.executed(connection, task, 1, content="another secret")
    assert "secret" not in str(runs.events(connection, task))


CHANGES: dict[str, dict[str, str]] = {
    "tenants": {"update": "update tenants set name = 'x'"},
    "users": {"insert": "", "update": "update users set role = 'viewer'"},
    "agents": {
        "insert": "",
        "update": "update agents set is_active = false where name = 'Prober'",
        "delete": "delete from agents where name = 'Asistente General'",
    },
    "conversations": {"insert": "", "update": "update conversations set is_shared = true"},
    "messages": {"insert": ""},
    "tasks": {"insert": "", "update": "update tasks set title = 'x'"},
    "tools": {
        "insert": "",
        "update": "update tools set is_enabled = false where name = 'probe'",
        "delete": "delete from tools where name = 'probe_ungranted'",
    },
    "tool_executions": {"insert": "", "update": ""},
    "files": {"insert": "", "delete": "delete from files"},
    "system_config": {
        "insert": "insert into system_config (config_key, config_value) values ('x', '1')",
        "update": "update system_config set config_value = '1' where config_key = 'session_timeout'",
        "delete": "delete from system_config where config_key = 'session_timeout'",
    },
    "workers": {"insert": "", "update": "update workers set stopped_at = now()"},
}


@pytest.mark.parametrize(("table", "action"), [(table, action) for table, all in CHANGES.items() for action in all])
def test_each_change_of_each_table_is_audited_unless_it_is_switched_off(
    connection: Connection, alice: uuid.UUID, table: str, action: str
) -> None:
    def work() -> int:
        before = len(audited(connection, table, action))
        if CHANGES[table][action]:
            with connection.transaction(force_rollback=True):
                connection.execute(CHANGES[table][action])
                return len(audited(connection, table, action)) - before
        with connection.transaction(force_rollback=True):
            user = runs.sign_up(connection, "more@example.org")
            runs.register(connection, user)
            connection.execute(
                "insert into tools (name, display_name, description, category, function_schema)"
                " values ('more', 'x', 'x', 'x', '{}')"
            )
            with person(connection, user):
                connection.execute("insert into agents (name, system_prompt, model_name) values ('More', 'x', 'x')")
            runs.executed(connection, runs.running(connection, user), 1)
            return len(audited(connection, table, action)) - before

    task = runs.running(connection, alice)
    file = {"filename": "a", "file_path": f"{task['tenant_id']}/{task['id']}/a", "file_size": 1, "mime_type": "x"}
    runs.executed(connection, task, 1, files=[file])
    if (table, action) == ("files", "insert"):
        assert len(audited(connection, table, action)) == 1
        return
    assert work() > 0
    connection.execute("update system_config set config_value = 'false' where config_key = 'enable_audit_logging'")
    assert work() == 0


def test_an_entry_says_who_what_and_from_where(connection: Connection, alice: uuid.UUID) -> None:
    headers = '{"user-agent": "Firefox", "x-forwarded-for": "203.0.113.9, 10.0.0.1"}'
    connection.execute("select set_config('request.headers', %s, true)", [headers])
    with person(connection, alice):
        connection.execute("update users set full_name = 'Alice' where id = auth.uid()")
    (entry,) = audited(connection, "users", "update")
    assert (entry["user_id"], entry["actor"], entry["resource_id"]) == (alice, f"user:{alice}", alice)
    assert (entry["old_values"], entry["new_values"]) == ({"full_name": None}, {"full_name": "Alice"})
    assert (str(entry["ip_address"]), entry["user_agent"]) == ("203.0.113.9", "Firefox")
    assert entry["tenant_id"] == value(connection, "select tenant_id from users")


@pytest.mark.parametrize("header", ["nonsense", "1.2.3", "::::", "1.2.3.4; drop table users", "", "999.1.1.1"])
def test_no_header_stops_a_write(connection: Connection, alice: uuid.UUID, header: str) -> None:
    connection.execute(
        "select set_config('request.headers', json_build_object('x-forwarded-for', %s::text)::text, true)", [header]
    )
    with person(connection, alice):
        connection.execute("update users set full_name = 'Alice' where id = auth.uid()")
    (entry,) = audited(connection, "users", "update")
    assert entry["ip_address"] is None


def test_an_entry_names_the_worker_the_reaper_or_the_role(connection: Connection, alice: uuid.UUID) -> None:
    runs.submit(connection, alice)
    runs.claim(connection, lease_seconds=-1)
    runs.reap(connection)
    actors = [e["actor"] for e in audited(connection, "tasks", "update")]
    assert sorted(actors) == ["reaper", f"worker:{runs.WORKER}"]
    assert {e["actor"] for e in audited(connection, "tools", "insert")} == {"role:postgres"}


@pytest.mark.parametrize(
    "name",
    ["password", "api_key", "apiKey", "API-KEY", "x-api-key", "Authorization", "client_secret", "access_token",
     "accessToken", "private_key", "credentials", "Set-Cookie"],
)  # fmt: skip
def test_secrets_are_masked_however_deep(connection: Connection, alice: uuid.UUID, name: str) -> None:
    task = runs.running(connection, alice)
    call = {"id": "c", "name": "probe", "arguments": {"headers": [{"a": {name: "hunter2"}}]}}
    runs.record_turn(connection, task, 1, call)
    everything = many(connection, "select old_values, new_values from audit_logs")
    assert "hunter2" not in str(everything)
    assert {name: "***"} in _objects(everything)


def test_what_only_sounds_like_a_secret_is_not_masked(connection: Connection, alice: uuid.UUID) -> None:
    connection.execute(
        "update agents set max_tokens = 77, configuration = '{\"keyboard\": \"es\"}' where name = 'Prober'"
    )
    (entry,) = audited(connection, "agents", "update")
    assert entry["new_values"] == {"max_tokens": 77, "configuration": {"keyboard": "es"}}


def test_long_texts_are_recorded_as_their_digest(connection: Connection, alice: uuid.UUID) -> None:
    runs.submit(connection, alice, "word " * 1000)
    (entry,) = audited(connection, "messages", "insert")
    assert entry["new_values"]["content"].keys() == {"sha256", "length"}


@pytest.mark.parametrize(
    "change", ["config_value = '\"new\"'", "is_sensitive = false", "is_sensitive = false, config_value = '1'"]
)
def test_sensitive_configuration_leaves_no_value_behind(connection: Connection, change: str) -> None:
    key = one(
        connection,
        "insert into system_config (config_key, config_value, is_sensitive) values ('key', '\"hunter2\"', true)"
        " returning id",
    )
    connection.execute(f"update system_config set {change} where config_key = 'key'")
    connection.execute("delete from system_config where config_key = 'key'")
    entries = many(
        connection,
        "select * from audit_logs where resource_id = %s order by action = 'delete', action", key["id"],
    )  # fmt: skip
    assert len(entries) == 3
    if "is_sensitive = false" not in change:
        assert "hunter2" not in str(entries)
        assert 'new"' not in str(entries)
    assert "hunter2" not in str(entries[:2])


def test_configuration_that_is_named_like_a_secret_leaves_no_value_behind(connection: Connection) -> None:
    connection.execute("insert into system_config (config_key, config_value) values ('smtp_password', '\"hunter2\"')")
    assert "hunter2" not in str(audited(connection, "system_config", "insert"))


def test_usage_and_heartbeats_are_no_decisions(connection: Connection, alice: uuid.UUID) -> None:
    task = runs.running(connection, alice)
    before = value(connection, "select count(*) from audit_logs where resource_type in ('tools', 'workers')")
    runs.executed(connection, task, 1)
    with acting_as(connection, "agent_worker"):
        connection.execute("select worker_renew(%s, '{}', '{}', 60)", [runs.WORKER])
    assert value(connection, "select count(*) from audit_logs where resource_type in ('tools', 'workers')") == before


def test_the_service_key_is_named(connection: Connection) -> None:
    with acting_as(connection, "service_role"):
        connection.execute("update system_config set config_value = '7' where config_key = 'session_timeout'")
    entry = one(
        connection, "select actor, user_id from audit_logs where resource_type = 'system_config' and action = 'update'"
    )
    assert entry == {"actor": "role:service_role", "user_id": None}


def _objects(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, dict):
        return [found, *(inner for given in found.values() for inner in _objects(given))]
    if isinstance(found, list):
        return [inner for given in found for inner in _objects(given)]
    return []
