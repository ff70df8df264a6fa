"""The scripts for admins: twice as once, by psql as in the SQL editor, and nonsense changes nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from agent_runtime import resources
from tests.db import runs
from tests.db.impersonation import many, one, value
from tests.db.programs import psql

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row

FOLDER = resources.sql() / "seed" / "admin"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.sql"))
PROMOTE, OPERATOR, AGENT, REGISTER, ENABLE, CONFIGURE, LIMIT, HOSTS, TRUST, MOVE = (
    "promote_user_to_admin.sql", "promote_user_to_operator.sql",
    "add_or_change_agent.sql", "register_tool.sql", "enable_or_forbid_tool.sql",
    "set_configuration.sql", "set_tenant_limits.sql", "set_tenant_allow_hosts.sql", "trust_uploads.sql",
    "move_user_to_tenant.sql",
)  # fmt: skip


def script(name: str, /, **parameters: str) -> str:
    """The script with its parameters replaced by SQL expressions, as an admin edits it."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for parameter, expression in parameters.items():
        pattern = rf"(?m)^(  v_{parameter} [a-z]+(?:\[\])? := ).*?;(?=\s)"
        text, found = re.subn(pattern, rf"\g<1>{expression};", text)
        assert found == 1, parameter
    return text


def run(connection: Connection, name: str, /, **parameters: str) -> list[Row]:
    """As the SQL editor runs it: the whole text at once. Gives the rows that it shows."""
    with connection.transaction():
        cursor = connection.execute(script(name, **parameters))
        while cursor.nextset():
            pass
        return cursor.fetchall()


def everything(connection: Connection) -> list[list[Row]]:
    tables = "users", "tenants", "agents", "tools", "system_config", "audit_logs"
    return [many(connection, f"select * from public.{table} order by id") for table in tables]


def test_there_is_no_other_script() -> None:
    assert sorted([PROMOTE, OPERATOR, AGENT, REGISTER, ENABLE, CONFIGURE, LIMIT, HOSTS, TRUST, MOVE]) == SCRIPTS


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_nobody_filled_in_asks_for_it(
    shared_database: Database, connection: Connection, name: str
) -> None:
    before = everything(connection)
    finished = psql(shared_database, "-f", str(FOLDER / name))
    assert finished.returncode == 3
    assert re.search(r"ERROR:  set v_\w+( and v_\w+)? first, at the top of this script", finished.stderr)
    assert everything(connection) == before


STEPS = """'{"steps": 50}'"""
OUTWARD = """'[{"tool": "db_execute", "destination": "the database"}]'"""
FILLED_IN: list[tuple[str, dict[str, str]]] = [
    (PROMOTE, {"email": "' Ana@Example.org'"}),
    (OPERATOR, {"email": "'Ana@example.org '"}),
    (MOVE, {"email": "'Ana@example.org '", "tenant": "'elsewhere'", "role": "'viewer'"}),
    (AGENT, {"name": "'Analyst'", "system_prompt": "'Analyse.'", "tools_enabled": "array['file_read']"}),
    (AGENT, {"name": "'Asistente General'", "temperature": "0", "is_active": "false"}),
    (REGISTER, {"name": "'lookup'", "display_name": "'Look'", "description": "'Looks; it''s slow.'"}),
    (ENABLE, {"name": "'shell_exec'", "is_enabled": "false", "timeout_seconds": "9"}),
    (AGENT, {"name": "'Asistente General'", "standing_permissions": "array['shell_exec']", "limits": STEPS}),
    (ENABLE, {"name": "'shell_exec'", "requires_confirmation": "true", "approvals_required": "2"}),
    (LIMIT, {"tenant": "'Ana@example.org'", "limits": STEPS}),
    (HOSTS, {"tenant": "'Ana@example.org'", "hosts": """'["wiki.internal:8080"]'"""}),
    (TRUST, {"tenant": "'Ana@example.org'", "trusted": "true"}),
    (AGENT, {"name": "'Asistente General'", "outward_permissions": OUTWARD}),
    (CONFIGURE, {"key": "'default_model'", "value": "'llama3.1:8b'"}),
    (CONFIGURE, {"key": "'smtp.host'", "value": "'\"mail\"'", "is_new": "true", "is_sensitive": "true"}),
]


