"""`agent-runtime vault`, as people and operators type it: values come in unseen and never come out."""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent_runtime.cli import main
from agent_runtime.person import session
from agent_runtime.vault.keys import CURRENT, PREVIOUS, make_key
from tests.e2e.desk import new_person

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

VALUE = "canary-4f7c21d0-typed"


@dataclass(frozen=True)
class Printed:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Printed]


class Pipe(io.TextIOWrapper):
    """Standard input, piped or a terminal."""

    def __init__(self, content: bytes, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(content))
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def type_it(*arguments: str, stdin: str | bytes = "", typed: str | None = None) -> Printed:
        monkeypatch.setattr(sys, "argv", ["agent-runtime", "vault", *arguments])
        given = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", Pipe(given, terminal=typed is not None))
        monkeypatch.setattr(getpass, "getpass", lambda prompt: typed)
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        assert VALUE not in printed.out + printed.err
        return Printed(code, printed.out, printed.err)

    return type_it


@pytest.fixture(scope="module")
def somebody(stack: Stack) -> Session:
    return asyncio.run(new_person(stack, "vault"))


@pytest.fixture
def machine(stack: Stack, somebody: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine that the stack runs on, with somebody signed in and no settings."""
    for name in ("DATABASE_URL", "SUPABASE_URL", "SUPABASE_SECRET_KEY", CURRENT, PREVIOUS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AGENT_RUNTIME_DATA_DIR", str(stack.data_dir))
    monkeypatch.setenv(session.PLACE, str(tmp_path / "session.json"))
    monkeypatch.chdir(tmp_path)
    session.save(somebody)
    yield
    with psycopg.connect(stack.database_url) as owner:
        owner.execute("delete from public.credentials")


def refused(printed: Printed, code: int, text: str) -> None:
    assert (printed.code, printed.out) == (code, ""), printed
    assert printed.err.count("\n") == 1
    assert text in printed.err


def listed(run: Run) -> list[tuple[str, str]]:
    printed = run("list", "--json")
    assert printed.code == 0, printed
    return [(row["name"], row["scope"]) for row in json.loads(printed.out)]


def test_a_person_keeps_a_secret_of_their_own_on_the_stacks_machine(run: Run, machine: None, stack: Stack) -> None:
    asyncio.run(open_for_workers(stack))
    assert run("set", "github", typed=VALUE).out == "github is in the vault (user).\n"
    assert run("set", "gitlab", "--category", "tokens", stdin=f"{VALUE}\r\n").code == 0
    assert listed(run) == [("github", "user"), ("gitlab", "user")]
    printed = run("list")
    assert "gitlab\tuser\t" in printed.out
    assert "\ttokens\t" in printed.out
    assert run("remove", "github").out == "github is not in the vault any more (user).\n"
    refused(run("remove", "github"), 2, 'there is no credential named "github"')
    assert listed(run) == [("gitlab", "user")]
    refused(run("set", "a b", stdin=VALUE), 2, "letters, digits")
    refused(run("set", "theirs", "--scope", "tenant", stdin=VALUE), 1, "people keep credentials of their own")


async def open_for_workers(stack: Stack) -> None:
    """What a worker says at its start: which key it has."""
    assert stack.secrets.vault_key is not None
    from agent_runtime.vault.keys import MasterKey

    async with await psycopg.AsyncConnection.connect(stack.worker_database_url, autocommit=True) as worker:
        await worker.execute(
            "select public.worker_vault_keys(%s)", [[MasterKey.parse(stack.secrets.vault_key.get_secret_value()).id]]
        )


def test_on_the_stacks_machine_one_is_the_operator_too(run: Run, machine: None) -> None:
    assert run("set", "proxy", "--scope", "global", stdin=VALUE).out == "proxy is in the vault (global).\n"
    assert listed(run) == [("proxy", "global")]
    assert run("rotate").out == "0 credentials wrapped anew; 0 could not be.\n"
    assert run("remove", "proxy", "--scope", "global").code == 0


@pytest.mark.parametrize("transport", ["database", "REST"])
def test_an_operator_sets_rotates_and_removes(
    run: Run, machine: None, stack: Stack, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    if transport == "database":
        monkeypatch.setenv("DATABASE_URL", stack.database_url)
    else:
        monkeypatch.setenv("SUPABASE_URL", stack.supabase_url)
        monkeypatch.setenv("SUPABASE_SECRET_KEY", stack.secret_key)
    old, new = make_key(), make_key()
    monkeypatch.setenv(CURRENT, old)
    refused(run("set", "proxy", stdin=VALUE), 2, "--scope user, tenant or global")
    refused(run("set", "proxy", "--scope", "tenant", stdin=VALUE), 2, "Give --tenant")
    refused(run("set", "proxy", "--scope", "tenant", "--tenant", "nowhere", stdin=VALUE), 2, "there is no tenant")
    assert run("set", "proxy", "--scope", "global", stdin=VALUE).code == 0
    with psycopg.connect(stack.database_url) as owner:
        row = owner.execute("select slug from public.tenants limit 1").fetchone()
    assert row is not None
    assert run("set", "proxy", "--scope", "tenant", "--tenant", row[0], stdin=VALUE).code == 0
    assert listed(run) == [("proxy", "global"), ("proxy", "tenant")]

    monkeypatch.setenv(CURRENT, new)
    refused(run("rotate"), 2, f"{CURRENT} is not the key")
    refused(run("set", "other", "--scope", "global", stdin=VALUE), 2, f"{CURRENT} is not the key")
    monkeypatch.setenv(PREVIOUS, old)
    assert run("rotate").out == "2 credentials wrapped anew; 0 could not be.\n"
    monkeypatch.delenv(PREVIOUS)
    assert run("rotate").out == "0 credentials wrapped anew; 0 could not be.\n"
    assert run("remove", "proxy", "--scope", "global").code == 0


def test_without_a_key_or_with_a_wrong_one_nothing_begins(
    run: Run, machine: None, stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENT_RUNTIME_DATA_DIR", str(tmp_path / "elsewhere"))
    refused(run("set", "github", stdin=VALUE), 2, f"{CURRENT} is not set")
    refused(run("set", "github", "--scope", "global", stdin=VALUE), 2, "set DATABASE_URL to the owner's")
    refused(run("rotate"), 2, "set DATABASE_URL to the owner's")
    refused(run("set", "github", "--tenant", "x", stdin=VALUE), 2, "--tenant goes with --scope tenant")
    monkeypatch.setenv(CURRENT, make_key())
    refused(run("set", "github", stdin=VALUE), 2, f"{CURRENT} is not the key that this database's workers have")
    for key, why in (("c2hvcnQ=", "too short: it has 5 bytes"), ("no", "too short"), ("???", "not a key")):
        monkeypatch.setenv(CURRENT, key)
        refused(run("list"), 2, f"{CURRENT}: {why}")


@pytest.mark.parametrize(
    ("value", "why"),
    [(b"", "fewer than 8"), (b"short\n", "fewer than 8"), (b"a       b", "fewer than 8"),
     (b"x" * 16_390, "16384 bytes"), (b"\xff" * 20, "UTF-8"), (b"canary\0canary", "without NUL")],
)  # fmt: skip
def test_a_value_that_cannot_be_one_is_refused(run: Run, machine: None, value: bytes, why: str) -> None:
    refused(run("set", "github", stdin=value), 2, why)


def test_a_worker_may_not_touch_the_vault(
    run: Run, machine: None, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", stack.worker_database_url)
    monkeypatch.setenv(CURRENT, make_key())
    refused(run("set", "x", "--scope", "global", stdin=VALUE), 1, "permission denied for function vault_slot")
    refused(run("list"), 1, "permission denied")
