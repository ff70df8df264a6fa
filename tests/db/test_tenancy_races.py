"""Admins, members and workers who act at the same moment: an admin is always left, and nothing goes on unseen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.db import runs
from tests.db.impersonation import DENIED, WRONG_STATE, many, one, person, value
from tests.db.races import PATIENCE_SECONDS, connect, wait_until_blocked

if TYPE_CHECKING:
    import uuid
    from concurrent.futures import Future

    from tests.conftest import Database
    from tests.db.impersonation import Connection


@dataclass(frozen=True)
class Team:
    """Two admins and a user of one tenant."""

    ada: uuid.UUID
    ben: uuid.UUID
    uma: uuid.UUID
    tenant: uuid.UUID


@pytest.fixture
def owner(database18: Database) -> Iterator[Connection]:
    with connect(database18) as connection:
        runs.install_probes(connection)
        runs.register(connection)
        yield connection


@pytest.fixture
def team(owner: Connection) -> Team:
    ada = runs.sign_up(owner, "ada@example.org")
    tenant = value(owner, "update public.users set role = 'admin' where id = %s returning tenant_id", ada)
    for name, role in (("ben", "admin"), ("uma", "user")):
        with person(owner, ada):
            owner.execute("select public.invite_user(%s, %s)", [f"{name}@example.org", role])
        owner.execute("insert into auth.users (email, email_confirmed_at) values (%s, now())", [f"{name}@example.org"])
    ids = {row["username"]: row["id"] for row in many(owner, "select id, username from public.users")}
    return Team(ada, ids["ben"], ids["uma"], tenant)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def call(connection: Connection, who: uuid.UUID, text: str, *arguments: object) -> None:
    with person(connection, who):
        connection.execute(f"select public.{text}", arguments)


def refusal(future: Future[None]) -> str | None:
    with pytest.raises(psycopg.Error) as caught:
        future.result(PATIENCE_SECONDS)
    return caught.value.sqlstate


def admins(owner: Connection, team: Team) -> set[uuid.UUID]:
    rows = many(owner, "select id from public.users where tenant_id = %s and role = 'admin' and is_active", team.tenant)
    return {row["id"] for row in rows}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("set_user_role(%s, 'user')", "set_user_role(%s, 'user')"),
        ("set_user_active(%s, false)", "remove_user(%s)"),
        ("remove_user(%s)", "set_user_role(%s, 'viewer')"),
    ],
)
def test_of_two_admins_who_depose_one_another_one_stays(
    database18: Database, owner: Connection, team: Team, threads: ThreadPoolExecutor, first: str, second: str
) -> None:
    with connect(database18) as one_admin, connect(database18) as other_admin:
        with one_admin.transaction():
            call(one_admin, team.ada, first, team.ben)
            late = threads.submit(call, other_admin, team.ben, second, team.ada)
            wait_until_blocked(owner, other_admin)
        assert refusal(late) == DENIED
    assert admins(owner, team) == {team.ada}


def test_a_snapshot_from_before_does_not_help(
    database18: Database, owner: Connection, team: Team, threads: ThreadPoolExecutor
) -> None:
    with connect(database18) as other_admin:
        other_admin.execute("begin isolation level repeatable read")
        other_admin.execute("select from public.users")
        call(owner, team.ada, "set_user_role(%s, 'user')", team.ben)
        with pytest.raises(psycopg.errors.SerializationFailure):
            call(other_admin, team.ben, "set_user_role(%s, 'user')", team.ada)
    assert admins(owner, team) == {team.ada}


def test_of_two_admins_who_leave_one_stays(
    database18: Database, owner: Connection, team: Team, threads: ThreadPoolExecutor
) -> None:
    with connect(database18) as one_admin, connect(database18) as other_admin:
        with one_admin.transaction():
            call(one_admin, team.ada, "leave_tenant(%s)", team.tenant)
            late = threads.submit(call, other_admin, team.ben, "leave_tenant(%s)", team.tenant)
            wait_until_blocked(owner, other_admin)
        assert refusal(late) == WRONG_STATE
    assert admins(owner, team) == {team.ben}


def test_what_is_submitted_while_its_owner_is_deactivated_does_not_run(
    database18: Database, owner: Connection, team: Team, threads: ThreadPoolExecutor
) -> None:
    with connect(database18) as submitter, connect(database18) as admin:
        with submitter.transaction():
            early = runs.submit(submitter, team.uma)
            deactivated = threads.submit(call, admin, team.ada, "set_user_active(%s, false)", team.uma)
            wait_until_blocked(owner, admin)
        deactivated.result(PATIENCE_SECONDS)
        assert runs.task_row(owner, early)["status"] == "paused"
        call(admin, team.ada, "set_user_active(%s, true)", team.uma)
        with admin.transaction():
            call(admin, team.ada, "set_user_active(%s, false)", team.uma)
            late = threads.submit(runs.submit, submitter, team.uma)
            wait_until_blocked(owner, submitter)
        with pytest.raises(psycopg.Error, match="there is no active user"):
            late.result(PATIENCE_SECONDS)
    assert runs.claim(owner, 10) == []


def test_what_is_submitted_while_a_conversation_changes_hands_goes_with_it(
    database18: Database, owner: Connection, team: Team, threads: ThreadPoolExecutor
) -> None:
    conversation = runs.submit(owner, team.uma)["conversation_id"]
    with connect(database18) as submitter, connect(database18) as admin:
        with submitter.transaction():
            runs.submit(submitter, team.uma, conversation=conversation)
            moved = threads.submit(call, admin, team.ada, "transfer_ownership(%s, %s)", team.uma, team.ben)
            wait_until_blocked(owner, admin)
        moved.result(PATIENCE_SECONDS)
        with admin.transaction():
            call(admin, team.ada, "transfer_ownership(%s, %s)", team.ben, team.uma)
            late = threads.submit(runs.submit, submitter, team.ben, conversation=conversation)
            wait_until_blocked(owner, submitter)
        with pytest.raises(psycopg.Error, match="row-level security"):
            late.result(PATIENCE_SECONDS)
    assert {row["user_id"] for row in many(owner, "select user_id from public.tasks")} == {team.uma}


def test_a_claim_and_a_removal_do_not_wait_for_each_other(
    database18: Database, owner: Connection, team: Team, threads: ThreadPoolExecutor
) -> None:
    first = runs.submit(owner, team.uma)
    runs.submit(owner, team.uma, conversation=first["conversation_id"])
    runs.submit(owner, team.uma)
    with connect(database18) as worker, connect(database18) as admin:
        with worker.transaction():
            assert len(runs.claim(worker, 1)) == 1
            removed = threads.submit(call, admin, team.ada, "remove_user(%s)", team.uma)
            wait_until_blocked(owner, admin)
            # It goes on to the second of the same conversation while somebody wants to hold them all.
            assert len(runs.claim(worker, 1)) == 1
        removed.result(PATIENCE_SECONDS)
    states = many(owner, "select status, pause_requested_at is not null as asked from public.tasks order by created_at")
    assert [(row["status"], row["asked"]) for row in states] == [("running", True), ("running", True), ("paused", True)]


def test_nobody_joins_a_tenant_that_goes_at_that_moment(
    database18: Database, owner: Connection, team: Team, threads: ThreadPoolExecutor
) -> None:
    eva = value(
        owner, "insert into auth.users (email, email_confirmed_at) values ('eva@example.org', now()) returning id"
    )
    with person(owner, team.ada):
        invitation = value(owner, "select (public.invite_user('eva@example.org', 'user')).id")
    home = one(owner, "select tenant_id from public.users where id = %s", eva)["tenant_id"]
    with connect(database18) as leaving, connect(database18) as joining:
        with leaving.transaction():
            leaving.execute("delete from auth.users where id = any (%s)", [[team.ada, team.ben, team.uma]])
            late = threads.submit(call, joining, eva, "accept_invitation(%s)", invitation)
            wait_until_blocked(owner, joining)
        assert refusal(late) == "AR002"
    assert many(owner, "select id from public.tenants") == [{"id": home}]