@pytest.mark.parametrize(("name", "parameters"), FILLED_IN)
def test_a_script_run_twice_has_run_once(connection: Connection, name: str, parameters: dict[str, str]) -> None:
    runs.sign_up(connection, "ana@example.org")
    connection.execute("insert into public.tenants (slug, name) values ('elsewhere', 'Elsewhere')")
    before = everything(connection)
    shown = run(connection, name, **parameters)
    once = everything(connection)
    assert once != before
    assert shown != []
    assert run(connection, name, **parameters) == shown
    assert everything(connection) == once


def test_psql_runs_them_all(database: Database) -> None:
    with psycopg.connect(database.owner) as owner:
        owner.execute("insert into auth.users (email) values ('ana@example.org')")
        owner.execute("insert into public.tenants (slug, name) values ('elsewhere', 'Elsewhere')")
    for name, parameters in FILLED_IN:
        finished = psql(database, "-c", script(name, **parameters))
        assert finished.returncode == 0, finished.stderr
        assert finished.stderr.startswith("NOTICE:  ")


def test_a_user_becomes_an_operator_and_is_one_no_more(connection: Connection) -> None:
    runs.sign_up(connection, "ana@example.org")
    assert run(connection, OPERATOR, email="'ANA@example.org'") == [
        {"email": "ana@example.org", "username": "ana", "role": "user", "tenant": "ana"}
    ]
    assert run(connection, OPERATOR, email="'ana@example.org'", is_operator="false") == []


def test_a_user_becomes_an_admin_by_its_address(connection: Connection) -> None:
    user = runs.sign_up(connection, "ana@example.org")
    assert run(connection, PROMOTE, email="'ANA@example.org'") == [
        {"email": "ana@example.org", "username": "ana", "role": "admin", "tenant": "ana"}
    ]
    assert value(connection, "select role from public.users where id = %s", user) == "admin"


def test_a_look_alike_is_not_taken_for_somebody(connection: Connection) -> None:
    # The Kelvin sign, which is a k in lower case.
    runs.sign_up(connection, "\u212aate@example.org")
    for name, parameters in ((PROMOTE, {}), (MOVE, {"tenant": "'somewhere'"})):
        with pytest.raises(psycopg.Error, match="nobody has signed up as kate"), connection.transaction():
            run(connection, name, email="'kate@example.org'", **parameters)
    with pytest.raises(psycopg.Error, match="there is no tenant kate"), connection.transaction():
        run(connection, LIMIT, tenant="'kate@example.org'", limits=STEPS)


def test_a_user_is_moved_and_keeps_a_home(connection: Connection) -> None:
    for name in ("ana", "ben", "eva"):
        runs.sign_up(connection, f"{name}@example.org")
    run(connection, PROMOTE, email="'ana@example.org'")
    task = runs.submit(connection, value(connection, "select id from users where username = 'ben'"), agent=None)
    shown = run(connection, MOVE, email="'ben@example.org'", tenant="'ana@example.org'")
    assert {"email": "ben@example.org", "role": "user", "tenant": "ana", "home": "ben"} in shown
    # What is at home goes on.
    assert runs.task_row(connection, task)["status"] == "pending"
    with pytest.raises(psycopg.Error, match="is the last admin of a tenant with other members"):
        run(connection, MOVE, email="'ana@example.org'", tenant="'eva'")
    run(connection, MOVE, email="'ben@example.org'", tenant="'ana'", role="'admin'")
    run(connection, MOVE, email="'ana@example.org'", tenant="'eva'")
    assert value(connection, "select tenant_id <> home_tenant_id from users where username = 'ana'")
    # Home again, where nobody else is.
    run(connection, MOVE, email="'ben@example.org'", tenant="'ben'")


