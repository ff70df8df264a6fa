"""The person's commands, as a person types them: what is printed, what is refused, what a script can rely on."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from agent_runtime.cli import main
from agent_runtime.person import session
from agent_runtime.person.session import Session
from agent_runtime.storage import Storage, storage_path
from tests.e2e.desk import PASSWORD, Work, a_tool_that_asks, new_person, take, worker_connection

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack


@dataclass(frozen=True)
class Printed:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Printed]


class Terminal(io.StringIO):
    """Standard input of somebody who sits there."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command. `stdin` is what is piped into it, or what is `typed` at the terminal."""

    def type_it(*arguments: str | Path, stdin: str = "", typed: str | None = None) -> Printed:
        monkeypatch.setattr(sys, "argv", ["agent-runtime", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin) if typed is None else Terminal(typed))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Printed(code, printed.out, printed.err)

    return type_it


@pytest.fixture(scope="module")
def somebody(stack: Stack) -> Session:
    """An account of this module."""
    return asyncio.run(new_person(stack))


@pytest.fixture
def place(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A terminal of its own: nobody is signed in, and the current folder is empty."""
    for name in ("DATABASE_URL", "SUPABASE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SUPABASE_URL", stack.supabase_url)
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", stack.publishable_key)
    monkeypatch.setenv(session.PLACE, str(tmp_path / "state" / "session.json"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "state" / "session.json"


@pytest.fixture
def signed_in(place: Path, somebody: Session) -> Session:
    """The account's session, in this terminal."""
    session.save(somebody)
    return somebody


def lead(stack: Stack, task_id: str, steps: Callable[[Work], Any]) -> None:
    """Be the worker of one task."""

    async def work() -> None:
        async with await worker_connection(stack) as connection:
            await steps(await take(connection, uuid.UUID(task_id)))

    asyncio.run(work())


def refused(printed: Printed, code: int, text: str) -> None:
    """One clear line, nothing else, and the exit code."""
    assert printed.code == code, printed
    assert printed.out == ""
    assert printed.err.startswith("agent-runtime: ")
    assert printed.err.count("\n") == 1
    assert text in printed.err


# -- signing in ----------------------------------------------------------------------------------------------------


def test_login_takes_the_password_from_standard_input_and_keeps_a_private_session(
    run: Run, place: Path, somebody: Session
) -> None:
    printed = run("login", "--email", somebody.email, stdin=f"{PASSWORD}\n")
    assert (printed.code, printed.err) == (0, "")
    assert f"Signed in as {somebody.email}" in printed.out
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert run("tasks", "list").code == 0
    assert run("logout").code == 0
    refused(run("tasks", "list"), 2, "nobody is signed in: run `agent-runtime login`")


def test_signup_makes_an_account_and_signs_it_in(run: Run, place: Path) -> None:
    email = f"new-{uuid.uuid4().hex}@example.org"
    assert run("signup", "--email", email, stdin=PASSWORD).code == 0
    assert run("tasks", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "text"),
    [
        (["--email", "nobody@example.org"], "wrong", 1, "Invalid login credentials"),
        (["--email", "nobody@example.org"], "", 2, "the password is empty"),
        ([], "x", 2, "Give --email"),
        (["--email", "a@b.c", "--url", "ftp://x"], "x", 2, "--url: ftp://x must begin with http:// or https://"),
        (["--email", "a@b.c", "--url", "http://127.0.0.1:9", "--key", "k"], "x", 1, "agent-runtime up"),
        (["--email", "a@b.c", "--key", "sb_secret_1"], "x", 2, "that is a secret key"),
        (["--email", "a@b.c", "--key", "sb_publishable_1"], "x", 2, "does not know the publishable key"),
    ],
)
def test_a_login_that_cannot_be_is_one_line(
    run: Run, place: Path, arguments: list[str], stdin: str, code: int, text: str
) -> None:
    refused(run("login", *arguments, stdin=stdin), code, text)
    assert not place.exists()


# -- filing --------------------------------------------------------------------------------------------------------


