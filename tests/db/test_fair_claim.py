"""Who is next: what is urgent starts soon, tenants take turns, and nobody takes more than its share."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from tests.db import runs
from tests.db.control import pause
from tests.db.impersonation import many, value
from tests.db.races import PATIENCE_SECONDS, connect
from tests.db.runs import claim, submit, task_row

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row

SEEDS = [-0.9, 0.1, 0.8]
"""For random(), which says whether a claim begins with the next tenant's turn or with what is most urgent."""


@pytest.fixture
def people(connection: Connection) -> list[uuid.UUID]:
    """Three people, each of a tenant of its own, in the order of their tenants' ids."""
    return set_up(connection)


def set_up(connection: Connection) -> list[uuid.UUID]:
    runs.install_probes(connection)
    runs.register(connection)
    for name in ("ana", "ben", "cleo"):
        runs.sign_up(connection, f"{name}@example.org")
    return [row["id"] for row in many(connection, "select id from public.users order by tenant_id")]


def set_cap(connection: Connection, tasks: int) -> None:
    connection.execute(
        "update public.system_config set config_value = to_jsonb(%s::int) where config_key = 'max_concurrent_tasks'",
        [tasks],
    )


def flood(connection: Connection, user: uuid.UUID, tasks: int, priority: int = 1) -> list[Row]:
    return [submit(connection, user, priority=priority) for _ in range(tasks)]


def owners(tasks: list[Row]) -> list[uuid.UUID]:
    return [task["user_id"] for task in tasks]


# Turns


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_a_tenant_that_floods_the_queue_with_urgent_tasks_starves_nobody(
    connection: Connection, people: list[uuid.UUID], seed: float, limit: int
) -> None:
    set_cap(connection, 100)
    flooding = people[SEEDS.index(seed)]
    flood(connection, flooding, 16, priority=5)
    patient = [submit(connection, user, priority=1)["id"] for user in people if user != flooding]
    connection.execute("select setseed(%s)", [seed])
    claimed: list[Row] = []
    while len(claimed) < 18:
        batch = claim(connection, limit)
        assert batch, "a claim found nothing while tasks were waiting"
        claimed += batch
    # Each second pick is a tenant's turn, so these two of eighteen come long before the flood ends.
    places = [number for number, task in enumerate(claimed) if task["id"] in patient]
    assert len(places) == 2 and max(places) < 14, places
    if limit > 1:
        # And each other one is what is most urgent, whosever it is.
        assert all(flooding in two for two in pairwise(owners(claimed)[:limit]))


def test_tenants_take_turns_and_begin_again(connection: Connection, people: list[uuid.UUID]) -> None:
    for user in people:
        flood(connection, user, 3)
    last, taken = uuid.UUID(int=0), []
    for _ in range(9):
        # Claimed as it is chosen, by the owner's hand, since the claim itself mixes turns with urgency.
        task = connection.execute("select * from private.next_in_turn(%s, '{}')", [last]).fetchone()
        assert task is not None
        last = task["tenant_id"]
        taken.append(task["user_id"])
        connection.execute("update public.tasks set run_after = now() + interval '1 h' where id = %s", [task["id"]])
    assert taken == people * 3


def test_whose_turn_it_was_is_remembered_between_claims(connection: Connection, people: list[uuid.UUID]) -> None:
    set_cap(connection, 100)
    for user in people:
        flood(connection, user, 8)
    # All picks by urgency and age alone would go to the first. How many go by turn is a throw of dice, and which
    # tenant is first goes by ids that differ from run to run.
    connection.execute("select setseed(0.5)")
    counted = Counter(owners([task for _ in range(12) for task in claim(connection)]))
    assert set(counted) == set(people)
    assert value(connection, "select last_tenant is not null from public.workers where id = %s", runs.WORKER)


