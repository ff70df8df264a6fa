"""A team by the commands and the real API: invited, accepted, governed, locked out at once, and gone without a loss."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from agent_runtime.cli import main
from agent_runtime.person import auth, session
from agent_runtime.person.session import Session
from agent_runtime.storage import BUCKET
from tests.e2e.desk import PASSWORD, new_person
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command as somebody: exit code, what was printed, and the error."""
    monkeypatch.setenv(session.PLACE, str(tmp_path / "session.json"))

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
def admin(stack: Stack) -> Session:
    """An admin of a tenant of its own."""
    made = asyncio.run(new_person(stack, "admin"))
    with psycopg.connect(stack.database_url) as owner:
        owner.execute("update public.users set role = 'admin' where id = %s", [made.user_id])
    return made


def sign_up(stack: Stack, email: str) -> Session:
    made = asyncio.run(auth.sign_up(stack.supabase_url, stack.publishable_key, email, PASSWORD))
    assert made is not None
    return made


def rest(stack: Stack, who: Session, method: str, path: str, **given: Any) -> httpx.Response:
    headers = {"apikey": stack.publishable_key, "Authorization": f"Bearer {who.access_token}"}
    with httpx.Client(timeout=30, **LOOPBACK) as http:
        return http.request(method, f"{stack.supabase_url}{path}", headers=headers, **given)


def test_a_team_from_its_first_invitation_to_a_transfer(stack: Stack, run: Run, admin: Session) -> None:
    name = uuid.uuid4().hex[:12]
    new, known = f"new-{name}@example.org", asyncio.run(new_person(stack, "known"))
    assert run(admin, "members", "rename", "The team")[0] == 0
    code, out, _ = run(admin, "members", "invite", f" {new.upper()} ", "--role", "viewer")
    assert (code, new in out) == (0, True), out
    assert run(admin, "members", "invite", known.email)[0] == 0
    # The embedded Auth confirms at once, so who signs up is in.
    newcomer = sign_up(stack, new)
    listed = json.loads(run(admin, "members", "list", "--json")[1])
    assert {(row["email"], row["role"]) for row in listed["members"]} == {(admin.email, "admin"), (new, "viewer")}
    assert [row["email"] for row in listed["invitations"]] == [known.email]
    # Who has an account accepts.
    (offer,) = json.loads(run(known, "invitations", "list", "--json")[1])
    assert (offer["tenant"], offer["role"]) == ("The team", "user")
    code, out, err = run(known, "invitations", "accept", offer["id"])
    assert (code, "is in, as user" in out) == (0, True), err
    assert run(known, "invitations", "list") == (0, "", "You are invited nowhere.\n")
    code, out, err = run(known, "submit", "Think about it", "--json")
    assert code == 0, err
    task = json.loads(out)["id"]

    code, out, err = run(admin, "members", "role", new, "user")
    assert (code, "is now user" in out) == (0, True), err
    # A username is one's own to choose, and names nobody else by it.
    spoof = rest(stack, newcomer, "PATCH", f"/rest/v1/users?id=eq.{newcomer.user_id}", json={"username": known.email})
    assert spoof.is_success, spoof.text
    assert run(admin, "members", "deactivate", known.email)[0] == 0
    assert rest(stack, known, "GET", "/rest/v1/tasks?select=id").json() == []
    assert rest(stack, known, "POST", "/rest/v1/rpc/submit_task", json={"p_prompt": "x"}).status_code >= 400
    with psycopg.connect(stack.database_url) as owner:
        found = owner.execute("select tenant_id, status from public.tasks where id = %s", [task]).fetchone()
    assert found is not None
    tenant, status = found
    assert status == "paused"
    stored = rest(stack, known, "POST", f"/storage/v1/object/{BUCKET}/{tenant}/{uuid.uuid4()}/a.txt", content=b"x")
    assert stored.status_code >= 400
    assert run(admin, "members", "activate", known.email)[0] == 0
    assert run(admin, "members", "remove", known.email)[0] == 0
    assert rest(stack, known, "GET", "/rest/v1/tasks?select=id").json() == []
    code, out, err = run(admin, "members", "transfer", str(known.user_id), newcomer.email, "--json")
    assert (code, json.loads(out)) == (0, {"conversations": 1, "tasks": 1, "agents": 0}), err
    assert [row["id"] for row in rest(stack, newcomer, "GET", "/rest/v1/tasks?select=id").json()] == [task]


def test_refusals_are_one_line_each(stack: Stack, run: Run, admin: Session) -> None:
    stranger = asyncio.run(new_person(stack, "stranger"))
    for who, code, said, *arguments in (
        (stranger, 1, "only an admin of the tenant can do this", "invite", "x@example.org"),
        (stranger, 1, "you are at home already", "leave"),
        (admin, 2, "is not an e-mail address", "invite", "nonsense"),
        (admin, 2, "is not of plain ASCII letters", "invite", "аna@example.org"),
        (admin, 2, "is not admin, user or viewer", "invite", "x@example.org", "--role", "owner"),
        (admin, 1, "a member already", "invite", admin.email),
        (admin, 2, f"there is no member {stranger.user_id}", "role", str(stranger.user_id), "viewer"),
        (admin, 2, "there is no member nobody@example.org", "remove", "nobody@example.org"),
        (admin, 2, "'nonsense' is not the id of a pending invitation", "revoke", "nonsense"),
    ):
        found = run(who, "members", *arguments)
        assert (found[0], found[1], found[2].count("\n")) == (code, "", 1), found
        assert said in found[2]
    assert run(admin, "members", "invite", "gone@example.org")[0] == 0
    assert run(admin, "members", "revoke", "gone@example.org") == (
        0, "The invitation of gone@example.org is revoked.\n", "",
    )  # fmt: skip
    code, _, error = run(stranger, "invitations", "accept", str(uuid.uuid4()))
    assert (code, "there is no invitation" in error) == (2, True)
