"""`agent-runtime audit`: an admin proves the own tenant's chain by REST, the owner every chain."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent_runtime.cli import main
from agent_runtime.person import session
from agent_runtime.person.client import Person
from tests.e2e.desk import new_person

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command, in a terminal where nobody is signed in yet: its exit code and what it printed."""
    for name in ("DATABASE_URL", "SUPABASE_SECRET_KEY", "AGENT_RUNTIME_AUDIT_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SUPABASE_URL", stack.supabase_url)
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", stack.publishable_key)
    monkeypatch.setenv(session.PLACE, str(tmp_path / "state" / "session.json"))
    monkeypatch.chdir(tmp_path)

    def type_it(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["agent-runtime", "audit", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return type_it


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Session:
    """Somebody who signed up, and whom the owner made admin of the own tenant."""
    made = asyncio.run(new_person(stack, "auditor"))
    with psycopg.connect(stack.database_url) as owner:
        owner.execute("update public.users set role = 'admin' where id = %s", [made.user_id])
    return made


def test_an_admin_proves_the_own_chain(stack: Stack, run: Run, admin: Session, tmp_path: Path) -> None:
    session.save(admin)
    code, out, err = run("head", "--json")
    assert (code, err) == (0, "")
    (head,) = json.loads(out)["heads"]
    assert head["chain_seq"] >= 3
    (tmp_path / "kept.json").write_text(out)
    code, out, _ = run("verify", "--head", "kept.json", "--json")
    (verdict,) = json.loads(out)
    assert (code, verdict["problem"], verdict["tenant_id"]) == (0, None, head["tenant_id"])
    assert verdict["rows"] >= head["chain_seq"]

    code, out, _ = run("export")
    assert code == 0
    (tmp_path / "copy.jsonl").write_text(out)
    assert run("verify", "--file", "copy.jsonl", "--head", "kept.json")[0] == 0
    (tmp_path / "copy.jsonl").write_text(out.replace('\\"admin\\"', '\\"viewer\\"'))
    code, out, _ = run("verify", "--file", "copy.jsonl")
    assert code == 1
    assert "forged" in out

    # Another's hash in the head that was kept: the chain is not the one that was exported.
    kept = json.loads((tmp_path / "kept.json").read_text())
    kept["heads"][0]["hash"] = "00" * 32
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    code, out, _ = run("verify", "--head", "kept.json")
    assert code == 1
    assert "rebuilt" in out


def test_the_api_says_who_did_it(stack: Stack, admin: Session) -> None:
    async def file_a_task() -> None:
        async with Person(admin, keep=False) as person:
            await person.submit("Do it")

    asyncio.run(file_a_task())
    with psycopg.connect(stack.database_url) as owner:
        told = owner.execute(
            "select actor, action from public.audit_logs where tenant_id ="
            " (select tenant_id from public.users where id = %s) order by created_at",
            [admin.user_id],
        ).fetchall()
    assert ("role:postgres", "update") in told
    # By the embedded Auth as by Supabase's.
    assert (f"user:{admin.user_id}", "sign_in") in told
    assert (f"user:{admin.user_id}", "insert") in told


def test_who_is_no_admin_is_told_so(stack: Stack, run: Run) -> None:
    session.save(asyncio.run(new_person(stack)))
    for command in (["head"], ["verify"], ["export"]):
        code, out, err = run(*command)
        assert (code, out) == (1, ""), err
        assert err.count("\n") == 1
        assert "admins" in err


def test_the_owner_proves_every_chain(stack: Stack, run: Run, admin: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", stack.database_url)
    code, out, _ = run("verify", "--json")
    verdicts = json.loads(out)
    assert code == 0
    assert len(verdicts) >= 2
    assert None in {verdict["tenant_id"] for verdict in verdicts}
    monkeypatch.setenv("DATABASE_URL", stack.worker_database_url)
    code, out, err = run("verify")
    assert (code, out) == (1, "")
    assert "has to be the owner's" in err


@pytest.mark.parametrize(
    ("key", "says"),
    [(None, "is not set"), ("nonsense!", "is not base64"), ("c2hvcnQ=", "is 5 bytes long")],
)
def test_a_month_is_retired_with_a_good_key_alone(
    stack: Stack, run: Run, monkeypatch: pytest.MonkeyPatch, key: str | None, says: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", stack.database_url)
    if key:
        monkeypatch.setenv("AGENT_RUNTIME_AUDIT_KEY", key)
    code, out, err = run("retire", "2026-01")
    assert (code, out) == (2, "")
    assert err.startswith(f"agent-runtime: AGENT_RUNTIME_AUDIT_KEY {says}")
    monkeypatch.setenv("AGENT_RUNTIME_AUDIT_KEY", stack.secrets.audit_key.get_secret_value())
    for month, why in (("2026-13", "is no month"), ("2999-01", "is not over"), ("2020-01", "has no rows")):
        code, _, err = run("retire", month)
        assert code == 2
        assert why in err


@pytest.mark.parametrize("option", ["--head", "--file"])
def test_what_is_no_export_is_refused_in_a_line(run: Run, tmp_path: Path, option: str) -> None:
    (tmp_path / "x").write_bytes(b"\xff\x00{}")
    code, out, err = run("verify", option, "x")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
