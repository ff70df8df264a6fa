"""Accounts: the profile that follows Supabase's row from its making to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db import runs
from tests.db.impersonation import many, one, person, value

if TYPE_CHECKING:
    import uuid

    from tests.db.impersonation import Connection, Row


def profile(connection: Connection, user: uuid.UUID) -> Row:
    return one(
        connection,
        "select u.*, t.slug from public.users u join public.tenants t on t.id = u.tenant_id where u.id = %s",
        user,
    )


def test_everybody_gets_a_profile_and_a_tenant(connection: Connection) -> None:
    user = runs.sign_up(connection, "Ana.Lucía+x@example.org", {"full_name": "Ana", "avatar_url": "https://x/y.png"})
    made = profile(connection, user)
    assert (made["email"], made["username"], made["slug"]) == ("Ana.Lucía+x@example.org", "ana-luc-a-x", "ana-luc-a-x")
    assert (made["role"], made["is_active"], made["full_name"]) == ("user", True, "Ana")


def test_what_somebody_says_of_itself_at_sign_up_gives_no_rights(connection: Connection) -> None:
    other = profile(connection, runs.sign_up(connection, "a@example.org"))["tenant_id"]
    user = runs.sign_up(
        connection, "mallory@example.org",
        {"role": "admin", "tenant_id": str(other), "username": "root", "app_metadata": {"role": "admin"}},
    )  # fmt: skip
    made = profile(connection, user)
    assert (made["role"], made["username"]) == ("user", "mallory")
    assert made["tenant_id"] != other


@pytest.mark.parametrize("metadata", ["{}", "[]", '"x"', "null", '{"full_name": {"a": [1]}}', '{"full_name": null}'])
def test_no_metadata_stops_a_sign_up(connection: Connection, metadata: str) -> None:
    user = value(
        connection,
        "insert into auth.users (email, raw_user_meta_data) values ('m@example.org', %s) returning id",
        metadata,
    )
    assert profile(connection, user)["username"] == "m"


@pytest.mark.parametrize(
    "email", [None, "", "ñandú@example.org", "@example.org", "x" * 400 + "@example.org", "--@example.org", "a'; --@x.y"]
)
def test_no_address_stops_a_sign_up(connection: Connection, email: str | None) -> None:
    user = value(connection, "insert into auth.users (email) values (%s) returning id", email)
    assert profile(connection, user)["is_active"]


def test_people_with_one_short_name_each_get_one_of_their_own(connection: Connection) -> None:
    users = [runs.sign_up(connection, f"ana@{host}.example") for host in ("one", "two", "three")]
    made = [profile(connection, user)["username"] for user in users]
    assert made == ["ana", f"ana-{users[1].hex}", f"ana-{users[2].hex}"]


def test_an_address_that_another_profile_has_does_not_stop_a_sign_up(connection: Connection) -> None:
    first = runs.sign_up(connection, "shared@example.org")
    # Two rows of auth.users may have one address, for people who come through single sign-on.
    connection.execute("alter table auth.users drop constraint users_email_key")
    second = runs.sign_up(connection, "shared@example.org")
    assert profile(connection, first)["email"] == "shared@example.org"
    assert profile(connection, second)["email"] == f"{second}@no-email.invalid"


def test_the_profile_follows_a_new_address(connection: Connection) -> None:
    user = runs.sign_up(connection, "old@example.org")
    connection.execute("update auth.users set email = 'new@example.org' where id = %s", [user])
    assert profile(connection, user)["email"] == "new@example.org"


def test_an_account_takes_its_work_and_its_tenant_along_and_leaves_the_audit(connection: Connection) -> None:
    runs.install_probes(connection)
    runs.register(connection)
    user = runs.sign_up(connection, "gone@example.org")
    with person(connection, user):
        connection.execute(
            "insert into agents (name, system_prompt, model_name, tools_enabled) values ('Mine', 'x', 'm', '{probe}')"
        )
    runs.executed(connection, runs.running(connection, user, agent="Mine"), 1)
    connection.execute("delete from auth.users where id = %s", [user])
    for table in ("users", "tenants", "conversations", "tasks", "messages", "task_events", "tool_executions", "files"):
        assert value(connection, f"select count(*) from public.{table}") == 0, table
    assert many(connection, "select 1 from public.agents where name = 'Mine'") == []
    kept = many(connection, "select * from public.audit_logs where actor = %s", f"user:{user}")
    assert {row["user_id"] for row in kept} == {None}
    assert len(kept) > 3


def test_an_account_leaves_a_tenant_that_others_are_in(connection: Connection) -> None:
    stays, goes = (runs.sign_up(connection, f"{name}@example.org") for name in ("stays", "goes"))
    tenant = profile(connection, goes)["tenant_id"]
    connection.execute("update public.users set tenant_id = %s where id = %s", [tenant, stays])
    connection.execute("delete from auth.users where id = %s", [goes])
    assert profile(connection, stays)["tenant_id"] == tenant
