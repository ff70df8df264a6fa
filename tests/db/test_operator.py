"""Operators change the platform, admins their tenant, people their agents; each change is on record as theirs."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.control import answer
from tests.db.impersonation import (
    DENIED,
    INVALID,
    LIMIT,
    NOT_FOUND,
    WRONG_STATE,
    acting_as,
    affected,
    many,
    one,
    person,
    refused,
    value,
)
from tests.db.people import People, settle_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection, Role, Row


@pytest.fixture
def people(connection: Connection) -> People:
    """Bob, who is alone in his tenant, is an operator, and Dan is an admin of Alice's."""
    people = settle_in(connection)
    connection.execute("update public.users set is_operator = true where id = %s", [people.bob])
    return people


def tool(connection: Connection, name: str = "probe") -> uuid.UUID:
    found: uuid.UUID = value(connection, "select id from public.tools where name = %s", name)
    return found


def call(connection: Connection, who: uuid.UUID, statement: str, *parameters: object) -> Row:
    with person(connection, who):
        return one(connection, f"select * from public.{statement}", *parameters)


def test_nobody_becomes_an_operator_by_any_api(connection: Connection, people: People) -> None:
    raising = "update public.users set is_operator = true where id = %s"
    clients: list[tuple[Role, uuid.UUID | None]] = [
        ("authenticated", people.alice), ("authenticated", people.dan), ("service_role", None),
    ]  # fmt: skip
    for role, user in clients:
        with refused(DENIED, "is_operator cannot be changed"), acting_as(connection, role, user):
            connection.execute(raising, [user or people.alice])
    with person(connection, people.bob):
        assert affected(connection, raising, people.alice) == 0
    with refused(DENIED), acting_as(connection, "service_role"):
        connection.execute("update public.users set is_operator = false where id = %s", [people.bob])
    assert value(connection, "select array_agg(id) from public.users where is_operator") == [people.bob]


def test_access_says_who_one_is(connection: Connection, people: People) -> None:
    connection.execute("update public.users set full_name = 'Vera' where id = %s", [people.vera])
    access = call(connection, people.vera, "my_access()")["my_access"]
    assert access == {
        "user_id": str(people.vera), "tenant_id": str(people.tenant), "tenant_name": "alice",
        "home_tenant_id": access["home_tenant_id"], "role": "viewer", "is_operator": False, "can_write": False,
        "is_admin": False, "email": "vera@example.org", "full_name": "Vera",
    }  # fmt: skip
    for who, flags in ((people.bob, (True, True, False)), (people.dan, (False, True, True))):
        access = call(connection, who, "my_access()")["my_access"]
        assert (access["is_operator"], access["can_write"], access["is_admin"]) == flags
    with refused(DENIED, "sign in first"):
        call(connection, people.eve, "my_access()")


def test_an_operator_sets_the_configuration(connection: Connection, people: People) -> None:
    row = call(connection, people.bob, "set_configuration('max_concurrent_tasks', '20')")
    assert (row["config_value"], row["updated_by"]) == (20, people.bob)
    assert call(connection, people.bob, "set_configuration('session_timeout', '\"120\"')")["config_value"] == 120
    assert call(connection, people.bob, "set_configuration('probe_secret', '{\"a\": 1}')")["config_value"] == {"a": 1}
    logged = one(
        connection,
        "select * from public.audit_logs where resource_type = 'system_config' and action = 'update'"
        " order by chain_seq limit 1",
    )
    assert (logged["actor"], logged["tenant_id"], logged["new_values"]["config_value"]) == (
        f"user:{people.bob}", None, 20,
    )  # fmt: skip
    # What belongs to the platform is on record for who answers for it.
    for who, seen in ((people.bob, True), (people.dan, False)):
        with person(connection, who):
            assert bool(many(connection, "select from public.audit_logs where tenant_id is null")) is seen
    for key, given, said in (
        ("session_timeout", "59", '59. is not|59" for session_timeout is not a whole number from 60'),
        ("default_model", '"default"', "is not a name of a model"),
        ("enable_audit_logging", "1", "is not true or false"),
        ("ollama_base_url", '"http://me:pw@host"', "the value for ollama_base_url is not a URL"),
        ("default_model", "null", "is empty"),
    ):
        with refused(INVALID, said):
            call(connection, people.bob, "set_configuration(%s, %s)", key, given)
    with refused(NOT_FOUND, "there is no key"):
        call(connection, people.bob, "set_configuration('no_such_key', '1')")
    for who in (people.alice, people.vera, people.dan, people.eve):
        with refused(DENIED):
            call(connection, who, "set_configuration('max_concurrent_tasks', '1')")