def test_a_task_is_filed_and_listed_and_shown(run: Run, signed_in: Session) -> None:
    Path("sales.csv").write_text("month,units\n", encoding="utf-8")
    filed = run("submit", "Count it\nall", "--file", "sales.csv", "--priority", "3", "--json")
    assert filed.code == 0
    task = filed.json
    assert (task["title"], task["status"], task["priority"]) == ("Count it", "pending", 3)
    assert task["id"] in run("tasks", "list").out
    assert task["id"] in [row["id"] for row in run("tasks", "list", "--status", "pending", "--json").json]
    assert "sales.csv" in run("tasks", "show", task["id"]).out
    record = run("tasks", "show", task["id"], "--json").json
    assert record["messages"][0]["content"] == "Count it\nall"
    assert [file["filename"] for file in record["files"]] == ["sales.csv"]
    assert "is cancelled" in run("tasks", "cancel", task["id"]).out
    refused(run("tasks", "cancel", task["id"]), 1, "is cancelled already")


def test_the_prompt_can_come_by_standard_input(run: Run, signed_in: Session) -> None:
    assert run("submit", "-", "--json", stdin="From a pipe").json["description"] == "From a pipe"
    refused(run("submit", "-", stdin=" \n"), 2, "the prompt is empty")
    refused(run("submit", "-", stdin="x" * 1_000_000), 2, "limit prompt_bytes reached")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["submit", ""], "the prompt is empty"),
        (["submit", "x", "--agent", "nobody"], 'there is no agent named "nobody"; there are: Asistente General'),
        (["submit", "x", "--file", "nope.csv"], "file nope.csv: there is no such file"),
        (["submit", "x", "--file", "."], "it is a folder"),
        (["submit", "x", "--file", "/dev/zero"], "not an ordinary file"),
        (["submit", "x", "--priority", "0"], "priority 0 is not between 1 and 5"),
        (["submit", "x", "--conversation", "7"], "'7' is not the id of a conversation"),
        (["watch", "7"], "'7' is not the id of a task"),
        (["watch", str(uuid.UUID(int=7))], "there is no task"),
        (["tasks", "show", "\x1b[2J"], "is not the id of a task"),
        (["tasks", "approve", str(uuid.UUID(int=7))], "there is no tool execution"),
        (["tasks", "approve", str(uuid.UUID(int=7)), "--arguments", "{"], "--arguments: not JSON at line 1, column 2"),
        (["tasks", "approve", str(uuid.UUID(int=7)), "--arguments", ""], "--arguments: not JSON"),
        (["tasks", "approve", str(uuid.UUID(int=7)), "--arguments", '{"a": NaN}'], "NaN is no number in JSON"),
        (["tasks", "approve", str(uuid.UUID(int=7)), "--arguments", "[1]"], "an object is needed"),
        (["tasks", "approve", str(uuid.UUID(int=7)), "--arguments", "{}", "--edit"], "not both"),
        (["tasks", "settle", str(uuid.UUID(int=7))], "say --happened or --did-not-happen"),
        (["tasks", "settle", str(uuid.UUID(int=7)), "--happened"], "there is no tool execution"),
        (["tasks", "pause", str(uuid.UUID(int=7))], "there is no task"),
        (["submit", "x", "--limit", "steps"], "--limit steps: give a name and a number"),
        (["submit", "x", "--limit", "steps=many"], "--limit steps=many: give a name and a number"),
        (["submit", "x", "--limit", "steps=0"], "limit steps is a number above 0"),
        (["submit", "x", "--limit", "stepz=3"], 'there is no limit "stepz"; there are: steps, tool_calls'),
        (["files", "list", str(uuid.UUID(int=7))], "there is no task"),
        (["files", "get", str(uuid.UUID(int=7))], "which files?"),
        (["tools", "sync"], "DATABASE_URL is missing"),
    ],
)
def test_wrong_use_is_one_line_that_names_what_was_wrong(
    run: Run, signed_in: Session, arguments: list[str], text: str
) -> None:
    printed = run(*arguments)
    refused(printed, 2, text)
    assert "\x1b" not in printed.err


