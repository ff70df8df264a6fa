"""What the access matrix (test_access.py) does not say of who reaches what: counts, agents, the words of a denial."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.impersonation import DENIED, NOT_FOUND, WRONG_STATE, affected, many, one, person, refused, value
from tests.db.people import People, settle_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection


@pytest.fixture(scope="module")
def people(shared_database: Database) -> Iterator[People]:
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        yield settle_in(connection)


def test_an_outsider_sees_nothing_through_the_views(connection: Connection, people: People) -> None:
    with person(connection, people.alice):
        assert one(connection, "select username, agent_name, message_count, task_count from conversation_details") == {
            "username": "alice", "agent_name": "Prober", "message_count": 3, "task_count": 1,
        }  # fmt: skip
        assert value(connection, "select execution_count from tool_statistics where name = 'probe'") == 1
    with person(connection, people.bob):
        assert many(connection, "select * from conversation_details") == []
        assert value(connection, "select sum(execution_count) from tool_statistics") == 0


def test_sharing_is_seen_at_once_and_ends_at_once(connection: Connection, people: People) -> None:
    count = "select count(*) from public.messages where conversation_id = %s"
    for shared in (False, True, False):
        with person(connection, people.alice):
            change = "update conversations set is_shared = %s where id = %s"
            assert affected(connection, change, shared, people.conversation) == 1
        for user in (people.frank, people.vera):
            with person(connection, user):
                assert (value(connection, count, people.conversation) > 0) is shared
        with person(connection, people.bob):
            assert value(connection, count, people.conversation) == 0


def test_a_denial_says_no_more_than_the_caller_sees(connection: Connection, people: People) -> None:
    connection.execute("update conversations set is_shared = true where id = %s", [people.conversation])
    seen, hidden = (people.frank, people.vera, people.dan), (people.bob, people.eve)
    for call, of_seen in (("cancel_task(%(task)s)", DENIED), ("pause_task(%(task)s)", DENIED)):
        for user in (*seen, *hidden):
            with refused(of_seen if user in seen else NOT_FOUND), person(connection, user):
                connection.execute(f"select {call}", names(people, user))
    for call in ("answer_task(%(task)s, 'x')", "decide_execution(%(execution)s, true)"):
        for user in (*seen, *hidden):
            if user == people.dan and call.startswith("decide"):
                # The tenant's admin decides, too; this one has been decided.
                with refused(WRONG_STATE, "nothing to decide"), person(connection, user):
                    connection.execute(f"select {call}", names(people, user))
                continue
            with refused(NOT_FOUND, "of yours"), person(connection, user):
                connection.execute(f"select {call}", names(people, user))


def test_a_file_in_somebody_elses_task_is_refused_as_in_none(connection: Connection, people: People) -> None:
    # The path that it would have to have names the tenant.
    insert = (
        "insert into files (task_id, filename, original_filename, file_path, file_size, mime_type, uploaded_by)"
        " values (%s, 'x', 'x', 'x', 1, 'x', %s)"
    )
    for user in (people.bob, people.frank, people.dan):
        for task in (people.task["id"], uuid.uuid4()):
            with refused(DENIED, "row-level security"), person(connection, user):
                connection.execute(insert, [task, user])


def test_a_task_in_somebody_elses_conversation_is_refused_as_in_none(connection: Connection, people: People) -> None:
    for user in (people.bob, people.frank, people.dan):
        for conversation in (people.conversation, uuid.uuid4()):
            with refused(DENIED, "row-level security"), person(connection, user):
                connection.execute("insert into tasks (conversation_id, title) values (%s, 'x')", [conversation])


def test_agents_are_seen_by_whom_they_are_for(connection: Connection, people: People) -> None:
    def names(user: uuid.UUID) -> set[str]:
        with person(connection, user):
            return {row["name"] for row in many(connection, "select name from agents where name in ('Mine', 'Ours')")}

    assert names(people.alice) == {"Mine", "Ours"}
    assert names(people.frank) == names(people.vera) == {"Ours"}
    assert names(people.bob) == set()


@pytest.mark.parametrize("who", ["bob", "frank", "dan"])
def test_nobody_uses_another_persons_private_agent(connection: Connection, people: People, who: str) -> None:
    me = getattr(people, who)
    for statement in (
        "select submit_task('x', p_agent => 'Mine')",
        "select submit_task('x', p_agent => %(mine)s::text)",
        "insert into conversations (user_id, agent_id) values (%(me)s, %(mine)s)",
    ):
        with refused(NOT_FOUND, "no agent"), person(connection, me):
            connection.execute(statement, names(people, me))
    task = runs.submit(connection, me)
    with refused(NOT_FOUND, "no agent"), person(connection, me):
        connection.execute(
            "update conversations set agent_id = %s where id = %s", [people.private_agent, task["conversation_id"]]
        )
    with refused(NOT_FOUND, "no agent"), person(connection, me):
        connection.execute(
            "insert into tasks (conversation_id, agent_id, title) values (%s, %s, 'x')",
            [task["conversation_id"], people.private_agent],
        )


def test_an_outsider_cannot_use_a_tenants_agent(connection: Connection, people: People) -> None:
    with refused(NOT_FOUND), person(connection, people.bob):
        connection.execute("select submit_task('x', p_agent => 'Ours')")
    assert runs.submit(connection, people.frank, agent="Ours")["agent_id"] == people.tenant_agent


def names(people: People, me: uuid.UUID) -> dict[str, object]:
    return {
        "me": me, "alice": people.alice, "conversation": people.conversation, "task": people.task["id"],
        "tenant": str(people.tenant), "mine": people.private_agent, "ours": people.tenant_agent,
        "execution": people.execution,
    }  # fmt: skip