def test_tools_are_set_by_whose_they_are(connection: Connection, people: People) -> None:
    theirs = value(
        connection,
        "insert into public.tools (name, display_name, description, category, function_schema, tenant_id)"
        " values ('theirs', 'x', 'x', 'test', '{}', %s) returning id",
        people.tenant,
    )
    row = call(connection, people.bob, "set_tool(%s, false, true, 2, 30, 1024)", tool(connection))
    assert [row[name] for name in (
        "is_enabled", "requires_confirmation", "approvals_required", "timeout_seconds", "output_limit_bytes",
    )] == [False, True, 2, 30, 1024]  # fmt: skip
    assert call(connection, people.bob, "set_tool(%s, p_is_enabled => true)", tool(connection))["timeout_seconds"] == 30
    assert call(connection, people.dan, "set_tool(%s, p_timeout_seconds => 5)", theirs)["timeout_seconds"] == 5
    with refused(NOT_FOUND, "there is no tool"):
        call(connection, people.bob, "set_tool(%s, false)", theirs)
    with refused(DENIED, "only an operator"):
        call(connection, people.dan, "set_tool(%s, false)", tool(connection))
    with refused(DENIED, "only an admin"):
        call(connection, people.alice, "set_tool(%s, false)", theirs)
    for parameters, said in (
        ("null", "nothing to change"), ("p_approvals_required => 3", "is not 1 or 2"),
        ("p_timeout_seconds => 0", "is not between"), ("p_output_limit_bytes => 1", "is not between"),
    ):  # fmt: skip
        with refused(INVALID, said):
            call(connection, people.bob, f"set_tool(%s, {parameters})", tool(connection))
    with refused(INVALID, "part of the loop"):
        call(connection, people.bob, "set_tool(%s, false)", tool(connection, "task_complete"))


def test_limits_of_tenants_are_an_operators(connection: Connection, people: People) -> None:
    with person(connection, people.bob):
        (row,) = many(connection, "select * from public.platform_tenants('alice')")
    assert (row["id"], row["members"], row["limits"]) == (people.tenant, 5, {})
    call(connection, people.bob, "set_tenant_limits(%s, '{\"steps\": 7}')", people.tenant)
    assert value(connection, "select settings -> 'limits' from public.tenants where id = %s", people.tenant) == {
        "steps": 7
    }
    call(connection, people.bob, "set_tenant_limits(%s, '{}')", people.tenant)
    with refused(INVALID, "above 0"):
        call(connection, people.bob, "set_tenant_limits(%s, '{\"steps\": 0}')", people.tenant)
    with refused(NOT_FOUND, "there is no tenant"):
        call(connection, people.bob, "set_tenant_limits(%s, '{}')", uuid.uuid4())
    call(
        connection,
        people.bob,
        'set_tenant_allow_hosts(%s, \'["wiki.internal:8080", "[fd00::1]:443", "10.0.0.5"]\')',
        people.tenant,
    )
    assert value(
        connection, "select settings -> 'allow_hosts' ->> 0 from public.tenants where id = %s", people.tenant
    ) == ("wiki.internal:8080")
    for wrong in ("http://x", "x:0", "x:70000", "X", "", "a b", "*"):
        with refused(INVALID, "not a host that can be allowed"):
            call(connection, people.bob, "set_tenant_allow_hosts(%s, %s)", people.tenant, json.dumps([wrong]))
    call(connection, people.bob, "set_tenant_allow_hosts(%s, '[]')", people.tenant)
    with refused(NOT_FOUND, "there is no tenant"):
        call(connection, people.bob, "set_tenant_allow_hosts(%s, '[]')", uuid.uuid4())
    for statement in ("set_tenant_limits(%s, '{}')", "set_tenant_allow_hosts(%s, '[]')", "platform_tenants(%s::text)"):
        with refused(DENIED, "only an operator"):
            call(connection, people.dan, statement, people.tenant)