def test_an_unknown_option_is_wrong_use(run: Run, signed_in: Session) -> None:
    assert run("submit", "x", "--nonsense").code == 2


# -- following -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1)])
def test_watch_exits_with_how_the_work_ended(
    run: Run, stack: Stack, signed_in: Session, status: str, code: int
) -> None:
    task = run("submit", "End it", "--json").json["id"]

    async def steps(work: Work) -> None:
        await work.do("shell_exec", {"command": "true"})
        await work.settle(status, answer="Ended.", error=None if status == "completed" else "no luck")

    lead(stack, task, steps)
    printed = run("watch", task)
    assert printed.code == code
    assert 'shell_exec  12 ms  command="true"' in printed.out
    assert "\x1b" not in printed.out
    *events, last = [json.loads(line) for line in run("watch", task, "--json").out.splitlines()]
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    assert events[0]["kind"] == "task.created"
    assert (last["id"], last["status"]) == (task, status)


def test_a_waiting_call_is_approved_or_denied_by_the_tasks_id(run: Run, stack: Stack, signed_in: Session) -> None:
    tool = a_tool_that_asks(stack)
    task = run("submit", "May I?", "--agent", tool, "--json").json["id"]

    async def steps(work: Work) -> None:
        await work.turn({"name": tool, "arguments": {}}, {"name": tool, "arguments": {"again": True}})
        await work.suspend("approval")

    lead(stack, task, steps)
    refused(run("tasks", "approve", task), 1, "2 tool calls of task")
    first, second = [call["id"] for call in run("tasks", "show", task, "--json").json["executions"]]
    assert run("tasks", "approve", first, typed="\n").err.endswith("nothing was approved\n")
    assert "approved" in run("tasks", "approve", first, "--yes", typed="").out
    assert "denied" in run("tasks", "deny", task, "--reason", "once is enough").out
    refused(run("tasks", "deny", second), 1, "there is nothing to decide")
    record = run("tasks", "show", task, "--json").json
    assert record["task"]["status"] == "pending"
    assert [call["status"] for call in record["executions"]] == ["pending", "denied"]
    assert run("tasks", "answer", task, "And be quick", "--json").json["id"] == task
    assert run("tasks", "cancel", task).code == 0


# -- control -------------------------------------------------------------------------------------------------------


def test_a_task_is_paused_goes_on_and_keeps_its_limits(run: Run, stack: Stack, signed_in: Session) -> None:
    task = run("submit", "Wait", "--limit", "steps=20", "--limit", "wall_seconds=1.5", "--json").json
    assert task["limits"] == {"steps": 20, "wall_seconds": 1.5}
    refused(run("tasks", "resume", task["id"]), 1, "is pending: it is not paused")
    assert "is paused. It goes on with: agent-runtime tasks resume" in run("tasks", "pause", task["id"]).out
    assert f"{task['id']}\tpaused\t" in run("tasks", "list").out
    shown = run("tasks", "show", task["id"]).out
    assert "limits of this task: steps 20, wall_seconds 1.5" in shown
    assert f"agent-runtime tasks resume {task['id']}" in shown
    assert "it is pending" in run("tasks", "resume", task["id"]).out

    async def steps(work: Work) -> None:
        printed = await asyncio.to_thread(run, "tasks", "pause", task["id"])
        assert "asked to pause" in printed.out
        printed = await asyncio.to_thread(run, "tasks", "list")
        assert f"{task['id']}\trunning, asked to pause\t" in printed.out
        await work.suspend("pause")

    lead(stack, task["id"], steps)
    assert run("tasks", "show", task["id"], "--json").json["task"]["status"] == "paused"
    assert run("tasks", "cancel", task["id"]).code == 0
    refused(run("tasks", "pause", task["id"]), 1, "is cancelled: there is nothing to pause")
    lines = run("watch", task["id"]).out
    for words in ("paused; it goes on with", "goes on", "asked to pause"):
        assert words in lines