def test_with_one_tenant_alone_nothing_waits_for_a_turn(connection: Connection, people: list[uuid.UUID]) -> None:
    tasks = flood(connection, people[2], 4)
    claimed = [claim(connection) for _ in range(5)]
    assert sorted(t["id"] for batch in claimed for t in batch) == sorted(t["id"] for t in tasks)
    assert claimed[-1] == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("limit", [1, 50])
def test_within_a_tenant_it_goes_by_priority_and_then_by_age(
    connection: Connection, people: list[uuid.UUID], seed: float, limit: int
) -> None:
    set_cap(connection, 100)
    for user in people:
        for age, priority in enumerate((1, 5, 3, 3, 5, 2)):
            task = submit(connection, user, priority=priority)
            connection.execute(
                "update public.tasks set created_at = now() - %s * interval '1 s' where id = %s", [age, task["id"]]
            )
    connection.execute("select setseed(%s)", [seed])
    claimed: list[Row] = []
    while batch := claim(connection, limit):
        claimed += batch
    assert len(claimed) == 18
    for user in people:
        mine = [(-t["priority"], t["created_at"]) for t in claimed if t["user_id"] == user]
        assert mine == sorted(mine)


# Shares


@pytest.mark.parametrize("seed", SEEDS)
def test_who_runs_as_many_as_it_may_is_passed_over(
    connection: Connection, people: list[uuid.UUID], seed: float
) -> None:
    set_cap(connection, 2)
    flood(connection, people[0], 5, priority=5)
    for user in people[1:]:
        flood(connection, user, 2)
    connection.execute("select setseed(%s)", [seed])
    claimed = claim(connection, 50)
    assert Counter(owners(claimed)) == dict.fromkeys(people, 2)
    assert claim(connection, 50) == []
    runs.settle(connection, next(t for t in claimed if t["user_id"] == people[0]), "failed")
    assert owners(claim(connection, 50)) == [people[0]]


def test_the_share_is_each_users_not_the_tenants(connection: Connection, people: list[uuid.UUID]) -> None:
    connection.execute("update public.users set tenant_id = (select min(tenant_id::text)::uuid from public.users)")
    set_cap(connection, 1)
    for user in people:
        flood(connection, user, 2)
    assert sorted(owners(claim(connection, 50))) == sorted(people)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_for_later_or_paused_takes_no_turn(
    connection: Connection, people: list[uuid.UUID], seed: float
) -> None:
    first, second, third = people
    hour = value(connection, "select now() + interval '1 hour'")
    later = [submit(connection, first, priority=5, run_after=hour) for _ in range(3)]
    held = submit(connection, second, priority=5)
    pause(connection, second, held)
    ready = submit(connection, third)
    connection.execute("select setseed(%s)", [seed])
    assert [t["id"] for t in claim(connection, 50)] == [ready["id"]]
    connection.execute("update public.tasks set run_after = now() where id = %s", [later[0]["id"]])
    assert [t["id"] for t in claim(connection, 50)] == [later[0]["id"]]
    assert task_row(connection, later[1])["run_after"] == hour


# At the same moment


def test_of_claims_at_the_same_moment_none_takes_anothers_task_or_more_than_a_share(database: Database) -> None:
    together = Barrier(4)
    with connect(database) as owner, ThreadPoolExecutor(4) as threads:
        people = set_up(owner)
        set_cap(owner, 6)
        for user in people:
            flood(owner, user, 8)

        def work() -> list[Row]:
            with connect(database) as connection:
                worker = uuid.uuid4()
                runs.register(connection, worker)
                together.wait(PATIENCE_SECONDS)
                return [task for _ in range(6) for task in claim(connection, 2, worker=worker)]

        futures = [threads.submit(work) for _ in range(4)]
        claimed = [task for future in futures for task in future.result(60)]
        assert len({task["id"] for task in claimed}) == len(claimed) == 18
        assert Counter(owners(claimed)) == dict.fromkeys(people, 6)
        assert value(owner, "select count(*) from public.tasks where status = 'running'") == 18