def test_the_catalogue_is_the_operators(connection: Connection, people: People) -> None:
    prober = value(connection, "select id from public.agents where name = 'Prober'")
    change = "update public.agents set description = 'Changed', standing_permissions = '{probe}' where id = %s"
    with person(connection, people.bob):
        assert affected(connection, change, prober) == 1
    with person(connection, people.dan):
        assert affected(connection, change, prober) == 0
    with refused(DENIED, "the catalogue is changed by operators"), acting_as(connection, "service_role"):
        connection.execute(change, [prober])
    with refused(DENIED, "the catalogue"), acting_as(connection, "service_role", people.bob):
        connection.execute(change, [prober])
    with person(connection, people.bob):
        assert affected(connection, "update public.agents set is_public = false where id = %s", prober) == 1
        # Hidden, and still there for who can show it again.
        assert affected(connection, "update public.agents set is_public = true where id = %s", prober) == 1
    with refused(DENIED), person(connection, people.bob):
        connection.execute("update public.agents set tenant_id = %s where id = %s", [people.tenant, prober])

    published = call(connection, people.bob, "publish_agent(%s, 'Prober 2')", prober)
    assert (published["tenant_id"], published["is_public"], published["standing_permissions"]) == (None, True, [])
    with refused(WRONG_STATE, " already"):
        call(connection, people.bob, "publish_agent(%s, 'Prober 2')", prober)
    with refused(NOT_FOUND, "there is no agent"):
        call(connection, people.bob, "publish_agent(%s)", people.private_agent)
    with refused(DENIED, "only an operator"):
        call(connection, people.dan, "publish_agent(%s)", people.private_agent)
    with person(connection, people.bob):
        assert affected(connection, "delete from public.agents where id = %s", published["id"]) == 1


def test_a_copy_of_an_agent_is_ones_own(connection: Connection, people: People) -> None:
    connection.execute(
        "update public.agents set standing_permissions = '{probe}', configuration = '{\"limits\": {\"steps\": 3}}',"
        " temperature = 0.2 where id = %s",
        [people.tenant_agent],
    )
    copy = call(connection, people.frank, "clone_agent(%s, ' Mine now ')", people.tenant_agent)
    assert (copy["name"], copy["created_by"], copy["tenant_id"], copy["is_public"], copy["standing_permissions"]) == (
        "Mine now", people.frank, people.tenant, False, [],
    )  # fmt: skip
    assert (copy["configuration"], float(copy["temperature"])) == ({"limits": {"steps": 3}}, 0.2)
    copy = call(connection, people.dan, "clone_agent(%s, 'Mine now')", people.tenant_agent)
    assert copy["standing_permissions"] == ["probe"]
    general = value(connection, "select id from public.agents where name = 'Asistente General'")
    assert call(connection, people.dan, "clone_agent(%s, 'x')", general)["standing_permissions"] == []
    with refused(INVALID, "is not within"):
        call(connection, people.frank, "clone_agent(%s, ' ')", people.tenant_agent)
    for who, agent in ((people.frank, people.private_agent), (people.bob, people.tenant_agent)):
        with refused(NOT_FOUND, "there is no agent"):
            call(connection, who, "clone_agent(%s, 'x')", agent)
    for who in (people.vera, people.eve):
        with refused(DENIED):
            call(connection, who, "clone_agent(%s, 'x')", people.tenant_agent)