def test_what_runs_instead_is_shown_checked_and_remembered(
    run: Run, stack: Stack, signed_in: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = a_tool_that_asks(stack)
    task = run("submit", "Clean up", "--agent", tool, "--json").json["id"]

    async def steps(work: Work) -> None:
        calls = [{"name": tool, "arguments": {"command": f"rm -rf {path}\u202e"}} for path in ("build", "/")]
        await work.turn(*calls, content="I clean up.")
        await work.suspend("approval")

    lead(stack, task, steps)
    waiting = [call for call in run("approvals", "--json").json if call["task_id"] == task]
    assert [call["task"]["title"] for call in waiting] == ["Clean up", "Clean up"]
    assert [call["turn"]["content"] for call in waiting] == ["I clean up.", "I clean up."]
    by_command = {call["input_parameters"]["command"]: call["id"] for call in waiting}
    first, second = by_command["rm -rf build\u202e"], by_command["rm -rf /\u202e"]
    listed = run("approvals").out
    assert f"{first}\tawaiting_approval\t{tool}\t" in listed
    assert "\u202e" not in listed

    wrong = run("tasks", "approve", first, "--arguments", '{"comand": "ls"}')
    assert (wrong.code, wrong.out) == (2, "")
    assert f"the arguments do not fit {tool}: 'command' is a required property" in wrong.err
    printed = run("tasks", "approve", first, "--arguments", '{"command": "rm -rf build"}', "--reason", "no marks")
    assert printed.code == 0, printed
    assert '-   "command": "rm -rf build\\u202e"\n+   "command": "rm -rf build"' in printed.err
    assert "is approved" in printed.out

    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's|/.u202e|/tmp/x|' \"$1\"\n", encoding="utf-8")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", "/nowhere/vi -x")
    refused(run("tasks", "approve", task, "--edit"), 2, "set EDITOR")
    monkeypatch.setenv("VISUAL", "false")
    refused(run("tasks", "approve", second, "--edit"), 2, "false ended with 1: nothing was approved")
    refused(run("tasks", "approve", second, "--digest", "0" * 64), 1, "were changed meanwhile: look at them again")
    monkeypatch.setenv("VISUAL", str(editor))
    asked = run("tasks", "approve", second, "--edit", typed="n\n")
    assert (asked.code, asked.out.strip()) == (2, "")
    assert '+   "command": "rm -rf /tmp/x"' in asked.err and "Run this? [y/N]:" in asked.err
    assert "is approved" in run("tasks", "approve", second, "--edit", typed="y\n").out
    refused(run("tasks", "approve", second, "--edit"), 1, "is pending: there is nothing to decide")

    calls = run("tasks", "show", task, "--json").json["executions"]
    assert [call["input_parameters"]["command"] for call in calls] == ["rm -rf build", "rm -rf /tmp/x"]
    assert [call["original_parameters"]["command"] for call in calls] == list(by_command)
    shown = run("tasks", "show", task).out
    assert "approved by you" in shown and ": no marks" in shown
    assert 'the agent had asked for: command="rm -rf build"' in shown
    run("tasks", "cancel", task)
    assert f'approved by you  {tool}  edited  command="rm -rf /tmp/x"' in run("watch", task).out


