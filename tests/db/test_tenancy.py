"""Who is in which tenant, as what: invitations, roles, leaving, handing over, and what an account's end leaves."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.db import runs
from tests.db.control import answer, decide, pause, resume
from tests.db.impersonation import (
    DENIED,
    INVALID,
    LIMIT,
    NOT_FOUND,
    WRONG_STATE,
    acting_as,
    many,
    one,
    person,
    refused,
    value,
)

if TYPE_CHECKING:
    from tests.db.impersonation import Connection, Row


@dataclass(frozen=True)
class Team:
    """ada (admin), uma (user) and vic (viewer) in one tenant; rob is an admin of another, with his rita."""

    ada: uuid.UUID
    uma: uuid.UUID
    vic: uuid.UUID
    rob: uuid.UUID
    rita: uuid.UUID
    tenant: uuid.UUID
    theirs: uuid.UUID


def account(connection: Connection, name: str, *, confirmed: bool = True) -> uuid.UUID:
    """Somebody who signs up as name@example.org."""
    found: uuid.UUID = value(
        connection,
        "insert into auth.users (email, email_confirmed_at) values (%s, %s) returning id",
        name if "@" in name else f"{name}@example.org",
        "now" if confirmed else None,
    )
    return found


def user(connection: Connection, who: uuid.UUID) -> Row:
    return one(connection, "select * from public.users where id = %s", who)


def invite(connection: Connection, admin: uuid.UUID, email: str, role: str = "user") -> Row:
    with person(connection, admin):
        return one(connection, "select * from public.invite_user(%s, %s)", email, role)


def accept(connection: Connection, who: uuid.UUID, invitation: Row) -> Row:
    with person(connection, who):
        return one(connection, "select * from public.accept_invitation(%s)", invitation["id"])


def call(connection: Connection, who: uuid.UUID, function: str, *arguments: object) -> None:
    holes = ", ".join(["%s"] * len(arguments))
    with person(connection, who):
        connection.execute(f"select public.{function}({holes})", arguments)


def leave(connection: Connection, who: uuid.UUID) -> None:
    call(connection, who, "leave_tenant", user(connection, who)["tenant_id"])


def team_of(connection: Connection, name: str, *members: tuple[str, str]) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """An admin by that name, and members by name and role, invited before they sign up."""
    admin = account(connection, name)
    connection.execute("update public.users set role = 'admin' where id = %s", [admin])
    for member, role in members:
        invite(connection, admin, f"{member}@example.org", role)
    return admin, [account(connection, member) for member, _ in members]


@pytest.fixture
def team(connection: Connection) -> Team:
    runs.install_probes(connection)
    runs.register(connection)
    ada, (uma, vic) = team_of(connection, "ada", ("uma", "user"), ("vic", "viewer"))
    rob, (rita,) = team_of(connection, "rob", ("rita", "user"))
    return Team(ada, uma, vic, rob, rita, user(connection, ada)["tenant_id"], user(connection, rob)["tenant_id"])


# Invitations


def test_who_signs_up_with_an_invited_address_is_in_with_that_role_and_has_a_home(
    connection: Connection, team: Team
) -> None:
    uma = user(connection, team.uma)
    assert (uma["tenant_id"], uma["role"]) == (team.tenant, "user")
    assert uma["home_tenant_id"] != team.tenant
    assert user(connection, team.vic)["role"] == "viewer"
    rows = many(connection, "select status, accepted_by from public.invitations where tenant_id = %s", team.tenant)
    assert {row["accepted_by"] for row in rows} == {team.uma, team.vic}
    assert {row["status"] for row in rows} == {"accepted"}


def test_nobody_is_in_before_the_address_is_confirmed(connection: Connection, team: Team) -> None:
    first, newest = invite(connection, team.rob, "new@example.org"), invite(connection, team.ada, "new@example.org")
    connection.execute("update public.invitations set expires_at = expires_at - interval '1 s' where id = %s",
                       [first["id"]])  # fmt: skip
    new = account(connection, "new", confirmed=False)
    with person(connection, new):
        assert many(connection, "select * from public.my_invitations()") == []
        assert many(connection, "select * from public.invitations") == []
    with refused(NOT_FOUND, "there is no invitation"):
        accept(connection, new, newest)
    assert user(connection, new)["tenant_id"] == user(connection, new)["home_tenant_id"]
    connection.execute("update auth.users set email_confirmed_at = now() where id = %s", [new])
    assert user(connection, new)["tenant_id"] == team.tenant
    # The other is still there to be chosen.
    with person(connection, new):
        assert one(connection, "select id, tenant, role from public.my_invitations()") == {
            "id": first["id"], "tenant": "rob", "role": "user",
        }  # fmt: skip


def test_who_has_an_account_accepts_and_keeps_what_is_at_home(connection: Connection, team: Team) -> None:
    eva = account(connection, "eva")
    mine = runs.submit(connection, eva)
    invitation = invite(connection, team.ada, " Eva@Example.org ", "viewer")
    assert invitation["email"] == "eva@example.org"
    assert user(connection, eva)["tenant_id"] != team.tenant
    with person(connection, eva):
        assert one(connection, "select status from public.invitations")["status"] == "pending"
        assert value(connection, "select role from public.my_invitations()") == "viewer"
    joined = accept(connection, eva, invitation)
    assert (joined["tenant_id"], joined["role"], joined["home_tenant_id"]) == (
        team.tenant, "viewer", mine["tenant_id"],
    )  # fmt: skip
    # A viewer steers nothing, so nothing goes on unseen.
    assert runs.task_row(connection, mine)["status"] == "paused"
    with refused(WRONG_STATE, "is accepted already"):
        accept(connection, eva, invitation)


@pytest.mark.parametrize(
    "address",
    [
        "аda@example.org",  # Cyrillic a
        "\u212aate@example.org",  # the Kelvin sign, a k in lower case
        "kate@exаmple.org",
        "kate@example.org\u200b",
        "ｋate@example.org",
        "ka\u0301te@example.org",
    ],
)
def test_a_look_alike_address_is_nobodys(connection: Connection, team: Team, address: str) -> None:
    with refused(INVALID, "not of plain ASCII letters"):
        invite(connection, team.ada, address)
    invitations = [invite(connection, team.ada, f"{name}@example.org") for name in ("kate", "other")]
    looks_alike = account(connection, address)
    with person(connection, looks_alike):
        assert many(connection, "select * from public.my_invitations()") == []
        assert many(connection, "select * from public.invitations") == []
    for invitation in invitations:
        with refused(NOT_FOUND, "there is no invitation"):
            accept(connection, looks_alike, invitation)
    assert user(connection, looks_alike)["tenant_id"] != team.tenant


@pytest.mark.parametrize(
    ("address", "code", "match"),
    [
        ("", INVALID, "is not an e-mail address"), ("kate", INVALID, "is not an e-mail address"),
        (None, INVALID, "is not an e-mail address"), ("a@b@c", INVALID, "is not an e-mail address"),
        ("a b@c.org", INVALID, "is not an e-mail address"), ("x" * 300 + "@b.c", INVALID, "is not an e-mail address"),
        ("a@b.c\x01", INVALID, "is not an e-mail address"), ("ADA@example.org", WRONG_STATE, "a member already"),
        ("uma@example.org", WRONG_STATE, "uma@example.org is a member already"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_invited_is_refused_with_the_reason(
    connection: Connection, team: Team, address: str, code: str, match: str
) -> None:
    with refused(code, match):
        invite(connection, team.ada, address)


def test_only_blanks_are_trimmed(connection: Connection) -> None:
    assert value(connection, "select private.trimmed(E' \\n\\x0bvic and viv\\x0b\\t')") == "vic and viv"


def test_an_address_is_invited_once_and_again_with_another_role(connection: Connection, team: Team) -> None:
    first = invite(connection, team.ada, "new@example.org")
    again = invite(connection, team.ada, "NEW@example.org", "admin")
    assert (again["id"], again["role"]) == (first["id"], "admin")
    with refused(INVALID, "is not admin, user or viewer"):
        invite(connection, team.ada, "new@example.org", "owner")
    connection.execute("update public.invitations set expires_at = now() where id = %s", [first["id"]])
    third = invite(connection, team.ada, "new@example.org")
    assert third["id"] != first["id"]
    old = one(connection, "select status from public.invitations where id = %s", first["id"])
    assert old["status"] == "expired"


def test_an_invitation_that_is_over_or_taken_back_lets_nobody_in(connection: Connection, team: Team) -> None:
    late, gone = invite(connection, team.ada, "late@example.org"), invite(connection, team.ada, "gone@example.org")
    connection.execute("update public.invitations set expires_at = now() where id = %s", [late["id"]])
    call(connection, team.ada, "revoke_invitation", gone["id"])
    with refused(WRONG_STATE, "is revoked already"):
        call(connection, team.ada, "revoke_invitation", gone["id"])
    for name, invitation, why in (("late", late, "is over"), ("gone", gone, "is revoked already")):
        who = account(connection, name)
        assert user(connection, who)["tenant_id"] != team.tenant
        with refused(WRONG_STATE, why):
            accept(connection, who, invitation)


def test_there_is_an_end_to_invitations(connection: Connection, team: Team) -> None:
    connection.execute(
        "insert into public.invitations (tenant_id, email, role, invited_by)"
        " select %s, 'p' || i || '@example.org', 'user', %s from generate_series(1, 500) i",
        [team.tenant, team.ada],
    )
    with refused(LIMIT, "limit pending_invitations reached"):
        invite(connection, team.ada, "new@example.org")


@pytest.mark.parametrize("how", ["set_user_role", "set_user_active", "remove_user", "deleted"])
def test_who_is_no_admin_any_more_has_invited_nobody(connection: Connection, team: Team, how: str) -> None:
    call(connection, team.ada, "set_user_role", team.uma, "admin")
    accomplice = invite(connection, team.uma, "accomplice@example.org", "admin")
    if how == "deleted":
        connection.execute("delete from auth.users where id = %s", [team.uma])
    else:
        arguments: dict[str, list[object]] = {"set_user_role": ["user"], "set_user_active": [False]}
        argument = arguments.get(how, [])
        call(connection, team.ada, how, team.uma, *argument)
    row = one(connection, "select status from public.invitations where id = %s", accomplice["id"])
    assert row["status"] == "revoked"


def test_metadata_of_a_sign_up_invites_nobody(connection: Connection, team: Team) -> None:
    invitation = invite(connection, team.ada, "new@example.org", "admin")
    forged = {
        "role": "admin",
        "tenant_id": str(team.tenant),
        "home_tenant_id": str(team.tenant),
        "invitation": str(invitation["id"]),
        "email": "new@example.org",
        "email_confirmed_at": "2026-01-01",
    }
    mallory = runs.sign_up(connection, "mallory@example.org", forged)
    made = user(connection, mallory)
    assert made["role"] == "user"
    assert team.tenant not in (made["tenant_id"], made["home_tenant_id"])


# Who may


ADMINS = ("invite_user", "revoke_invitation", "set_user_role", "set_user_active", "remove_user", "transfer_ownership",
          "rename_tenant")  # fmt: skip


def test_nobody_but_an_active_admin_governs(connection: Connection, team: Team) -> None:
    other = invite(connection, team.ada, "other@example.org")
    arguments: dict[str, list[object]] = {
        "invite_user": ["x@example.org"], "revoke_invitation": [other["id"]], "set_user_role": [team.uma, "admin"],
        "set_user_active": [team.ada, False], "remove_user": [team.ada], "transfer_ownership": [team.ada, team.uma],
        "rename_tenant": ["Mine"],
    }  # fmt: skip
    assert set(arguments) == set(ADMINS)
    ex_admin = account(connection, "ex")
    connection.execute(
        "update public.users set tenant_id = %s, role = 'admin', is_active = false where id = %s",
        [team.tenant, ex_admin],
    )
    for function, given in arguments.items():
        for who in (team.uma, team.vic, ex_admin, uuid.uuid4()):
            with refused(DENIED):
                call(connection, who, function, *given)
        with refused(DENIED, "permission denied for function"), acting_as(connection, "service_role"):
            connection.execute(f"select public.{function}({', '.join(['%s'] * len(given))})", given)
    # Nothing of it happened.
    assert user(connection, team.ada)["is_active"]
    assert user(connection, team.uma)["role"] == "user"


def test_an_admin_does_not_learn_of_another_tenants_people(connection: Connection, team: Team) -> None:
    theirs = invite(connection, team.rob, "secret@example.org")
    nobody = uuid.uuid4()
    for function, rest in (("set_user_role", ["viewer"]), ("set_user_active", [False]), ("remove_user", [])):
        said = set()
        for who in (team.rita, team.rob, nobody):
            with pytest.raises(psycopg.Error, match="there is no member") as caught:
                call(connection, team.ada, function, who, *rest)
            said.add(str(caught.value.diag.message_primary).replace(str(who), ""))
        assert len(said) == 1, said
    for first, second in ((team.rita, team.uma), (team.uma, team.rita), (nobody, team.uma), (team.uma, nobody)):
        with refused(NOT_FOUND, "there is no member"):
            call(connection, team.ada, "transfer_ownership", first, second)
    for function in ("revoke_invitation", "accept_invitation"):
        for invitation in (theirs["id"], nobody):
            with refused(NOT_FOUND, "there is no invitation"):
                call(connection, team.ada, function, invitation)
    with person(connection, team.ada):
        assert many(connection, "select * from public.invitations where tenant_id = %s", team.theirs) == []


def test_members_see_no_invitations_and_nobody_writes_them(connection: Connection, team: Team) -> None:
    invite(connection, team.ada, "new@example.org")
    for who in (team.uma, team.vic, team.rob):
        with person(connection, who):
            assert value(connection, "select count(*) from public.invitations where tenant_id = %s", team.tenant) == 0
    forged = "insert into public.invitations (tenant_id, email, role) values (%s, 'uma@example.org', 'admin')"
    for statement, given in (
        (forged, [team.tenant]), ("update public.invitations set role = 'admin'", []),
        ("delete from public.invitations", []),
    ):  # fmt: skip
        for who in (team.ada, team.uma):
            with refused(DENIED, "permission denied"), person(connection, who):
                connection.execute(statement, given)
        # Not even with every grant there is.
        connection.execute("grant all on public.invitations to service_role")
        with refused(DENIED, "by the runtime's functions alone"), acting_as(connection, "service_role"):
            connection.execute(statement, given)


def test_a_tool_decides_nothing_for_a_person(connection: Connection, team: Team) -> None:
    invitation = invite(connection, team.ada, "new@example.org")
    task = runs.submit(connection, team.ada)
    (task,) = runs.claim(connection)
    execution = runs.record_turn(connection, task, 1, runs.tool_call("probe_confirm"))["executions"][0]["id"]
    connection.execute(
        "insert into private.acting (xid, user_id, task_id) values (pg_current_xact_id(), %s, %s)",
        [team.ada, task["id"]],
    )
    for function, given in (
        ("invite_user", ["x@example.org"]), ("revoke_invitation", [invitation["id"]]),
        ("accept_invitation", [invitation["id"]]), ("leave_tenant", [team.tenant]),
        ("set_user_role", [team.uma, "admin"]),
        ("set_user_active", [team.uma, False]), ("remove_user", [team.uma]), ("rename_tenant", ["x"]),
        ("transfer_ownership", [team.ada, team.uma]), ("decide_execution", [execution, True]),
        ("settle_execution", [execution, True]),
    ):  # fmt: skip
        with refused(DENIED, "a tool cannot do this"):
            call(connection, team.ada, function, *given)
    with refused(DENIED, "a tool cannot do this"):
        connection.execute(
            "insert into public.execution_decisions (execution_id, user_id, verdict, input_digest)"
            " values (%s, %s, 'approved', 'x')",
            [execution, team.ada],
        )


# Roles, deactivation, leaving


def test_the_last_admin_of_others_stays_one(connection: Connection, team: Team) -> None:
    with refused(WRONG_STATE, "ada@example.org is the last admin of a tenant with other members"):
        call(connection, team.ada, "set_user_role", team.ada, "user")
    with refused(WRONG_STATE, "is the last admin"):
        leave(connection, team.ada)
    elsewhere = invite(connection, team.rob, "ada@example.org")
    with refused(WRONG_STATE, "is the last admin"):
        accept(connection, team.ada, elsewhere)
    for function, argument in (("set_user_active", [False]), ("remove_user", [])):
        with refused(INVALID, "by itself"):
            call(connection, team.ada, function, team.ada, *argument)
    # A deactivated admin is none.
    call(connection, team.ada, "set_user_role", team.uma, "admin")
    call(connection, team.ada, "set_user_active", team.uma, False)
    with refused(WRONG_STATE, "is the last admin"):
        leave(connection, team.ada)
    call(connection, team.ada, "set_user_active", team.uma, True)
    leave(connection, team.ada)
    with refused(WRONG_STATE, "is the last admin"):
        leave(connection, team.uma)
    # With nobody else who is active there is nobody to leave behind.
    call(connection, team.uma, "set_user_active", team.vic, False)
    leave(connection, team.uma)


def test_a_founder_who_leaves_gets_a_new_home_and_sees_nothing_of_the_team(connection: Connection, team: Team) -> None:
    task = runs.submit(connection, team.ada)
    call(connection, team.ada, "set_user_role", team.uma, "admin")
    leave(connection, team.ada)
    ada = user(connection, team.ada)
    assert ada["tenant_id"] == ada["home_tenant_id"] != team.tenant
    assert ada["role"] == "user"
    with person(connection, team.ada):
        assert value(connection, "select id from public.tenants") == ada["tenant_id"]
    assert runs.task_row(connection, task)["status"] == "paused"
    with refused(WRONG_STATE, "you are at home already"):
        leave(connection, team.ada)


def test_who_left_steers_nothing_of_what_stayed(connection: Connection, team: Team) -> None:
    with person(connection, team.uma):
        agent = value(
            connection,
            "insert into public.agents (name, system_prompt, model_name) values ('Hers', 'x', 'm') returning id",
        )
    task = runs.submit(connection, team.uma, agent="Hers")
    asked = runs.submit(connection, team.uma)
    call(connection, team.ada, "remove_user", team.uma)
    assert runs.task_row(connection, task)["status"] == "paused"
    with person(connection, team.uma):
        assert connection.execute("update public.tasks set cancel_requested_at = now()").rowcount == 0
        assert connection.execute("update public.conversations set title = 'x'").rowcount == 0
        assert connection.execute("update public.agents set name = 'x'").rowcount == 0
        assert connection.execute("delete from public.agents").rowcount == 0
        assert many(connection, "select * from public.agents where name = 'Hers'") == []
        assert value(connection, "select private.my_tenants()") == [user(connection, team.uma)["home_tenant_id"]] * 2
    for steer in (answer, resume, pause):
        with refused(NOT_FOUND):
            steer(connection, team.uma, asked)
    for statement in (
        "insert into public.tasks (conversation_id, title) values (%(conversation)s, 'x')",
        "insert into public.messages (conversation_id, role, content) values (%(conversation)s, 'user', 'x')",
        "select public.submit_task('x', p_conversation => %(conversation)s)",
        "insert into public.conversations (user_id, agent_id) values (%(me)s, %(agent)s)",
    ):
        with pytest.raises(psycopg.Error, match=r"there is no|row-level security"), person(connection, team.uma):
            connection.execute(statement, {"conversation": task["conversation_id"], "agent": agent, "me": team.uma})


def test_deactivation_holds_at_once_and_loses_nothing(connection: Connection, team: Team) -> None:
    runs.submit(connection, team.uma)
    (running,) = runs.claim(connection)
    waiting = runs.submit(connection, team.uma)
    (claimed,) = runs.claim(connection)
    execution = runs.record_turn(connection, claimed, 1, runs.tool_call("probe_confirm"))["executions"][0]["id"]
    runs.suspend(connection, claimed, "approval")
    pending = runs.submit(connection, team.uma)
    call(connection, team.ada, "set_user_active", team.uma, False)
    states = [runs.task_row(connection, task)["status"] for task in (running, waiting, pending)]
    assert states == ["running", "paused", "paused"]
    assert runs.task_row(connection, running)["pause_requested_at"] is not None
    runs.executed(connection, running, 1)
    assert runs.suspend(connection, running, "pause") == "paused"
    with person(connection, team.uma):
        for table in ("users", "tenants", "tasks", "messages", "files", "invitations"):
            assert value(connection, f"select count(*) from public.{table}") == 0
        assert not value(connection, "select private.may_upload(%s)", f"{team.tenant}/{pending['id']}/x")
    for function, given in (("resume_task", [pending["id"]]), ("decide_execution", [execution, True]),
                            ("leave_tenant", [team.tenant]), ("submit_task", ["x"])):  # fmt: skip
        with pytest.raises(psycopg.Error, match=r"there is no|sign in"):
            call(connection, team.uma, function, *given)
    # What an admin decides meanwhile wakes nothing.
    decide(connection, team.ada, execution)
    assert runs.claim(connection, 10) == []
    call(connection, team.ada, "set_user_active", team.uma, True)
    assert runs.claim(connection, 10) == []
    for task in (running, waiting, pending):
        assert resume(connection, team.uma, task)["status"] == "pending"


def test_what_the_operator_took_away_no_admin_gives_back(connection: Connection, team: Team) -> None:
    task = runs.submit(connection, team.uma)
    connection.execute("update public.users set is_active = false where id = %s", [team.uma])
    assert runs.task_row(connection, task)["status"] == "paused"
    with refused(DENIED, "deactivated by the operator"):
        call(connection, team.ada, "set_user_active", team.uma, True)
    call(connection, team.ada, "remove_user", team.uma)
    assert not user(connection, team.uma)["is_active"]
    # What an admin took away is of that admin's tenant.
    call(connection, team.ada, "set_user_active", team.vic, False)
    call(connection, team.ada, "remove_user", team.vic)
    vic = user(connection, team.vic)
    assert (vic["is_active"], vic["role"], vic["deactivated_by_admin"]) == (True, "user", False)


def test_a_tenant_is_named_by_its_admins_and_limited_by_the_operator(connection: Connection, team: Team) -> None:
    call(connection, team.ada, "rename_tenant", "  The team ")
    assert value(connection, "select name from public.tenants where id = %s", team.tenant) == "The team"
    for name in ("", "  ", None, "x" * 256):
        with refused(INVALID, "the name of a tenant is not within"):
            call(connection, team.ada, "rename_tenant", name)
    with refused(DENIED, "permission denied"), person(connection, team.ada):
        connection.execute("update public.tenants set settings = '{}'")


# Handing over


def test_what_is_transferred_goes_on_with_another(connection: Connection, team: Team) -> None:
    call(connection, team.ada, "set_user_role", team.vic, "user")
    with person(connection, team.uma):
        connection.execute(
            "insert into public.agents (name, system_prompt, model_name, tools_enabled)"
            " values ('Hers', 'x', 'default', '{probe}')"
        )
    running = runs.submit(connection, team.uma, agent="Hers", idempotency_key="k")
    (running,) = runs.claim(connection)
    runs.executed(connection, running, 1)
    pending = runs.submit(connection, team.uma, idempotency_key="l")
    same_key = runs.submit(connection, team.vic, idempotency_key="l")
    # Switched off meanwhile, as what was used is.
    connection.execute("update public.agents set is_active = false where name = 'Hers'")
    with person(connection, team.ada):
        moved = value(connection, "select public.transfer_ownership(%s, %s)", team.uma, team.vic)
    assert moved == {"conversations": 2, "tasks": 2, "agents": 1}
    assert [runs.task_row(connection, task)["status"] for task in (running, pending)] == ["running", "pending"]
    runs.executed(connection, running, 2)
    with person(connection, team.vic):
        assert value(connection, "select count(*) from public.tasks") == 3
    with person(connection, team.uma):
        assert value(connection, "select count(*) from public.tasks") == 0
    answer(connection, team.vic, pending)
    # A key is one's own: it names one's own task, and none of the other's.
    assert runs.submit(connection, team.vic, idempotency_key="l")["id"] == same_key["id"]
    with refused(INVALID, "not another person"):
        call(connection, team.ada, "transfer_ownership", team.vic, team.vic)
    call(connection, team.ada, "set_user_role", team.uma, "viewer")
    with refused(INVALID, "is not active, or a viewer"):
        call(connection, team.ada, "transfer_ownership", team.vic, team.uma)


def test_what_somebody_left_behind_is_transferred_and_what_is_at_home_is_not(
    connection: Connection, team: Team
) -> None:
    left = runs.submit(connection, team.uma)
    call(connection, team.ada, "remove_user", team.uma)
    home = runs.submit(connection, team.uma)
    call(connection, team.ada, "transfer_ownership", team.uma, team.ada)
    assert resume(connection, team.ada, left)["status"] == "pending"
    assert runs.task_row(connection, home)["user_id"] == team.uma


# An account's end


def test_a_team_keeps_what_was_made_in_it(connection: Connection, team: Team) -> None:
    task = runs.submit(connection, team.uma)
    (task,) = runs.claim(connection)
    runs.executed(connection, task, 1)
    home = user(connection, team.uma)["home_tenant_id"]
    connection.execute("delete from auth.users where id = %s", [team.uma])
    kept = runs.task_row(connection, task)
    assert (kept["user_id"], kept["status"]) == (team.ada, "running")
    assert kept["pause_requested_at"] is not None
    assert many(connection, "select from public.tenants where id = %s", home) == []
    with person(connection, team.uma):
        assert value(connection, "select count(*) from public.tasks") == 0


def test_the_last_admins_account_takes_no_work_of_the_team_along(connection: Connection, team: Team) -> None:
    shared, private = runs.submit(connection, team.ada), runs.submit(connection, team.ada)
    connection.execute("update public.conversations set is_shared = true where id = %s", [shared["conversation_id"]])
    others = runs.submit(connection, team.uma)
    connection.execute("delete from auth.users where id = %s", [team.ada])
    assert value(connection, "select user_id from public.tasks where id = %s", shared["id"]) == team.uma
    # Nobody comes to see by it what was not shared.
    assert many(connection, "select from public.tasks where id = %s", private["id"]) == []
    assert runs.task_row(connection, others)["status"] == "pending"
    assert user(connection, team.uma)["role"] == "user"


def test_what_somebody_left_behind_stays_when_the_account_ends(connection: Connection, team: Team) -> None:
    left = runs.submit(connection, team.uma)
    call(connection, team.ada, "remove_user", team.uma)
    runs.submit(connection, team.uma)
    connection.execute("delete from auth.users where id = %s", [team.uma])
    assert [row["id"] for row in many(connection, "select id from public.tasks")] == [left["id"]]


def test_a_tenant_goes_with_the_last_who_is_in_it_or_at_home_there(connection: Connection, team: Team) -> None:
    eva = account(connection, "eva")
    home = user(connection, eva)["tenant_id"]
    accept(connection, eva, invite(connection, team.ada, "eva@example.org"))
    for who in (team.ada, team.uma, team.vic):
        connection.execute("delete from auth.users where id = %s", [who])
    assert many(connection, "select from public.tenants where id = %s", team.tenant) != []
    connection.execute("delete from auth.users where id = %s", [eva])
    assert many(connection, "select from public.tenants where id = any (%s)", [team.tenant, home]) == []


def test_forged_columns_are_the_databases_to_set(connection: Connection, team: Team) -> None:
    agent = value(connection, "select id from public.agents where name = 'Prober'")
    mine = runs.submit(connection, team.uma)
    theirs = runs.submit(connection, team.rita)
    with person(connection, team.uma):
        for statement, given in (
            ("insert into public.conversations (id, user_id, agent_id, tenant_id) values (%s, %s, %s, %s)"
             " on conflict (id) do update set tenant_id = excluded.tenant_id, title = 'x'",
             [theirs["conversation_id"], team.uma, agent, team.theirs]),
            ("insert into public.conversations (user_id, agent_id) values (%s, %s)", [team.rita, agent]),
            ("insert into public.conversations (user_id, agent_id) values (%s, %s)", [uuid.uuid4(), agent]),
            ("insert into public.tasks (conversation_id, title) values (%s, 'x')", [theirs["conversation_id"]]),
            ("insert into public.tasks (conversation_id, title) values (%s, 'x')", [uuid.uuid4()]),
            ("insert into public.messages (conversation_id, task_id, role, content) values (%s, %s, 'user', 'x')",
             [theirs["conversation_id"], theirs["id"]]),
            ("insert into public.messages (conversation_id, task_id, role, content) values (%s, %s, 'user', 'x')",
             [theirs["conversation_id"], mine["id"]]),
            ("insert into public.messages (conversation_id, task_id, role, content) values (%s, %s, 'user', 'x')",
             [uuid.uuid4(), uuid.uuid4()]),
            ("insert into public.files (task_id, filename, original_filename, file_path, file_size, mime_type,"
             " uploaded_by) values (%s, 'x', 'x', 'x', 1, 'x', %s)", [theirs["id"], team.uma]),
            ("insert into public.files (task_id, filename, original_filename, file_path, file_size, mime_type,"
             " uploaded_by) values (%s, 'x', 'x', 'x', 1, 'x', %s)", [uuid.uuid4(), team.uma]),
        ):  # fmt: skip
            # The same words, whether it is there and another's or not there at all.
            with refused(DENIED, "row-level security policy"), connection.transaction():
                connection.execute(statement, given)
        with refused(NOT_FOUND, "there is no task"), connection.transaction():
            connection.execute(
                "insert into public.tasks (conversation_id, title, parent_task_id) values (%s, 'x', %s)",
                [mine["conversation_id"], theirs["id"]],
            )
    upserted = "insert into public.users (id, email, username, role, tenant_id, home_tenant_id)" \
        " values (%(me)s, 'x', 'x', 'admin', %(theirs)s, %(theirs)s)" \
        " on conflict (id) do update set role = excluded.role, tenant_id = excluded.tenant_id"  # fmt: skip
    connection.execute("grant all on all tables in schema public to authenticated, service_role")
    for role in ("authenticated", "service_role"):
        with refused(DENIED), acting_as(connection, role, team.uma):
            connection.execute(upserted, {"me": team.uma, "theirs": team.theirs})


def test_the_catalogue_is_the_seeds_and_the_operators_alone(connection: Connection, team: Team) -> None:
    connection.execute("grant all on all tables in schema public to authenticated, service_role")
    statements = {
        "insert into public.agents (name, system_prompt, model_name, is_public) values ('x', 'x', 'x', true)": False,
        "update public.agents set system_prompt = 'x' where tenant_id is null": True,
        "delete from public.agents where tenant_id is null": True,
    }
    for statement, touches in statements.items():
        with (
            refused(DENIED, "the catalogue is changed by operators and SQL scripts alone"),
            acting_as(connection, "service_role"),
        ):
            connection.execute(statement)
        if touches:
            with person(connection, team.ada):
                assert connection.execute(statement).rowcount == 0
    with person(connection, team.ada):
        made = one(
            connection,
            "insert into public.agents (name, system_prompt, model_name, is_public, tenant_id)"
            " values ('Ours', 'x', 'x', true, null) returning id, tenant_id",
        )
    assert made["tenant_id"] == team.tenant
    agents = "select count(*) from public.agents where id = %s"
    for who, sees in ((team.uma, 1), (team.vic, 1), (team.rita, 0), (team.rob, 0)):
        with person(connection, who):
            assert value(connection, agents, made["id"]) == sees
    with refused(NOT_FOUND, "there is no agent"):
        runs.submit(connection, team.rita, agent=str(made["id"]))
    with refused(DENIED, "row-level security"), person(connection, team.vic):
        connection.execute("insert into public.agents (name, system_prompt, model_name) values ('x', 'x', 'x')")


def test_an_agent_of_home_is_not_used_in_a_team(connection: Connection, team: Team) -> None:
    eva = account(connection, "eva")
    with person(connection, eva):
        agent = value(
            connection,
            "insert into public.agents (name, system_prompt, model_name) values ('Home', 'x', 'x') returning id",
        )
    home = runs.submit(connection, eva, agent="Home")
    accept(connection, eva, invite(connection, team.ada, "eva@example.org"))
    with refused(NOT_FOUND, "there is no agent"):
        runs.submit(connection, eva, agent=str(agent))
    # At home everything is as it was.
    more = runs.submit(connection, eva, agent=str(agent), conversation=home["conversation_id"])
    assert more["tenant_id"] == home["tenant_id"]
    with person(connection, team.ada):
        assert many(connection, "select from public.tasks where id = %s", home["id"]) == []


def test_a_token_of_a_deleted_user_gives_nothing(connection: Connection, team: Team) -> None:
    connection.execute("delete from auth.users where id = %s", [team.uma])
    for function, given in (
        ("leave_tenant", [team.tenant]),
        ("submit_task", ["x"]),
        ("accept_invitation", [uuid.uuid4()]),
    ):
        with refused(DENIED, "sign in"):
            call(connection, team.uma, function, *given)
    with person(connection, team.uma):
        assert many(connection, "select * from public.my_invitations()") == []