BAD_AGENTS: list[tuple[str, Any, str]] = [
    ("name", " ", "the name of the agent is empty"),
    ("system_prompt", "", "is empty"),
    ("model_name", "a model", "is not a name of a model"),
    ("temperature", 2.1, "temperature 2.10 is not between 0 and 2"),
    ("max_tokens", 0, "max_tokens 0 is not between"),
    ("memory_limit", -1, "memory_limit -1 is not between"),
    ("configuration", "[]", "configuration is not an object"),
    ("tools_enabled", ["probe", None], "is not a tool"),
    ("configuration", json.dumps({"limits": {"steps": 0}}), "above 0"),
]


def test_an_agents_columns_say_what_they_take(connection: Connection, people: People) -> None:
    for column, given, said in BAD_AGENTS:
        with refused(INVALID, said), person(connection, people.alice):
            connection.execute(f"update public.agents set {column} = %s where id = %s", [given, people.private_agent])
    for column in ("tools_enabled", "standing_permissions"):
        with refused(NOT_FOUND, "there is no tool named fly"), person(connection, people.alice):
            connection.execute(
                f"update public.agents set {column} = '{{probe,fly}}' where id = %s", [people.private_agent]
            )
    good = (
        "update public.agents set name = 'New', description = 'd', system_prompt = 's', model_name = 'qwen3:8b',"
        " temperature = 1, max_tokens = 10, tools_enabled = '{probe}', memory_enabled = false, memory_limit = 5,"
        ' configuration = \'{"limits": {"steps": 9}}\', is_active = false, standing_permissions = %s,'
        " is_public = %s where id = %s"
    )
    with person(connection, people.alice):
        # For oneself alone one answers oneself; in an agent that others use, an admin does.
        assert affected(connection, good, ["probe"], False, people.private_agent) == 1
    with refused(DENIED, "only an admin can give standing permissions"), person(connection, people.alice):
        connection.execute("update public.agents set is_public = true where id = %s", [people.private_agent])
    with refused(DENIED, "only an admin can give standing permissions"), person(connection, people.alice):
        connection.execute(good, [["probe"], True, people.tenant_agent])
    with person(connection, people.dan):
        assert affected(connection, good, ["probe"], True, people.tenant_agent) == 1
    # An operator is no admin of anybody's tenant.
    with refused(DENIED, "only an admin can give standing permissions"), person(connection, people.bob):
        connection.execute(
            "insert into public.agents (name, system_prompt, model_name, is_public, standing_permissions)"
            " values ('x', 'x', 'default', true, '{probe}')"
        )
    with person(connection, people.alice):
        assert affected(connection, good, ["probe"], True, people.tenant_agent) == 1
        assert affected(connection, good, [], True, people.tenant_agent) == 1
    for who in (people.vera, people.frank):
        with person(connection, who):
            assert affected(connection, "update public.agents set name = 'x' where id = %s", people.tenant_agent) == 0