def test_a_call_that_needs_two_waits_for_an_admin_who_sees_it(
    run: Run, stack: Stack, signed_in: Session, somebody: Session
) -> None:
    tool = a_tool_that_asks(stack, approvals_required=2)
    admin = asyncio.run(new_person(stack, "admin"))
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(
            "update users set role = 'admin', tenant_id = (select tenant_id from users where id = %s) where id = %s",
            [somebody.user_id, admin.user_id],
        )
    task = run("submit", "Pay", "--agent", tool, "--json").json["id"]

    async def steps(work: Work) -> None:
        await work.turn({"name": tool, "arguments": {"command": "pay"}})
        await work.suspend("approval")

    lead(stack, task, steps)
    refused(run("workers"), 1, f"{somebody.email} is no admin")
    assert "it needs 2 people, so it waits for another person" in run("tasks", "approve", task).out
    refused(run("tasks", "approve", task), 1, "it needs another person, too")
    session.save(admin)
    (call,) = [call for call in run("approvals", "--json").json if call["task_id"] == task]
    assert len(call["decisions"]) == 1
    assert run("tasks", "approve", call["id"]).code == 0
    assert f"approved by {somebody.email}" in run("tasks", "show", task).out
    assert "working" in run("workers").out
    session.save(somebody)
    shown = run("tasks", "show", task).out
    # Whose address stays hidden: a fellow member's name is enough.
    assert "approved by you" in shown and f"approved by {admin.email.split('@')[0]}" in shown
    assert admin.email not in shown
    run("tasks", "cancel", task)


def test_a_doubt_is_shown_and_settled(run: Run, stack: Stack, signed_in: Session) -> None:
    tool = a_tool_that_asks(stack)
    task = run("submit", "Pay", "--agent", tool, "--json").json["id"]

    async def steps(work: Work) -> None:
        await work.turn({"name": tool, "arguments": {"command": "pay"}})
        await work.suspend("approval")

    async def crash(work: Work) -> None:
        (call,) = [row for row in run_show() if row["status"] == "pending"]
        await work.start(call["id"])
        await work.finish(call["id"], "in_doubt", error="the worker stopped while the call was running")
        await work.suspend("doubt")

    def run_show() -> list[dict[str, Any]]:
        return list(rows)

    lead(stack, task, steps)
    run("tasks", "approve", task)
    rows = run("tasks", "show", task, "--json").json["executions"]
    lead(stack, task, crash)
    assert f"{task}\twaiting for a doubt to be settled\t" in run("tasks", "list").out
    settle = f"agent-runtime tasks settle {rows[0]['id']} --happened"
    assert settle in run("tasks", "show", task).out
    assert f"{rows[0]['id']}\tin_doubt\t" in run("approvals").out
    assert "it happened" in run("tasks", "settle", task, "--happened", "--result", "-", stdin="invoice 812").out
    refused(run("tasks", "settle", rows[0]["id"], "--did-not-happen"), 1, "it is not in doubt")
    assert run("tasks", "show", task, "--json").json["task"]["status"] == "pending"
    run("tasks", "cancel", task)
    lines = run("watch", task).out
    assert "you settled that it took effect" in lines and ": invoice 812" in lines
    # It is settled, so nobody is told how to.
    assert settle not in lines