def test_an_agent_is_added_and_then_changed_where_it_is_said(connection: Connection) -> None:
    run(connection, AGENT, name="'Analyst'", system_prompt="'Analyse.'", tools_enabled="array['file_read']")
    run(connection, AGENT, name="'Analyst'", model_name="'qwen3:4b'")
    changed = (
        "select system_prompt, model_name, tools_enabled, is_public, tenant_id, created_by from agents where name = %s"
    )
    assert one(connection, changed, "Analyst") == {
        "system_prompt": "Analyse.", "model_name": "qwen3:4b", "tools_enabled": ["file_read"], "is_public": True,
        "tenant_id": None, "created_by": None,
    }  # fmt: skip
    user = runs.sign_up(connection, "ana@example.org")
    assert runs.submit(connection, user, agent="Analyst")["status"] == "pending"


def test_a_tool_is_registered_disabled_and_then_enabled(connection: Connection) -> None:
    schema = """'{"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}'"""
    parameters = {"name": "'lookup'", "display_name": "'Look up'", "description": "'Looks up.'", "parameters": schema}
    run(connection, REGISTER, **parameters)
    made = one(connection, "select is_enabled, function_schema, requires_confirmation from tools where name = 'lookup'")
    assert (made["is_enabled"], made["requires_confirmation"]) == (False, True)
    function: dict[str, Any] = made["function_schema"]["function"]
    assert (function["name"], function["parameters"]["required"]) == ("lookup", ["id"])
    run(connection, ENABLE, name="'lookup'", is_enabled="true", requires_confirmation="false")
    run(connection, REGISTER, **parameters)
    again = one(connection, "select is_enabled, requires_confirmation from tools where name = 'lookup'")
    assert again == {"is_enabled": True, "requires_confirmation": True}


def test_limits_are_set_replaced_and_taken_away(connection: Connection) -> None:
    user = runs.sign_up(connection, "ana@example.org")
    found = "select limits from (select private.limits_of(t) as limits from tasks t where id = %s) l"
    run(connection, LIMIT, tenant="'ana'", limits="""'{"steps": 50, "tool_calls": 9}'""")
    task = runs.submit(connection, user, agent="Asistente General", limits='{"tool_calls": 20, "wall_seconds": 60}')
    assert value(connection, found, task["id"]) == {"steps": 50, "tool_calls": 9, "wall_seconds": 60}
    run(connection, AGENT, name="'Asistente General'", limits="""'{"steps": 7}'""")
    run(connection, LIMIT, tenant="'ana@example.org'", limits="""'{"output_bytes": 1000}'""")
    assert value(connection, found, task["id"]) == {
        "steps": 7, "tool_calls": 20, "wall_seconds": 60, "output_bytes": 1000,
    }  # fmt: skip
    run(connection, AGENT, name="'Asistente General'", limits="'{}'")
    run(connection, LIMIT, tenant="'ana'", limits="'{}'")
    assert value(connection, found, task["id"]) == {"tool_calls": 20, "wall_seconds": 60}
    assert value(connection, "select settings ? 'limits' from tenants where slug = 'ana'") is False


def test_an_admin_says_who_must_approve_what(connection: Connection) -> None:
    needed = (
        "select private.approvals_for(t, a.id) from tools t, agents a"
        " where t.name = 'shell_exec' and a.name = 'Analyst'"
    )
    run(connection, AGENT, name="'Analyst'", system_prompt="'x'", tools_enabled="array['shell_exec']")
    assert value(connection, needed) == 1
    run(connection, ENABLE, name="'shell_exec'", approvals_required="2")
    assert value(connection, needed) == 2
    run(connection, AGENT, name="'Analyst'", standing_permissions="array['shell_exec']")
    # It stands for one person's approval, never for two people's.
    assert value(connection, needed) == 2
    run(connection, ENABLE, name="'shell_exec'", approvals_required="1")
    assert value(connection, needed) == 0
    run(connection, ENABLE, name="'shell_exec'", requires_confirmation="true")
    assert value(connection, needed) == 1


@pytest.mark.parametrize(
    ("key", "given", "stored"),
    [
        ("ollama_base_url", "https://models.example.org:443/ollama", "https://models.example.org:443/ollama"),
        ("default_model", "hf.co/org/model-GGUF:Q4_K_M", "hf.co/org/model-GGUF:Q4_K_M"),
        ("max_conversation_history", "250", 250),
        ("file_upload_max_size", "5368709120", 5368709120),
        ("session_timeout", "60", 60),
        ("enable_audit_logging", "false", False),
        ("max_concurrent_tasks", "1", 1),
        ("approval_timeout", "60", 60),
    ],
)
def test_every_key_can_be_set(connection: Connection, key: str, given: str, stored: object) -> None:
    run(connection, CONFIGURE, key=f"'{key}'", value=f"'{given}'")
    assert value(connection, "select config_value from system_config where config_key = %s", key) == stored