def test_an_admin_tries_a_tool_and_no_model_is_asked(connection: Connection, people: People) -> None:
    connection.execute("update public.tasks set priority = 5 where id = %s", [people.task["id"]])
    task = call(connection, people.dan, 'try_tool(%s, \'{"path": "a"}\')', tool(connection, "probe_confirm"))
    assert (task["status"], task["user_id"], task["usage"], task["limits"]) == (
        "pending", people.dan, {"steps": 1}, {"steps": 1},
    )  # fmt: skip
    metadata = "select metadata from public.conversations where id = %s"
    assert value(connection, metadata, task["conversation_id"]) == {"trial": "probe_confirm"}
    calls = many(
        connection,
        "select t.name, e.status, e.input_parameters, e.approvals_needed from public.tool_executions e"
        " join public.tools t on t.id = e.tool_id where e.task_id = %s order by e.call_index",
        task["id"],
    )
    assert [(row["name"], row["status"], row["approvals_needed"]) for row in calls] == [
        ("probe_confirm", "awaiting_approval", 1), ("task_complete", "pending", 0),
    ]  # fmt: skip
    assert calls[0]["input_parameters"] == {"path": "a"}
    # The worker is given the tool, whichever tools the agent has; the model it never asks.
    connection.execute("update public.agents set tools_enabled = '{}' where id = %s", [task["agent_id"]])
    (claimed,) = (row for row in runs.claim(connection, 10) if row["id"] == task["id"])
    with acting_as(connection, "agent_worker"):
        context = value(connection, "select public.worker_context(%s, %s)", task["id"], claimed["lease_token"])
    assert "probe_confirm" in {row["name"] for row in context["tools"]}
    assert "probe" not in {row["name"] for row in context["tools"]}
    with refused(LIMIT, "limit steps reached"):
        runs.record_turn(connection, claimed, 2)
    answer(connection, people.dan, task)
    logged = many(
        connection, "select distinct actor from public.audit_logs where resource_type = 'tool_executions'"
        " and new_values ->> 'task_id' = %s", str(task["id"]),
    )  # fmt: skip
    assert [row["actor"] for row in logged] == [f"user:{people.dan}"]

    for given, statement, said, state in (
        ("probe", "'[]'", "is not an object", INVALID),
        ("task_complete", "'{}'", "is not to be tried", INVALID),
        ("probe_disabled", "'{}'", "is disabled", WRONG_STATE),
        ("probe", "jsonb_build_object('a', repeat('x', 200000))", "limit arguments_bytes reached", LIMIT),
    ):
        with refused(state, said):
            call(connection, people.dan, f"try_tool(%s, {statement})", tool(connection, given))
    with refused(NOT_FOUND, "there is no tool"):
        call(connection, people.dan, "try_tool(%s)", uuid.uuid4())
    for who in (people.alice, people.vera, people.eve, people.bob):
        with refused(DENIED):
            call(connection, who, "try_tool(%s)", tool(connection))


def test_a_workers_report_shows_as_health(connection: Connection, people: People) -> None:
    def report(**health: object) -> Row:
        with acting_as(connection, "agent_worker"):
            found: Row = value(connection, "select public.worker_report(%s, %s)", runs.WORKER, json.dumps(health))
        return found

    def health(who: uuid.UUID) -> Row:
        found: Row = call(connection, who, "runtime_health()")["runtime_health"]
        return found

    assert health(people.dan)["workers"][0]["problem"] == "no_report"
    connection.execute("update public.agents set model_name = 'llama3' where id = %s", [people.tenant_agent])
    told = report(model_url="http://h", reachable=True, version="1", stand_in=False, models=["qwen3:8b", "m:latest"])
    assert told == {"missing": ["llama3"]}
    seen = health(people.dan)
    (worker,) = seen["workers"]
    assert (worker["problem"], worker["missing"], worker["state"], worker["running"], worker["capacity"]) == (
        "model_missing", ["llama3"], "working", 2, 4,
    )  # fmt: skip
    assert "ollama pull" in worker["remedy"]
    assert (seen["scope"], seen["queue"]["running"], seen["audit"]["enabled"]) == ("tenant", 2, True)
    assert (seen["sizes"]["files_bytes"], seen["model"]["missing"], seen["model"]["problem"]) == (
        3, ["llama3"], "model_missing",
    )  # fmt: skip
    with person(connection, people.alice):
        assert value(connection, "select public.runtime_status() -> 'model'") == {
            "reachable": True, "stand_in": False, "missing": ["llama3"],
        }  # fmt: skip
    # Another tenant's agents are nobody else's to know of.
    with person(connection, people.bob):
        assert value(connection, "select public.runtime_status() -> 'model' -> 'missing'") == []
    assert report(reachable=True, models=["llama3:latest"], model="llama3") == {"missing": []}
    for given, problem in (
        ({"reachable": False, "error": "no route"}, "model_unreachable"),
        ({"reachable": True, "stand_in": True, "models": []}, "model_stand_in"),
    ):
        report(**given)
        assert health(people.dan)["workers"][0]["problem"] == problem
        assert health(people.bob)["model"]["problem"] == problem

    connection.execute("update public.workers set heartbeat_at = now() - interval '5 minutes'")
    connection.execute(
        "update public.tasks set lease_expires_at = now() - interval '5 minutes' where status = 'running'"
    )
    seen = health(people.bob)
    assert (seen["scope"], seen["workers"][0]["problem"], seen["queue"]["problem"]) == (
        "platform", "worker_lost", "no_worker",
    )  # fmt: skip
    assert (seen["queue"]["overdue_leases"], seen["sizes"]["tables"]["tasks"]["bytes"] > 0) == (2, True)
    runs.register(connection)
    assert health(people.bob)["queue"]["problem"] == "leases_overdue"
    runs.reap(connection)
    seen = health(people.bob)
    assert seen["reap"]["age_seconds"] == 0
    connection.execute("update public.tasks set created_at = now() - interval '2 minutes' where status = 'pending'")
    connection.execute(
        "update public.system_config set config_value = 'false' where config_key = 'enable_audit_logging'"
    )
    connection.execute("update private.duties set done_at = now() - interval '6 minutes'")
    seen = health(people.bob)
    assert [seen[part]["problem"] for part in ("queue", "reap", "audit")] == ["queue_stuck", "reap_late", "audit_off"]
    for who in (people.alice, people.vera, people.eve):
        with refused(DENIED):
            health(who)
    with refused(NOT_FOUND, "there is no worker"), acting_as(connection, "service_role"):
        connection.execute("select public.worker_report(%s, '{}')", [uuid.uuid4()])
    with refused(DENIED), person(connection, people.bob):
        connection.execute("select public.worker_report(%s, '{}')", [runs.WORKER])
    with refused(DENIED), acting_as(connection, "anon"):
        connection.execute("select public.worker_report(%s, '{}')", [runs.WORKER])