@pytest.mark.parametrize("way", ["database", "api"])
def test_operators_see_the_workers(
    run: Run, stack: Stack, place: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    worker = uuid.uuid4()
    with psycopg.connect(stack.worker_database_url, autocommit=True) as connection:
        connection.execute("select worker_register(%s, %s, 7, '1.2', 4, 2, 'rest')", [worker, f"host-{worker}"])
    if way == "database":
        monkeypatch.setenv("DATABASE_URL", stack.worker_database_url)
    else:
        monkeypatch.setenv("SUPABASE_SECRET_KEY", stack.secret_key)
    (row,) = [row for row in run("workers", "--json").json if row["id"] == str(worker)]
    assert (row["state"], row["running"], row["capacity"], row["transport"]) == ("working", 0, 4, "rest")
    assert f"host-{worker}\t7\t1.2\trest\tworking\t0/4\t" in run("workers").out


def test_workers_that_cannot_be_asked_for_are_one_line(
    run: Run, stack: Stack, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(
        run("workers"), 2, "set DATABASE_URL, or SUPABASE_URL and SUPABASE_SECRET_KEY, or run `agent-runtime login`"
    )
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_wrong")
    refused(run("workers"), 2, "does not know SUPABASE_SECRET_KEY")
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    refused(run("workers"), 1, "http://127.0.0.1:9 did not answer")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x:y@127.0.0.1:9/z")
    refused(run("workers"), 1, "does not answer")


# -- files ---------------------------------------------------------------------------------------------------------


def test_files_are_got_whole_verified_and_never_over_others(run: Run, stack: Stack, signed_in: Session) -> None:
    task = _task_with_files(run, stack, {"report.md": b"# Report", "charts/plot.svg": b"<svg/>"})
    assert run("files", "get", task, "--all", "--output", "out").code == 0
    assert Path("out/report.md").read_bytes() == b"# Report"
    assert Path("out/charts/plot.svg").read_bytes() == b"<svg/>"
    Path("out/report.md").write_text("mine", encoding="utf-8")
    refused(run("files", "get", task, "--all", "--output", "out"), 2, "out/charts/plot.svg is there already")
    assert Path("out/report.md").read_text(encoding="utf-8") == "mine"
    got = run("files", "get", task, "report.md", "--output", "out", "--force", "--json").json
    assert [(one["path"], one["size_bytes"]) for one in got] == [("out/report.md", 8)]
    assert Path("out/report.md").read_bytes() == b"# Report"
    refused(run("files", "get", task, "nope.md"), 2, "the task has no file 'nope.md'; its files: charts/plot.svg")
    assert "report.md\t1\t8 B\ttext/plain\tmade" in run("files", "list", task).out


def test_bytes_that_were_changed_are_not_handed_over(run: Run, stack: Stack, signed_in: Session) -> None:
    task = _task_with_files(run, stack, {"report.md": b"# Report"})
    (file,) = run("files", "list", task, "--json").json
    asyncio.run(_store(stack, file["file_path"], b"# Forged"))
    refused(run("files", "get", task, "--all"), 1, "sha256 differs")
    assert list(Path().iterdir()) == []


def test_a_files_name_can_neither_steer_the_terminal_nor_lead_out(run: Run, stack: Stack, signed_in: Session) -> None:
    # What the database lets through; names that climb or begin at the root it refuses itself.
    names = {"..\\..\\evil.txt": b"1", "\x1b[2Jx.txt": b"2", "a\n\u202e/b.txt": b"3", "x.txt": b"4"}
    task = _task_with_files(run, stack, names)
    printed, listed = run("files", "get", task, "--all", "--output", "out"), run("files", "list", task)
    assert printed.code == 0
    assert "\x1b" not in printed.out + listed.out
    assert "\u202e" not in printed.out + listed.out
    found = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file())
    assert found == ["a/b.txt", "evil.txt", "x-2.txt", "x.txt"]


def test_a_link_in_the_folder_is_not_followed_out_of_it(
    run: Run, stack: Stack, signed_in: Session, tmp_path: Path
) -> None:
    task = _task_with_files(run, stack, {"charts/plot.svg": b"<svg/>"})
    (tmp_path / "elsewhere").mkdir()
    Path("out").mkdir()
    Path("out/charts").symlink_to(tmp_path / "elsewhere")
    refused(run("files", "get", task, "--all", "--output", "out"), 2, "leads out of out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


# -- tools and agents ----------------------------------------------------------------------------------------------


def test_tools_and_agents_are_listed(run: Run, signed_in: Session) -> None:
    tools = {tool["name"]: tool for tool in run("tools", "list", "--json").json}
    assert tools["shell_exec"]["security_level"] == "dangerous"
    assert "shell_exec\tenabled\tdangerous" in run("tools", "list").out
    assert "Asistente General" in [agent["name"] for agent in run("agents", "list", "--json").json]


def test_tools_are_synced_by_the_owner_and_a_new_one_is_disabled(
    run: Run, stack: Stack, signed_in: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"probe_{uuid.uuid4().hex[:8]}"
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "probe.py").write_text(
        "from pydantic import BaseModel\n"
        "from agent_runtime.toolbox import ToolContext, ToolResult, tool\n"
        "class Arguments(BaseModel):\n    path: str\n"
        "@tool(display_name='Probe', category='test', retry_class='pure')\n"
        f"async def {name}(arguments: Arguments, context: ToolContext) -> ToolResult:\n"
        "    '''Probe a path.'''\n"
        "    return ToolResult(content=arguments.path)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AGENT_RUNTIME_TOOLS_PATH", json.dumps([str(folder)]))
    monkeypatch.setenv("DATABASE_URL", stack.worker_database_url)
    refused(run("tools", "sync"), 1, "DATABASE_URL must be the owner's")
    monkeypatch.setenv("DATABASE_URL", stack.database_url)
    assert {"name": name, "change": "added, disabled"} in run("tools", "sync", "--json").json
    assert run("tools", "sync", "--json").json == []
    (row,) = [tool for tool in run("tools", "list", "--json").json if tool["name"] == name]
    assert (row["is_enabled"], row["retry_class"]) == (False, "pure")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x:y@127.0.0.1:9/z")
    refused(run("tools", "sync"), 1, "Postgres did not answer")


def _task_with_files(run: Run, stack: Stack, files: dict[str, bytes]) -> str:
    """A completed task whose agent made the files."""
    task = run("submit", "Make files", "--json").json["id"]
    with psycopg.connect(stack.database_url) as owner:
        found = owner.execute("select tenant_id from tasks where id = %s", [task]).fetchone()
    assert found is not None

    async def steps(work: Work) -> None:
        rows = []
        for name, content in files.items():
            path = storage_path(found[0], task, name)
            sha256 = await _store(stack, path, content)
            size = len(content)
            rows.append(
                {"filename": name, "file_path": path, "file_size": size, "mime_type": "text/plain", "file_hash": sha256}
            )
        await work.do("file_write", files=rows)
        await work.settle(answer="Made.")

    lead(stack, task, steps)
    return str(task)


async def _store(stack: Stack, path: str, content: bytes) -> str:
    async with Storage(stack.supabase_url, stack.secret_key) as storage:
        return (await storage.upload(path, content, "text/plain", replace=True)).sha256


def test_spawned_tasks_stand_with_their_parent_and_are_tried_again(stack: Stack, run: Run, signed_in: Session) -> None:
    parent = run("submit", "Look them up", "--json").json["id"]

    async def give_away(work: Work) -> None:
        items = {"instructions": "Look.", "items": ["Ada", "Grace"]}
        (call,) = await work.turn({"name": "spawn_tasks", "arguments": items})
        await work.start(call)
        assert (await work._call("worker_children", call))["open"] == 2
        await work.suspend("children")

    lead(stack, parent, give_away)
    children = {row["title"]: row["id"] for row in run("tasks", "children", parent, "--json").json}
    lead(stack, children["Ada"], lambda work: work.settle(answer="1815"))
    lead(stack, children["Grace"], lambda work: work.settle("failed", error="no luck"))

    rows = [line.split("\t") for line in run("tasks", "children", parent).out.splitlines()]
    assert [row[1:] for row in rows] == [
        ["1", "1", "Ada", "completed", "1", "1815"],
        ["1", "2", "Grace", "failed", "1", "no luck"],
    ]
    listed = {row["id"]: row for row in run("tasks", "list", "--json").json}
    assert (listed[parent]["children_count"], listed[parent]["children_completed"]) == (2, 1)
    assert not listed.keys() & set(children.values())
    assert children["Grace"] in {row["id"] for row in run("tasks", "list", "--status", "failed", "--json").json}
    assert "no luck" in run("tasks", "show", parent).out

    refused(run("tasks", "retry", parent, "--spawn", "2"), 2, "there is no spawn 2")
    assert run("tasks", "retry", parent, "--item", "1", "--json").json == {"retried": 0}
    assert run("tasks", "retry", parent).out.startswith("1 tried again")
    (_, again) = [line.split("\t") for line in run("tasks", "children", parent).out.splitlines()]
    assert (again[3], again[5]) == ("Grace", "2")
    assert run("tasks", "cancel", parent, "--json").json["status"] == "cancelled"
    assert run("tasks", "children", parent).out.splitlines()[1].split("\t")[4] == "cancelled"
    refused(run("tasks", "retry", parent), 1, "is cancelled")
