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
from tests.e2e.desk import PASSWORD, Work, new_person, take, worker_connection

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


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command. `stdin` is what is piped into it."""

    def type_it(*arguments: str | Path, stdin: str = "") -> Printed:
        monkeypatch.setattr(sys, "argv", ["agent-runtime", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
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
    tool = _a_tool_that_asks(stack)
    task = run("submit", "May I?", "--agent", tool, "--json").json["id"]

    async def steps(work: Work) -> None:
        await work.turn({"name": tool, "arguments": {}}, {"name": tool, "arguments": {"again": True}})
        await work.suspend("approval")

    lead(stack, task, steps)
    refused(run("tasks", "approve", task), 1, "2 tool calls of task")
    first, second = [call["id"] for call in run("tasks", "show", task, "--json").json["executions"]]
    assert "approved" in run("tasks", "approve", first).out
    assert "denied" in run("tasks", "deny", task, "--reason", "once is enough").out
    refused(run("tasks", "deny", second), 1, "there is nothing to decide")
    record = run("tasks", "show", task, "--json").json
    assert record["task"]["status"] == "pending"
    assert [call["status"] for call in record["executions"]] == ["pending", "denied"]
    assert run("tasks", "answer", task, "And be quick", "--json").json["id"] == task
    assert run("tasks", "cancel", task).code == 0


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


def _a_tool_that_asks(stack: Stack) -> str:
    """A tool that needs approval, and an agent of the same name that has it."""
    name = f"asks_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(
            "insert into tools (name, display_name, description, category, function_schema, requires_confirmation)"
            " values (%s, 'Asks', 'For tests.', 'test', '{}', true)",
            [name],
        )
        owner.execute(
            "insert into agents (name, system_prompt, model_name, tools_enabled, is_public)"
            " values (%s, 'Ask.', 'default', array[%s], true)",
            [name, name],
        )
    return name


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