OURS = (
    "my_access()", "set_configuration('default_model', '1')", "set_tool(gen_random_uuid())", "platform_tenants()",
    "set_tenant_limits(gen_random_uuid(), '{}')", "set_tenant_allow_hosts(gen_random_uuid(), '[]')",
    "clone_agent(gen_random_uuid(), 'x')",
    "publish_agent(gen_random_uuid())", "try_tool(gen_random_uuid())", "runtime_health()",
)  # fmt: skip


def test_no_key_calls_what_a_person_does(connection: Connection, people: People) -> None:
    keys: tuple[Role, ...] = ("anon", "service_role", "agent_worker")
    for role in keys:
        for function in OURS:
            with refused(DENIED, "permission denied"), acting_as(connection, role):
                connection.execute(f"select public.{function}")


@pytest.fixture
def committed(database18: Database) -> Iterator[Connection]:
    with psycopg.connect(database18.owner, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def test_a_tools_sql_is_no_operator(committed: Connection) -> None:
    people = settle_in(committed)
    committed.execute("update public.users set is_operator = true, role = 'admin' where id = %s", [people.alice])
    committed.execute("update public.tools set is_enabled = true where name = 'db_query'")
    committed.execute("update public.agents set tools_enabled = tools_enabled || '{db_query}' where name = 'Prober'")
    task = people.task

    def query(statement: str) -> Row:
        with acting_as(committed, "agent_worker"):
            found: Row = value(
                committed, "select public.worker_query(%s, %s, %s, 10, 65536, 5)", task["id"], task["lease_token"],
                statement,
            )  # fmt: skip
        return found

    assert query("select title from public.task_overview where is_mine")["rows"] == [["Do it"]]
    for statement in (
        "select public.set_configuration('max_concurrent_tasks', '1')",
        "select public.platform_tenants()",
        "select public.try_tool(gen_random_uuid())",
        "select public.clone_agent(gen_random_uuid(), 'x')",
        "update public.agents set name = 'x'",
        "select private.owner_name(gen_random_uuid())",
    ):
        assert "error" in query(statement), statement