def test_sensitive_values_are_not_shown(connection: Connection) -> None:
    shown = run(connection, CONFIGURE, key="'smtp.password'", value="'\"hunter2\"'", is_new="true", is_sensitive="true")
    assert "hunter2" not in str(shown)
    assert "hunter2" not in str(everything(connection)[-1])
    with pytest.raises(psycopg.Error) as refusal:
        run(connection, CONFIGURE, key="'smtp.password'", value="'hunter3'")
    assert "hunter3" not in str(refusal.value).split("CONTEXT")[0]


NONSENSE: list[tuple[str, dict[str, str], str]] = [
    (PROMOTE, {"email": "'nobody@example.org'"}, "nobody has signed up as nobody@example.org"),
    (PROMOTE, {"email": "null"}, "set v_email first"),
    (PROMOTE, {"email": "'eve@example.org'"}, "eve@example.org is deactivated"),
    (PROMOTE, {"email": "'%'"}, "nobody has signed up as %"),
    (AGENT, {"name": "'New'"}, "set v_system_prompt: there is no agent New yet"),
    (AGENT, {"name": "'New'", "system_prompt": "'  '"}, "v_system_prompt is empty"),
    (AGENT, {"name": "repeat('x', 256)", "system_prompt": "'x'"}, "longer than 255"),
    (AGENT, {"name": "'Asistente General'", "temperature": "2.5"}, "2.5 is not between 0 and 2"),
    (AGENT, {"name": "'Asistente General'", "temperature": "-1"}, "-1 is not between 0 and 2"),
    (AGENT, {"name": "'Asistente General'", "max_tokens": "0"}, "0 is not between 1 and 1000000"),
    (AGENT, {"name": "'Asistente General'", "model_name": "'a b'"}, "a b is no name of a model"),
    (AGENT, {"name": "'Asistente General'", "model_name": "''"}, "is no name of a model"),
    (AGENT, {"name": "'Asistente General'", "tools_enabled": "array['file_read', 'fly']"}, "not there: fly"),
    (AGENT, {"name": "'Asistente General'", "tools_enabled": "array[null]::text[]"}, "holds a null"),
    (AGENT, {"name": "'Asistente General'", "standing_permissions": "array['fly']"}, "not there: fly"),
    (AGENT, {"name": "'Asistente General'", "standing_permissions": "array[null]::text[]"}, "holds a null"),
    (AGENT, {"name": "'Asistente General'", "limits": """'{"stepz": 1}'"""}, 'there is no limit "stepz"'),
    (AGENT, {"name": "'Asistente General'", "limits": "'[]'"}, "limits is an object"),
    (AGENT, {"name": "'Asistente General'", "outward_permissions": """'[{"tool": "x"}]'"""}, "names no destination"),
    (TRUST, {"tenant": "'nobody'", "trusted": "true"}, "there is no tenant nobody"),
    (TRUST, {"tenant": "'eve'"}, "set v_tenant and v_trusted first"),
    (LIMIT, {"tenant": "'nobody'", "limits": STEPS}, "there is no tenant nobody"),
    (LIMIT, {"tenant": "'eve'"}, "set v_tenant and v_limits first"),
    (LIMIT, {"tenant": "'eve'", "limits": "'null'"}, "limits is an object"),
    (LIMIT, {"tenant": "'eve'", "limits": """'{"steps": 0}'"""}, "limit steps is a number above 0"),
    (LIMIT, {"tenant": "'eve'", "limits": """'{"steps": "many"}'"""}, "limit steps is a number above 0"),
    (REGISTER, {"name": "'Look up'"}, "must be small letters"),
    (REGISTER, {"name": "'look'"}, "v_display_name needs"),
    (REGISTER, {"name": "'look'", "display_name": "'x'"}, "v_description is empty"),
    *(
        (REGISTER, {"name": "'look'", "display_name": "'x'", "description": "'x'", parameter: given}, said)
        for parameter, given, said in (
            ("category", "'control'", "cannot be registered"),
            ("parameters", "'[]'", "no JSON schema of an object"),
            ("parameters", "null", "no JSON schema of an object"),
            ("parameters", """'{"type": "object", "properties": {}, "required": ["a"]}'""", "requires what is not"),
            ("parameters", """'{"type": "object", "properties": {}, "required": 1}'""", "no JSON schema of an object"),
            ("implementation_type", "'builtin'", "builtin is not python"),
            ("implementation_type", "'cobol'", "cobol is not python"),
            ("security_level", "'fine'", "fine is not safe"),
            ("retry_class", "null", "is not pure"),
            ("taints", "null", "are true or false"),
            ("destination", "'url'", "neither names of arguments nor"),
            ("destination", "'='", "neither names of arguments nor"),
            ("approvals_required", "3", "3 is not 1 or 2"),
            ("approvals_required", "null", "is not 1 or 2"),
            ("timeout_seconds", "0", "0 is not between"),
            ("output_limit_bytes", "1", "1 is not between"),
        )
    ),
    (REGISTER, {"name": "'task_complete'", "display_name": "'x'", "description": "'x'"}, "cannot be registered"),
    (ENABLE, {"name": "'fly'", "is_enabled": "true"}, "there is no tool named fly"),
    (ENABLE, {"name": "'shell_exec'"}, "nothing to change"),
    (ENABLE, {"name": "'task_complete'", "is_enabled": "false"}, "part of the loop"),
    (ENABLE, {"name": "'shell_exec'", "timeout_seconds": "86401"}, "86401 is not between"),
    (ENABLE, {"name": "'shell_exec'", "output_limit_bytes": "255"}, "255 is not between"),
    (ENABLE, {"name": "'shell_exec'", "approvals_required": "0"}, "0 is not 1 or 2"),
    (CONFIGURE, {"key": "'default_model'"}, "set v_key and v_value first"),
    (CONFIGURE, {"key": "'defualt_model'", "value": "'x'"}, "there is no key defualt_model"),
    (CONFIGURE, {"key": "'Bad Key'", "value": "'1'", "is_new": "true"}, "must be small letters"),
    (CONFIGURE, {"key": "'my.key'", "value": "'{'", "is_new": "true"}, "is not JSON"),
    *(
        (CONFIGURE, {"key": f"'{key}'", "value": f"'{given}'"}, said)
        for key, given, said in (
            ("ollama_base_url", "localhost:11434", "is not a URL"),
            ("ollama_base_url", "ftp://x", "is not a URL"),
            ("ollama_base_url", "http://", "is not a URL"),
            ("ollama_base_url", "http://user:secret@host", "is not a URL"),
            ("default_model", "a model", "is not a name of a model"),
            ("default_model", "default", "is not a name of a model"),
            ("max_conversation_history", "0", "from 1 to 10000"),
            ("max_conversation_history", "ten", "from 1 to 10000"),
            ("file_upload_max_size", "100MB", "from 1 to 5368709120"),
            ("file_upload_max_size", "-1", "from 1 to 5368709120"),
            ("approval_timeout", "59", "from 60 to 31536000"),
            ("session_timeout", "59", "from 60 to 31536000"),
            ("session_timeout", "3600.5", "from 60 to 31536000"),
            ("max_concurrent_tasks", "99999999999999999999", "from 1 to 1000"),
            ("enable_audit_logging", "yes", "is not true or false"),
        )
    ),
]


@pytest.mark.parametrize(("name", "parameters", "said"), NONSENSE)
def test_nonsense_is_refused_in_a_line_and_changes_nothing(
    connection: Connection, name: str, parameters: dict[str, str], said: str
) -> None:
    eve = runs.sign_up(connection, "eve@example.org")
    connection.execute("update public.users set is_active = false where id = %s", [eve])
    before = everything(connection)
    with pytest.raises(psycopg.Error, match=re.escape(said)) as refusal:
        run(connection, name, **parameters)
    assert (refusal.value.sqlstate or "").startswith("AR")
    assert "\n" not in (refusal.value.diag.message_primary or "")
    assert everything(connection) == before
