"""Agents, tools, configuration, health and the audit by commands and the real API: as user, admin, operator."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from agent_runtime.cli import main
from agent_runtime.person import session
from agent_runtime.person.session import Session
from tests.e2e.desk import a_tool_that_asks, new_person, take, worker_connection

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command as somebody: exit code, what was printed, and the error."""
    monkeypatch.setenv(session.PLACE, str(tmp_path / "session.json"))
    for name in ("DATABASE_URL", "SUPABASE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)

    def type_it(who: Session, *arguments: str) -> tuple[int, str, str]:
        session.save(who)
        monkeypatch.setattr(sys, "argv", ["agent-runtime", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return type_it


@pytest.fixture
def people(stack: Stack) -> tuple[Session, Session, Session]:
    """A user, an admin of the user's tenant, and an operator elsewhere."""
    user, admin, operator = (asyncio.run(new_person(stack, name)) for name in ("user", "admin", "operator"))
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(
            "update public.users set role = 'admin', full_name = 'Ada the Admin',"
            " tenant_id = (select tenant_id from public.users where id = %s) where id = %s",
            [user.user_id, admin.user_id],
        )
        owner.execute("update public.users set is_operator = true where id = %s", [operator.user_id])
    return user, admin, operator


def told(answer: tuple[int, str, str]) -> Any:
    assert answer[0] == 0, answer
    return json.loads(answer[1])


def test_agents_are_shown_edited_and_copied(
    stack: Stack, run: Run, people: tuple[Session, Session, Session], tmp_path: Path
) -> None:
    user, admin, _ = people
    name = f"Mine {uuid.uuid4().hex[:8]}"
    assert "is yours" in run(user, "agents", "clone", "Asistente General", name)[1]
    (tmp_path / "prompt.txt").write_text("Be brief.", encoding="utf-8")
    edited = told(run(
        user, "agents", "edit", name, "--description", "Mine", "--prompt-file", str(tmp_path / "prompt.txt"),
        "--model", "qwen3:8b", "--temperature", "0.1", "--max-tokens", "100", "--tool", "file_read", "--tool",
        "shell_exec", "--standing", "shell_exec", "--limit", "steps=9", "--json",
    ))  # fmt: skip
    assert {column: edited[column] for column in ("system_prompt", "model_name", "temperature", "max_tokens")} == {
        "system_prompt": "Be brief.", "model_name": "qwen3:8b", "temperature": 0.1, "max_tokens": 100,
    }  # fmt: skip
    assert (edited["tools_enabled"], edited["standing_permissions"], edited["configuration"]) == (
        ["file_read", "shell_exec"], ["shell_exec"], {"limits": {"steps": 9}},
    )  # fmt: skip
    shown = run(user, "agents", "show", name)[1]
    assert "steps 9" in shown and "private" in shown and "Be brief." in shown
    assert name in run(user, "agents", "list")[1]
    for arguments, said in (
        (["--model", "a model"], "is not a name of a model"),
        (["--temperature", "3"], "temperature 3.00 is not between 0 and 2"),
        (["--tool", "fly"], "there is no tool named fly"),
        (["--limit", "steps=0"], "limit steps is a number above 0"),
        (["--limit", "steps"], "give a name and a number"),
        ([], "nothing to change"),
        (["--public"], "only an admin can give standing permissions"),
        (["--outward", "http_request=api.example.org"], "only an admin can permit an agent to send without asking"),
        (["--outward", "http_request"], "--outward is TOOL=DESTINATION"),
        (["--outward", "http_request(body=api.example.org"], "--outward is TOOL=DESTINATION"),
    ):
        code, _, error = run(user, "agents", "edit", name, *arguments)
        assert (code in (1, 2), said in error) == (True, True), error
    assert "is changed" in run(admin, "agents", "edit", name, "--public", "--standing", "none", "--limit", "none")[1]
    # A destination may say anything: what binds stands before the first =.
    bound = ("http_request(body, headers)=named by the person", "http_request=exactly (this)=that")
    permitted = told(run(admin, "agents", "edit", name, *(f"--outward={one}" for one in bound), "--json"))
    assert permitted["outward_permissions"] == [
        {"tool": "http_request", "destination": "named by the person", "bound": ["body", "headers"]},
        {"tool": "http_request", "destination": "exactly (this)=that"},
    ]
    shown = run(user, "agents", "show", name)[1]
    assert "http_request(body,headers)=named by the person" in shown and "http_request=exactly (this)=that" in shown
    code, _, error = run(admin, "agents", "edit", name, "--outward", "http_request=*.org")
    assert (code, "a pattern is *.host or *@host" in error) == (2, True), error
    code, _, error = run(user, "agents", "edit", "Asistente General", "--temperature", "1")
    assert (code, "is not yours to change" in error) == (1, True), error
    assert "there is no agent" in run(user, "agents", "show", "Nobody")[2]
    assert run(user, "agents", "edit", name, "--retired")[0] == 0


def test_an_operator_sets_the_platform_and_an_admin_tries_a_tool(
    stack: Stack, run: Run, people: tuple[Session, Session, Session]
) -> None:
    user, admin, operator = people
    tool = a_tool_that_asks(stack)
    code, out, _ = run(operator, "tools", "set", tool, "--timeout", "7", "--approvals", "2")
    assert (code, "is enabled, asks 2 first; 7 s" in out) == (0, True), out
    assert told(run(operator, "tools", "set", tool, "--approvals", "1", "--json"))["approvals_required"] == 1
    for who, arguments, said in (
        (admin, ["tools", "set", tool, "--disable"], "only an operator of the platform"),
        (operator, ["tools", "set", tool], "nothing to change"),
        (operator, ["tools", "set", tool, "--timeout", "0"], "timeout_seconds 0 is not between"),
        (operator, ["tools", "set", "fly", "--enable"], "there is no tool 'fly'"),
        (user, ["config", "set", "session_timeout", "3600"], "only an operator of the platform"),
        (operator, ["config", "set", "session_timeout", "1"], "is not a whole number from 60"),
        (operator, ["config", "set", "no_such_key", "1"], "there is no key"),
        (user, ["tools", "try", tool], "only an admin of the tenant"),
        (admin, ["tools", "try", tool, "[]"], "not a JSON object"),
        (admin, ["tools", "try", tool, "{"], "not JSON"),
        (admin, ["tools", "try", "task_complete"], "is not to be tried"),
    ):
        code, _, error = run(who, *arguments)
        assert (code in (1, 2), said in error) == (True, True), (arguments, error)
    assert run(operator, "config", "set", "session_timeout", "3600")[1] == "session_timeout is 3600.\n"
    assert told(run(operator, "config", "set", "session_timeout", "3600", "--json"))["config_value"] == 3600
    keys = {row["config_key"]: row["config_value"] for row in told(run(user, "config", "list", "--json"))}
    assert (keys["session_timeout"], "default_model" in run(user, "config", "list")[1]) == (3600, True)

    task = told(run(admin, "tools", "try", tool, '{"command": "ls"}', "--json"))
    assert (task["title"], task["usage"]) == (f"Trial of {tool}", {"steps": 1})
    assert f"Trial of {tool}: agent-runtime watch" in run(admin, "tools", "try", tool)[1]
    (call,) = [call for call in told(run(admin, "approvals", "--json")) if call["task_id"] == task["id"]]
    assert call["input_parameters"] == {"command": "ls"}

    # What was done is on record, as theirs.
    log = told(run(admin, "audit", "log", "--table", "conversations", "--actor", f"user:{admin.user_id}", "--json"))
    assert {row["new_values"]["metadata"]["trial"] for row in log} == {tool}
    assert f"user:{operator.user_id}\tupdate\ttools\t" in run(operator, "audit", "log", "--table", "tools")[1]
    which = log[0]["resource_id"]
    narrow = ["--row", which, "--action", "insert", "--since", "2026-01-01", "--until", "2200-01-01", "--limit", "5"]
    assert [row["resource_id"] for row in told(run(admin, "audit", "log", *narrow, "--json"))] == [which]
    assert "the audit is for admins" in run(user, "audit", "log")[2]


def test_lists_find_and_say_who_decided(stack: Stack, run: Run, people: tuple[Session, Session, Session]) -> None:
    user, admin, _ = people
    tool = a_tool_that_asks(stack, approvals_required=2)
    word = f"word{uuid.uuid4().hex[:8]}"
    task = told(run(user, "submit", f"Count {word}", "--agent", tool, "--json"))
    other = told(run(user, "submit", "Something else", "--json"))
    found = ["tasks", "list", "--search", word]
    for arguments in (["--mine"], ["--agent", tool], ["--status", "pending"], []):
        assert [row["id"] for row in told(run(user, *found, *arguments, "--json"))] == [task["id"]]
    assert told(run(user, *found, "--shared", "--json")) == []
    (row,) = told(run(admin, *found, "--shared", "--json"))
    assert (row["agent_name"], row["is_mine"], row["owner_name"]) == (tool, False, user.email.split("@")[0])
    listed = run(user, "tasks", "list", "--limit", "1000")[1]
    assert task["id"] in listed and other["id"] in listed and f"\t{tool}\t0\t\tyou" in listed
    assert "there is no agent" in run(user, "tasks", "list", "--agent", "Nobody")[2]

    async def ask() -> None:
        async with await worker_connection(stack) as connection:
            work = await take(connection, uuid.UUID(task["id"]))
            await work.turn({"name": tool, "arguments": {"command": "ls"}}, content="I look.")
            await work.suspend("approval")

    asyncio.run(ask())
    (call,) = [call for call in told(run(admin, "approvals", "--json")) if call["task_id"] == task["id"]]
    approved = run(admin, "tasks", "approve", call["id"], "--reason", "It is harmless")
    assert approved[0] == 0, approved
    (call,) = [call for call in told(run(user, "approvals", "--json")) if call["task_id"] == task["id"]]
    (decision,) = call["decisions"]
    assert (decision["name"], decision["is_me"], decision["reason"]) == ("Ada the Admin", False, "It is harmless")
    assert "\t1\t2\tAda the Admin\n" in run(user, "approvals")[1]
    assert "approved by Ada the Admin" in run(user, "tasks", "show", task["id"])[1]
    assert run(user, "tasks", "cancel", task["id"])[0] == 0
    assert run(user, "tasks", "cancel", other["id"])[0] == 0
    assert "Ada the Admin" in run(user, "watch", task["id"])[1]


def test_what_screens_do_commands_do(
    stack: Stack, run: Run, people: tuple[Session, Session, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, admin, operator = people

    # A task that is filed for later.
    later = run(user, "submit", "Later", "--not-before", "2090-01-02T08:00:00+02:00")
    assert (later[0], "is pending, not before 2090-01-0" in later[1]) == (0, True), later
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "<-05>5")
        time.tzset()
        try:
            local = told(run(user, "submit", "Later", "--not-before", "2090-01-02 08:00", "--json"))
        finally:
            zone.undo()
            time.tzset()
    assert local["run_after"] == "2090-01-02T13:00:00Z"
    code, filed, error = run(user, "submit", "Now", "--not-before", "2020-01-01", "--json")
    assert (code, json.loads(filed)["run_after"]) == (0, None)
    assert error.startswith("2020-01-01 00:00:00 is over: the task starts at once.\n")

    # Who one is.
    shown = run(operator, "members", "me")[1]
    assert f"address\t{operator.email}\n" in shown and ", your own\n" in shown
    assert "operator of the platform\tyes\n" in shown
    me = told(run(admin, "members", "me", "--json"))
    assert (me["role"], me["is_operator"], me["full_name"]) == ("admin", False, "Ada the Admin")

    # The tenants and their limits.
    slug = me["tenant_name"]
    assert f"{slug}\t{slug}\t2\tNone set\t{me['tenant_id']}\n" == run(operator, "tenants", "list", "--search", slug)[1]
    set_it = ["tenants", "limits", slug.upper(), "--limit", "steps=1000", "--limit", "wall_seconds=0.5"]
    assert run(operator, *set_it)[1] == f"Limits of {slug}: Steps: 1,000, Time: 0.5.\n"
    (row,) = told(run(operator, "tenants", "list", "--search", slug, "--json"))
    assert (row["members"], row["limits"]) == (2, {"steps": 1000, "wall_seconds": 0.5})
    assert told(run(operator, "tenants", "limits", me["tenant_id"], "--clear", "--json"))["limits"] == {}
    assert "There is no such team." in run(operator, "tenants", "list", "--search", "no such team")[2]

    # A copy of an agent for everybody.
    name = f"Published {uuid.uuid4().hex[:8]}"
    assert run(operator, "agents", "clone", "Asistente General", f"{name} draft")[0] == 0
    published = told(run(operator, "agents", "publish", f"{name} draft", "--as", name, "--json"))
    assert (published["name"], published["tenant_id"], published["is_public"]) == (name, None, True)
    assert f"{name} draft is in the catalogue (" in run(operator, "agents", "publish", f"{name} draft")[1]
    assert "the catalogue's" in run(user, "agents", "show", f"{name} draft")[1]

    for who, arguments, code, said in (
        (user, ["submit", "x", "--not-before", "tomorrow"], 2, "'tomorrow' is no time: give it as"),
        (user, ["submit", "x", "--not-before", ""], 2, "is no time"),
        (user, ["submit", "x", "--not-before", "9999-12-31T23:59"], 2, "is no time"),
        (user, ["submit", "x", "--not-before", "2030-02-30T08:00"], 2, "is no time"),
        (user, ["submit", "x", "--limit", "steps"], 2, "--limit steps: give a name and a number"),
        (admin, ["tenants", "list"], 1, "only an operator of the platform"),
        (admin, ["tenants", "limits", me["tenant_id"], "--clear"], 1, "only an operator of the platform"),
        (operator, ["tenants", "limits", slug], 2, "give each limit as in --limit steps=50, or --clear"),
        (operator, ["tenants", "limits", slug, "--clear", "--limit", "steps=1"], 2, "or --clear for none"),
        (operator, ["tenants", "limits", slug, "--limit", "steps=many"], 2, "give a name and a number"),
        (operator, ["tenants", "limits", slug, "--limit", "legs=4"], 2, 'there is no limit "legs"; there are: steps'),
        (operator, ["tenants", "limits", slug[:-1], "--clear"], 2, "there is no tenant"),
        (operator, ["tenants", "limits", str(uuid.uuid4()), "--clear"], 2, "there is no tenant"),
        (user, ["agents", "publish", name, "--as", "Mine"], 1, "only an operator of the platform"),
        (operator, ["agents", "publish", name], 1, f'the catalogue has an agent named "{name}" already'),
    ):
        refused, out, error = run(who, *arguments)
        assert (refused, out, error.count("\n"), said in error) == (code, "", 1, True), (arguments, error)
    with psycopg.connect(stack.database_url) as owner:
        owner.execute("update public.agents set is_active = false where starts_with(name, %s)", [name])
    assert run(user, "tasks", "cancel", json.loads(filed)["id"])[0] == 0


def test_health_names_what_is_wrong_and_what_to_do(
    stack: Stack, run: Run, people: tuple[Session, Session, Session]
) -> None:
    user, admin, operator = people
    assert "only an admin or an operator" in run(user, "health")[2]
    worker = uuid.uuid4()
    with psycopg.connect(stack.worker_database_url, autocommit=True) as connection:
        connection.execute("select worker_register(%s, %s, 7, '1.2', 4, 2)", [worker, f"host-{worker}"])
        health = {"reachable": False, "error": "ConnectError", "model_url": "http://h"}
        connection.execute("select worker_report(%s, %s)", [worker, json.dumps(health)])
    code, out, _ = run(admin, "health")
    assert (code, "model_unreachable: Its model server does not answer" in out) == (1, True), out
    assert "0/4 tasks" in out
    code, out, _ = run(operator, "health", "--json")
    seen = json.loads(out)
    assert (code, seen["scope"]) == (1, "platform")
    assert seen["sizes"]["database_bytes"] > 0
    code, out, _ = run(admin, "workers")
    assert (code, f"host-{worker}\t7\t1.2\tpostgres\tworking\t0/4\t" in out) == (0, True), out
    with psycopg.connect(stack.worker_database_url, autocommit=True) as connection:
        connection.execute("select worker_stopped(%s)", [worker])


def test_a_file_goes_to_a_conversation_at_home_while_one_works_elsewhere(
    stack: Stack, run: Run, people: tuple[Session, Session, Session], tmp_path: Path
) -> None:
    user, _, operator = people
    first = told(run(operator, "submit", "At home", "--json"))
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(
            "update public.users set tenant_id = (select tenant_id from public.users where id = %s) where id = %s",
            [user.user_id, operator.user_id],
        )
    (tmp_path / "note.txt").write_text("still mine", encoding="utf-8")
    there = ["--conversation", first["conversation_id"], "--file", str(tmp_path / "note.txt")]
    task = told(run(operator, "submit", "And this", *there, "--json"))
    assert [file["filename"] for file in told(run(operator, "files", "list", task["id"], "--json"))] == ["note.txt"]
    assert run(operator, "files", "get", task["id"], "note.txt", "--output", str(tmp_path / "got"))[0] == 0
    assert (tmp_path / "got" / "note.txt").read_text(encoding="utf-8") == "still mine"
    nobodys = run(operator, "submit", "x", "--conversation", str(uuid.uuid4()), *there[2:])
    assert (nobodys[0], "there is no conversation" in nobodys[2]) == (2, True), nobodys
    for one in (first, task):
        assert run(operator, "tasks", "cancel", one["id"])[0] == 0
