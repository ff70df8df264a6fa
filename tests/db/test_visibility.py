"""Who sees which rows: the policies, with all their short cuts, against the rule as a person would state it.

A small world drawn by lot: tenants, owners, colleagues, viewers, admins, people who are away from home, who left, who
were deactivated; conversations that are shared or not, that changed hands, and rows from before there were owner hints.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tests.db.impersonation import DENIED, acting_as, many, person, refused, value
from tests.db.people import settle_in

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection

PARTS = {
    "messages": "conversation_id",
    "tasks": "conversation_id",
    "files": "conversation_id",
    "task_events": "(select t.conversation_id from public.tasks t where t.id = x.task_id)",
    "tool_executions": "(select t.conversation_id from public.tasks t where t.id = x.task_id)",
    "execution_decisions": "(select t.conversation_id from public.tool_executions e"
    " join public.tasks t on t.id = e.task_id where e.id = x.execution_id)",
}


@dataclass
class Somebody:
    id: UUID
    tenant: UUID
    home: UUID
    role: str
    is_active: bool


@dataclass
class Conversation:
    id: UUID
    owner: UUID
    tenant: UUID
    is_shared: bool


@dataclass
class World:
    people: list[Somebody] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)


def may_see(who: Somebody, what: Conversation) -> bool:
    """The rule. A conversation's owner, where the owner works now and at home; and in the tenant in which one works
    now, everybody what is shared and its admins everything. Nobody who was deactivated."""
    if not who.is_active:
        return False
    if what.owner == who.id and what.tenant in (who.tenant, who.home):
        return True
    return what.tenant == who.tenant and (what.is_shared or who.role == "admin")


# As the superuser, without triggers: what they would set is set here, so that a world can be what years have made.


def _made(database: Database, seed: int) -> World:
    lot, world = random.Random(seed), World()
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        agent = connection.execute("select id from public.agents").fetchone()
        tool = connection.execute("select id from public.tools order by name").fetchone()
        assert agent
        assert tool
        tenants = [uuid4() for _ in range(3)]
        for tenant in tenants:
            connection.execute(
                "insert into public.tenants (id, slug, name) values (%s, %s, 'x')", [tenant, f"t-{tenant}"]
            )
        for number in range(12):
            home = lot.choice(tenants)
            # Each role is there in the first tenant, whatever the lot says.
            tenant = tenants[0] if number < 4 else lot.choice([home, home, *tenants])
            role = (
                ("admin", "user", "user", "viewer")[number] if number < 4 else lot.choice(["admin", "user", "viewer"])
            )
            somebody = Somebody(uuid4(), tenant, home, role, is_active=number < 4 or lot.random() < 0.8)
            world.people.append(somebody)
            connection.execute(
                "insert into public.users (id, email, username, role, is_active, tenant_id, home_tenant_id)"
                " values (%(id)s, %(id)s || '@example.org', %(id)s, %(role)s, %(is_active)s, %(tenant)s, %(home)s)",
                vars(somebody),
            )
        for _ in range(40):
            # Somewhere that its owner may have left, or joined.
            owner = lot.choice(world.people)
            tenant = lot.choice([owner.tenant, owner.tenant, owner.home, *tenants])
            conversation = Conversation(uuid4(), owner.id, tenant, is_shared=lot.random() < 0.3)
            world.conversations.append(conversation)
            _fill(connection, conversation, agent[0], tool[0], hinted=lot.random() < 0.8)
            if tenant not in (owner.tenant, owner.home):
                connection.execute("update public.users set owner_hints = false where id = %s", [owner.id])
    return world


def _fill(connection: psycopg.Connection, what: Conversation, agent: UUID, tool: UUID, *, hinted: bool) -> None:
    made: dict[str, Any] = {
        **vars(what), "agent": agent, "tool": tool, "task": uuid4(), "hint": what.owner if hinted else None,
    }  # fmt: skip
    for statement in (
        "insert into public.conversations (id, user_id, agent_id, tenant_id, is_shared)"
        " values (%(id)s, %(owner)s, %(agent)s, %(tenant)s, %(is_shared)s)",
        "insert into public.tasks (id, conversation_id, title, user_id, agent_id, tenant_id, status, completed_at)"
        " values (%(task)s, %(id)s, 'x', %(owner)s, %(agent)s, %(tenant)s, 'completed', now())",
        "insert into public.messages (conversation_id, task_id, role, content, tenant_id, seq, owner_id)"
        " select %(id)s, %(task)s, 'user', 'the bicycle', %(tenant)s, i, %(hint)s from generate_series(1, 2) i",
        "insert into public.files (conversation_id, task_id, filename, original_filename, file_path, file_size,"
        " mime_type, tenant_id, owner_id) values (%(id)s, %(task)s, 'f', 'f', 'f', 1, 'x', %(tenant)s, %(hint)s)",
        "insert into public.task_events (task_id, kind, tenant_id, owner_id)"
        " values (%(task)s, 'task.notice', %(tenant)s, %(hint)s)",
        "insert into public.tool_executions (id, task_id, tool_id, input_parameters, tenant_id, tool_call_id, step,"
        " call_index, input_digest, owner_id)"
        " values (%(task)s, %(task)s, %(tool)s, '{}', %(tenant)s, 'c', 1, 0, 'x', %(hint)s)",
        "insert into public.execution_decisions (execution_id, tenant_id, verdict, input_digest)"
        " values (%(task)s, %(tenant)s, 'approved', 'x')",
    ):
        connection.execute(statement, made)


@pytest.fixture
def world(connection: Connection, shared_database: Database, request: pytest.FixtureRequest) -> World:
    """Made anew for each test, since it stays; each has its own tenants."""
    return _made(shared_database, seed=len(request.node.name))


def _check(connection: Connection, world: World) -> int:
    """Each person, each table, each row: seen exactly when the rule says so. How many rows were seen."""
    ours = [c.id for c in world.conversations]
    whole = {
        table: {
            row["id"]: row["conversation"]
            for row in many(
                connection,
                f"select x.id, {place} as conversation from public.{table} x where {place} = any (%s)", ours,
            )
        }
        for table, place in PARTS.items()
    }  # fmt: skip
    rows = 0
    for who in world.people:
        right = {what.id for what in world.conversations if may_see(who, what)}
        rows += len(right)
        with person(connection, who.id):
            shown = {row["id"] for row in many(connection, "select id from public.conversations")}
            assert shown == right, who
            for table, conversation_of in whole.items():
                shown = {row["id"] for row in many(connection, f"select id from public.{table}")}
                assert shown == {row for row, conversation in conversation_of.items() if conversation in right}, (
                    table,
                    who,
                )
            details = many(connection, "select id, message_count, task_count from public.conversation_details")
            assert {(row["id"], row["message_count"], row["task_count"]) for row in details} == {
                (c, 2, 1) for c in right
            }
            assert value(connection, "select sum(execution_count) from public.tool_statistics") == (
                len(right) if who.is_active else None
            )
            found = many(connection, "select conversation_id from public.search_messages('bicycles')")
            assert sorted(row["conversation_id"] for row in found) == sorted([*right, *right]), who
    return rows


def test_everybody_sees_exactly_what_the_rule_gives(connection: Connection, world: World) -> None:
    assert _check(connection, world) > 50


def test_what_changed_hands_is_the_new_owners_and_nobody_elses(connection: Connection, world: World) -> None:
    lot = random.Random(1)
    for conversation in lot.sample(world.conversations, 15):
        taker = lot.choice(
            [who for who in world.people if conversation.tenant in (who.tenant, who.home)] or world.people
        )
        _hand_over(connection, conversation, taker)
    assert _check(connection, world) > 50


def test_who_moves_sees_what_is_where_they_are_now(connection: Connection, world: World) -> None:
    lot = random.Random(2)
    for _ in range(2):
        for who in lot.sample(world.people, 6):
            who.tenant = lot.choice([who.home, *(one.tenant for one in world.people)])
            connection.execute("update public.users set tenant_id = %s where id = %s", [who.tenant, who.id])
        assert _check(connection, world) > 50


def _hand_over(connection: Connection, conversation: Conversation, taker: Somebody) -> None:
    """As transferring does, but for the guards that refuse a taker from elsewhere."""
    conversation.owner = taker.id
    connection.execute("alter table public.conversations disable trigger own_conversation")
    connection.execute("update public.conversations set user_id = %s where id = %s", [taker.id, conversation.id])
    connection.execute("alter table public.conversations enable trigger own_conversation")
    connection.execute("update public.tasks set user_id = %s where conversation_id = %s", [taker.id, conversation.id])


def test_every_row_says_whose_it_was_when_it_was_written(connection: Connection) -> None:
    people = settle_in(connection)
    for table in ("messages", "task_events", "tool_executions", "files"):
        owners = many(connection, f"select distinct owner_id from public.{table} where task_id = %s", people.task["id"])
        assert owners == [{"owner_id": people.alice}], table


def test_nobody_gives_itself_the_short_cut_back(connection: Connection) -> None:
    people = settle_in(connection)
    connection.execute("update public.users set owner_hints = false where id = %s", [people.alice])
    with refused(DENIED, "cannot be changed"), person(connection, people.alice):
        connection.execute("update public.users set owner_hints = true")
    with refused(DENIED, "cannot be changed"), acting_as(connection, "service_role"):
        connection.execute("update public.users set owner_hints = true where id = %s", [people.alice])


def test_a_wrong_policy_is_noticed(connection: Connection, world: World) -> None:
    for table, policy, wrong in (
        ("messages", "Users can view messages from own conversations", "owner_id = (select private.me())"),
        ("conversations", "Users can view own conversations", "user_id = (select private.me())"),
        ("files", "Users can view files of conversations they can view", "tenant_id = (select private.my_tenant())"),
    ):
        broken = sql.SQL("alter policy {} on public.{} using ({})").format(
            sql.Identifier(policy), sql.Identifier(table), sql.SQL(wrong)
        )
        with connection.transaction(force_rollback=True):
            connection.execute(broken)
            with pytest.raises(AssertionError):
                _check(connection, world)
