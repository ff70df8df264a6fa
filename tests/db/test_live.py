"""What a server of live streams reads, and why reading on after the last id misses nothing."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.impersonation import DENIED, acting_as, many, refused, value
from tests.db.people import settle_in
from tests.db.races import connect, wait_until_blocked

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection

READ = "select * from public.web_read_events(%s::uuid[], %s::bigint[], %s)"
APPEND = (
    "select private.append_event(id, conversation_id, tenant_id, 'task.notice', '{}') from public.tasks where id = %s"
)


def test_events_of_several_tasks_come_after_what_was_seen_of_each_and_no_more_than_asked(
    connection: Connection,
) -> None:
    people = settle_in(connection)
    mine, other = people.task["id"], runs.submit(connection, people.frank)["id"]
    ids: dict[uuid.UUID, list[int]] = {mine: [], other: []}
    for row in many(connection, "select id, task_id from public.task_events order by id"):
        ids.get(row["task_id"], []).append(row["id"])
    with acting_as(connection, "agent_worker"):
        everything = many(connection, READ, [mine, other, uuid.uuid4()], [0, None, 0], 1_000)
        assert [row["id"] for row in everything] == sorted(ids[mine] + ids[other])
        later = many(connection, READ, [mine, other], [ids[mine][3], ids[other][-1]], 2)
        assert [row["id"] for row in later] == ids[mine][4:6]
        assert many(connection, READ, [], [], 5) == []
        # As many as are asked for, at least one, at most a thousand of each.
        assert len(many(connection, READ, [mine], [0], -1)) == 1
        assert value(connection, "select public.web_last_event(%s)", mine) == ids[mine][-1]
        assert value(connection, "select public.web_last_event(%s)", uuid.uuid4()) is None


def test_the_order_of_ids_is_the_order_of_commits_within_a_task(each_database: Database) -> None:
    """The second writer waits before it takes an id until the first has committed: what is read later is higher."""
    with connect(each_database) as owner, connect(each_database) as first, connect(each_database) as second:
        task = _task(owner)
        seen = [row["id"] for row in many(owner, READ, [task], [0], 1_000)]
        with ThreadPoolExecutor(1) as beside:
            with first.transaction():
                first.execute(APPEND, [task])
                other = beside.submit(second.execute, APPEND, [task])
                wait_until_blocked(owner, second)
                # Neither is to be seen, and no id of the second is taken yet.
                assert [row["id"] for row in many(owner, READ, [task], [0], 1_000)] == seen
            other.result()
        new = [row["id"] for row in many(owner, READ, [task], [seen[-1]], 1_000)]
        assert len(new) == 2


def test_a_reader_who_reads_on_beside_two_writers_misses_nothing(each_database: Database) -> None:
    def write(task: uuid.UUID) -> None:
        with connect(each_database) as connection:
            for n in range(60):
                with connection.transaction():
                    connection.execute(APPEND, [task])
                    connection.execute("select pg_sleep(%s)", [0.001 * (n % 3)])

    with connect(each_database) as owner, ThreadPoolExecutor(2) as writers:
        task = _task(owner)
        running = [writers.submit(write, task) for _ in range(2)]
        seen: list[int] = []
        while True:
            ended = all(writer.done() for writer in running)
            seen += [row["id"] for row in many(owner, READ, [task], [seen[-1] if seen else 0], 7)]
            if ended and len(seen) == value(owner, "select count(*) from public.task_events where task_id = %s", task):
                break
            assert not ended or seen[-1] < value(
                owner, "select max(id) from public.task_events where task_id = %s", task
            )
        for writer in running:
            writer.result()
        assert seen == sorted(set(seen))


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_nobody_else_may_ask(connection: Connection, role: Any) -> None:
    for call in ("public.web_read_events('{}', '{}', 1)", "public.web_last_event(gen_random_uuid())"):
        with refused(DENIED), acting_as(connection, role):
            connection.execute(f"select * from {call}")


def _task(owner: Connection) -> uuid.UUID:
    assert owner.row_factory is dict_row
    runs.install_probes(owner)
    runs.register(owner)
    user = runs.sign_up(owner, "alice@example.org")
    found: uuid.UUID = runs.submit(owner, user)["id"]
    return found
