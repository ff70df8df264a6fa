"""What always holds, whatever workers, people, clocks and crashes do in whatever order, with transactions left open.

Hypothesis drives the functions of the database over two connections, of which one may have a transaction open, and asks
after each step. Leases that were lost are used again and again; clocks are moved by moving what they are compared with.
The same examples each time, for as long as the suite can spare. For more of them, and others each time:

    PROPERTY_EXAMPLES=2000 python -m pytest -n0 --timeout=0 tests/db/test_state_property.py
"""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row

from tests.db import control, runs
from tests.db.impersonation import LEASE_LOST, many, one, value
from tests.db.races import connect

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row

REFUSALS = {"AR001", "AR002", "AR003", "AR004", "AR005", "42501"}
BLOCKED = {"55P03", "40001", "40P01"}
"""The other connection holds it in its open transaction, or changed it since this one's began."""
ENDED = ("completed", "failed", "cancelled")
TOOLS = ["probe", "probe_pure", "probe_confirm", "probe_two", "probe_confirm_pure", "probe_disabled", "no_such"]
WORKERS = [uuid.UUID(int=0xA), uuid.UUID(int=0xB)]

BROKEN = """
select 'task ' || t.id || ': ' || broken as fact
from public.tasks t
cross join lateral (
  select array_agg((m.metadata ->> 'step')::int order by m.seq) as steps,
         coalesce(sum(octet_length(m.content)), 0) as said
  from public.messages m where m.task_id = t.id and m.role = 'assistant'
) turns
cross join lateral (
  select count(*) filter (where e.started_at is not null) as started, count(e.execution_time_ms) as finished
  from public.tool_executions e where e.task_id = t.id
) calls
cross join lateral (values
  (coalesce(turns.steps, '{}') is distinct from
     (select coalesce(array_agg(s), '{}') from generate_series(1, coalesce((t.usage ->> 'steps')::int, 0)) s),
   'steps have gaps, come twice or are not as many as were counted'),
  (turns.said + 4 * calls.finished <> coalesce((t.usage ->> 'output_bytes')::numeric, 0), 'output_bytes are no sum'),
  (0.012 * calls.finished <> coalesce((t.usage ->> 'tool_seconds')::numeric, 0), 'tool_seconds are no sum'),
  (7 * coalesce((t.usage ->> 'steps')::int, 0) <> coalesce((t.usage ->> 'prompt_tokens')::numeric, 0),
   'prompt_tokens are no sum'),
  (calls.started > coalesce((t.usage ->> 'tool_calls')::numeric, 0), 'a call started that is not counted'),
  (t.attempts > t.max_attempts, 'more attempts than there may be'),
  ((t.status = 'paused') <> (t.pause_requested_at is not null) and t.status in ('paused', 'pending', 'waiting'),
   'it is paused unasked, or not paused though asked'),
  (t.status = 'waiting' and not private.still_waits(t, t.wait_reason), 'it waits for what has come'),
  (t.status in ('completed', 'failed', 'cancelled') and exists (
     select from public.tool_executions e
     where e.task_id = t.id and e.status in ('pending', 'awaiting_approval', 'running')
   ), 'it ended with an open call'),
  (t.status = 'completed' and private.has_unseen_message(t), 'it completed with a message that the model has not seen'),
  (t.status = 'running' and t.claimed_at is null, 'nobody knows since when it runs')
) checks (is_broken, broken)
where is_broken
union all
select 'execution ' || e.id || ' (' || e.status || '): ' || broken
from public.tool_executions e
join public.tools o on o.id = e.tool_id
cross join lateral (
  select count(*) as times from public.messages m
  where m.task_id = e.task_id and m.role = 'tool' and m.metadata ->> 'execution_id' = e.id::text
) told
cross join lateral (
  select count(*) as times from public.task_events v
  where v.task_id = e.task_id and v.kind = 'execution.status' and v.payload ->> 'status' = 'running'
    and v.payload ->> 'execution_id' = e.id::text
) began
cross join lateral (values
  (told.times > 1, 'the model was told twice'),
  (told.times = 0 and e.status in ('completed', 'failed', 'denied') and not exists (
     select from public.task_events v where v.task_id = e.task_id and v.kind = 'execution.decision'
       and v.payload ->> 'execution_id' = e.id::text and v.payload ->> 'verdict' in ('happened', 'did_not_happen')
   ), 'the model was not told'),
  (began.times > 1, 'it began twice'),
  (e.started_at is not null and began.times = 0, 'it began unseen'),
  (e.input_digest <> private.digest(e.input_parameters), 'its digest is of other arguments'),
  (e.started_at is not null and private.approvals_given(e.id, e.input_digest) < e.approvals_needed,
   'it ran without approval'),
  (e.started_at is not null and e.approvals_needed > 0 and e.approval_used_at is null, 'its approval was not used up'),
  (o.requires_confirmation and e.approvals_needed < o.approvals_required and e.status <> 'denied',
   'it needs too few people')
) checks (is_broken, broken)
where is_broken
"""

SEEN_BY = """
select md5(string_agg(r, ' ' order by r)) from (
  select t::text as r from public.tasks t where t.id = %s
  union all select e::text from public.tool_executions e where e.task_id = %s
  union all select m.id::text from public.messages m where m.task_id = %s
  union all select v.id::text from public.task_events v where v.task_id = %s
) rows
"""
"""All that belongs to a task, as this connection sees it."""


@dataclass(frozen=True)
class Lease:
    task: uuid.UUID
    token: uuid.UUID


class Machine(RuleBasedStateMachine):
    """Two tenants' people, two workers, two connections."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.connections = [_connection(self.database) for _ in range(2)]
        self.observer = _connection(self.database)
        self.open: psycopg.Transaction | None = None
        """Of the first connection."""
        self.unsure: list[Callable[[], None]] = []
        """What to remember once the open transaction is committed."""
        self.leases: list[Lease] = []
        """All that were ever given, in their order: most of them are lost."""
        self.restarts: Counter[uuid.UUID] = Counter()
        self.started_unsafe: Counter[uuid.UUID] = Counter()
        self.final: dict[uuid.UUID, str] = {}
        self.last_event: dict[uuid.UUID, int] = {}

    def teardown(self) -> None:
        for connection in (*self.connections, self.observer):
            connection.close()

    @initialize()
    def begin_anew(self) -> None:
        with psycopg.connect(self.database.superuser, autocommit=True) as superuser:
            # Past the triggers that keep history.
            superuser.execute("set session_replication_role = replica")
            superuser.execute("truncate public.conversations, public.audit_logs cascade")
        for connection in self.connections:
            connection.execute("select setseed(0.5)")
        self.people = {
            row["username"]: row["id"] for row in many(self.observer, "select id, username from public.users")
        }

    # -- how a rule acts -------------------------------------------------------------------------------------------

    def act(self, connection: Connection, do: Callable[[], Any]) -> tuple[Any, str | None]:
        """What it answered, or with which code it was refused."""
        try:
            with connection.transaction():
                return do(), None
        except psycopg.Error as error:
            if error.sqlstate not in REFUSALS | BLOCKED:
                raise
            return None, error.sqlstate

    def remember(self, connection: Connection, what: Callable[[], None]) -> None:
        if self.open is not None and connection is self.connections[0]:
            self.unsure.append(what)
        else:
            what()

    def write(self, which: int, lease: Lease, call: str, *arguments: object) -> tuple[Any, str | None, Connection]:
        """A worker's fenced write. Without the lease it changes nothing: it is refused, or repeats an answer."""
        connection = self.connections[which]
        before = value(connection, SEEN_BY, *[lease.task] * 4)
        held = value(
            connection,
            "select status = 'running' and lease_token = %s from public.tasks where id = %s", lease.token, lease.task,
        )  # fmt: skip
        marks = ", ".join(["%s"] * len(arguments))
        answer, refusal = self.act(
            connection,
            # As the owner of the functions: they are the same, and a role is set for no purpose.
            lambda: value(connection, f"select public.{call}(%s, %s, {marks})", lease.task, lease.token, *arguments),
        )
        if not held or refusal is not None:
            assert before == value(connection, SEEN_BY, *[lease.task] * 4), (
                f"{call} changed something: {refusal or 'without the lease'}"
            )
        if not held:
            assert refusal is not None or call in ("worker_suspend", "worker_settle", "worker_release"), call
        else:
            assert refusal != LEASE_LOST, call
        return answer, refusal, connection

    def lease(self, number: int) -> Lease:
        """Mostly a late one, which may still be held."""
        return self.leases[-1 - number % min(len(self.leases), 6)]

    def executions(self, connection: Connection, lease: Lease) -> list[Row]:
        return many(
            connection,
            "select e.id, e.status, e.started_at, o.retry_class, t.claimed_at from public.tool_executions e"
            " join public.tools o on o.id = e.tool_id join public.tasks t on t.id = e.task_id"
            " where e.task_id = %s order by e.step, e.call_index", lease.task,
        )  # fmt: skip

    def any_task(self, number: int) -> Row | None:
        tasks = many(self.observer, "select id, user_id, conversation_id from public.tasks order by created_at, id")
        return tasks[number % len(tasks)] if tasks else None

    which = st.integers(0, 1)
    number = st.integers(0, 11)

    # -- transactions ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.open is None)
    @rule(level=st.sampled_from(["read committed", "repeatable read"]))
    def leave_a_transaction_open(self, level: str) -> None:
        connection = self.connections[0]
        self.open = connection.transaction()
        self.open.__enter__()
        connection.execute(f"set transaction isolation level {level}")
        connection.execute("select count(*) from public.tasks")

    @precondition(lambda self: self.open is not None)
    @rule(commit=st.booleans())
    def end_the_transaction(self, commit: bool) -> None:
        assert self.open is not None
        if commit:
            self.open.__exit__(None, None, None)
            for what in self.unsure:
                what()
        else:
            rollback = psycopg.Rollback(self.open)
            self.open.__exit__(psycopg.Rollback, rollback, None)
        self.open, self.unsure = None, []

    # -- people ----------------------------------------------------------------------------------------------------

    @rule(which=which, who=st.sampled_from(["alice", "bob"]), later=st.booleans())
    def submit(self, which: int, who: str, later: bool) -> None:
        after = "2999-01-01" if later else None
        self.act(
            self.connections[which],
            lambda: runs.submit(self.connections[which], self.people[who], run_after=after),
        )

    @rule(which=which, number=number, how=st.sampled_from(["pause", "resume", "resume", "cancel", "answer", "answer"]))
    def ask(self, which: int, number: int, how: str) -> None:
        if task := self.any_task(number):
            call: Callable[..., Row] = getattr(control, how)
            self.act(self.connections[which], lambda: call(self.connections[which], task["user_id"], task))

    @rule(
        which=which, number=number, who=st.sampled_from(["alice", "alice", "dan", "dan", "bob"]),
        how=st.sampled_from(["approve", "approve", "approve", "edit", "deny"]),
    )  # fmt: skip
    def decide(self, which: int, number: int, who: str, how: str) -> None:
        connection = self.connections[which]
        open_calls = many(
            connection, "select id from public.tool_executions where status = 'awaiting_approval' order by id"
        )
        if open_calls:
            arguments = {"path": str(number)} if how == "edit" else None
            self.act(
                connection,
                lambda: control.decide(
                    connection, self.people[who], open_calls[number % len(open_calls)]["id"], how != "deny",
                    arguments=arguments,
                ),
            )  # fmt: skip

    @rule(which=which, number=number, who=st.sampled_from(["alice", "dan", "bob"]), happened=st.booleans())
    def settle_doubt(self, which: int, number: int, who: str, happened: bool) -> None:
        connection = self.connections[which]
        doubts = many(connection, "select id from public.tool_executions where status = 'in_doubt' order by id")
        if doubts:
            doubt = doubts[number % len(doubts)]["id"]
            self.act(connection, lambda: control.settle_doubt(connection, self.people[who], doubt, happened))

    # -- workers ---------------------------------------------------------------------------------------------------

    @rule(which=which, limit=st.integers(1, 3), worker=st.sampled_from(WORKERS))
    def claim(self, which: int, limit: int, worker: uuid.UUID) -> None:
        connection = self.connections[which]
        claimed, _ = self.act(
            connection, lambda: many(connection, "select * from public.worker_claim(%s, %s, 60)", worker, limit)
        )
        given = [Lease(task["id"], task["lease_token"]) for task in claimed or []]
        for lease in given:
            assert lease not in self.leases
            self.remember(connection, lambda lease=lease: self.leases.append(lease))  # type: ignore[misc]

    @precondition(lambda self: self.leases)
    @rule(
        which=which, number=number, step=st.sampled_from([1, 1, 1, 1, 0, 2]), start=st.booleans(),
        all_seen=st.booleans(), tools=st.lists(st.sampled_from(TOOLS), max_size=3),
    )  # fmt: skip
    def record_turn(self, which: int, number: int, step: int, start: bool, all_seen: bool, tools: list[str]) -> None:
        lease, connection = self.lease(number), self.connections[which]
        taken = value(
            connection, "select coalesce((usage ->> 'steps')::int, 0) from public.tasks where id = %s", lease.task
        )
        seen = value(
            connection,
            f"select {'max' if all_seen else 'min'}(seq) from public.messages where task_id = %s",
            lease.task,
        )
        calls = json.dumps([runs.tool_call(tool, f"c{place}", path="a") for place, tool in enumerate(tools)])
        self.write(
            which,
            lease,
            "worker_record_turn",
            taken + step,
            "I will.",
            calls,
            "{}",
            '{"prompt_tokens": 7}',
            seen,
            start,
        )

    @precondition(lambda self: self.leases)
    @rule(which=which, number=number, call=number)
    def start(self, which: int, number: int, call: int) -> None:
        lease, connection = self.lease(number), self.connections[which]
        calls = self.executions(connection, lease)
        if not calls:
            return
        execution = calls[call % len(calls)]
        answer, _, _ = self.write(which, lease, "worker_start_execution", execution["id"])
        if answer is None:
            return
        if execution["retry_class"] == "unsafe":
            self.remember(connection, lambda: self.started_unsafe.update([execution["id"]]))
        if execution["status"] == "running" and execution["started_at"] < execution["claimed_at"]:
            self.remember(connection, lambda: self.restarts.update([lease.task]))

    @precondition(lambda self: self.leases)
    @rule(
        which=which, number=number, call=number,
        status=st.sampled_from(["completed", "completed", "failed", "in_doubt"]), following=st.none() | number,
    )  # fmt: skip
    def finish(self, which: int, number: int, call: int, status: str, following: int | None) -> None:
        lease = self.lease(number)
        calls = self.executions(self.connections[which], lease)
        if calls:
            after = None if following is None else calls[following % len(calls)]["id"]
            self.write(
                which, lease, "worker_finish_execution", calls[call % len(calls)]["id"], status, "done", "{}", None, 12,
                None, "[]", None, after,
            )  # fmt: skip

    @precondition(lambda self: self.leases)
    @rule(which=which, number=number, reason=st.sampled_from(["answer", "approval", "approval", "doubt", "pause"]))
    def suspend(self, which: int, number: int, reason: str) -> None:
        self.write(which, self.lease(number), "worker_suspend", reason)

    @precondition(lambda self: self.leases)
    @rule(which=which, number=number, status=st.sampled_from(["completed", "completed", "failed", "cancelled"]))
    def settle(self, which: int, number: int, status: str) -> None:
        self.write(which, self.lease(number), "worker_settle", status, "{}", None)

    @precondition(lambda self: self.leases)
    @rule(which=which, number=number, delay=st.sampled_from([0, 0, 60]))
    def release(self, which: int, number: int, delay: int) -> None:
        self.write(which, self.lease(number), "worker_release", delay, "Later.")

    @precondition(lambda self: self.leases)
    @rule(which=which, number=number, worker=st.sampled_from(WORKERS))
    def renew(self, which: int, number: int, worker: uuid.UUID) -> None:
        lease, connection = self.lease(number), self.connections[which]
        held = value(
            connection, "select status = 'running' and lease_token = %s from public.tasks where id = %s",
            lease.token, lease.task,
        )  # fmt: skip
        renewed, _ = self.act(
            connection,
            lambda: one(connection, "select held from public.worker_renew(%s, %s, %s, 60)",
                        worker, [lease.task], [lease.token]),
        )  # fmt: skip
        assert renewed is None or renewed["held"] == held

    @rule(which=which)
    def reap(self, which: int) -> None:
        self.act(self.connections[which], lambda: runs.reap(self.connections[which]))

    # -- clocks ----------------------------------------------------------------------------------------------------

    @rule(which=which, number=number, what=st.sampled_from(["lease_expires_at", "lease_expires_at", "run_after"]))
    def let_time_pass(self, which: int, number: int, what: str) -> None:
        if task := self.any_task(number):
            self.act(
                self.connections[which],
                lambda: self.connections[which].execute(
                    f"update public.tasks set {what} = now() - interval '1 s' where id = %s and {what} is not null",
                    [task["id"]],
                ),
            )

    @rule(which=which)
    def let_approvals_expire(self, which: int) -> None:
        late = "update public.tool_executions set approval_expires_at = now() - interval '1 s'"
        waiting = "where status in ('awaiting_approval', 'pending') and approvals_needed > 0"
        self.act(self.connections[which], lambda: self.connections[which].execute(f"{late} {waiting}"))

    # -- what always holds, as everybody sees it ----------------------------------------------------------------------

    @invariant()
    def no_row_says_otherwise(self) -> None:
        assert [row["fact"] for row in many(self.observer, BROKEN)] == []

    @invariant()
    def a_task_has_one_holder_who_was_the_last_to_be_given_it(self) -> None:
        last = {lease.task: lease.token for lease in self.leases}
        for task in many(self.observer, "select id, lease_token from public.tasks where status = 'running'"):
            assert task["lease_token"] == last[task["id"]]

    @invariant()
    def no_unsafe_call_was_started_twice(self) -> None:
        assert not self.started_unsafe or max(self.started_unsafe.values()) == 1

    @invariant()
    def each_start_is_counted(self) -> None:
        counted = many(
            self.observer,
            "select t.id, coalesce((t.usage ->> 'tool_calls')::int, 0) as counted,"
            " (select count(*) from public.tool_executions e where e.task_id = t.id and e.started_at is not null)"
            " as started from public.tasks t",
        )
        for task in counted:
            assert task["counted"] == task["started"] + self.restarts[task["id"]]

    @invariant()
    def what_has_ended_stays(self) -> None:
        rows = many(
            self.observer,
            "select id, md5(t::text) as row from public.tasks t where completed_at is not null"
            " union all select id, md5(e::text) from public.tool_executions e where completed_at is not null",
        )
        found = {row["id"]: row["row"] for row in rows}
        assert {id: found.get(id) for id in self.final} == self.final
        self.final = found

    @invariant()
    def events_come_in_the_order_of_commits(self) -> None:
        rows = many(self.observer, "select task_id, id from public.task_events order by id")
        newest: dict[uuid.UUID, int] = {}
        for row in rows:
            newest[row["task_id"]] = row["id"]
        known = Counter(row["task_id"] for row in rows if row["id"] <= self.last_event.get(row["task_id"], 0))
        assert known == getattr(self, "events", Counter()), "an event came before one that was seen already"
        self.last_event, self.events = newest, Counter(row["task_id"] for row in rows)


def _connection(database: Database) -> Connection:
    connection: Connection = psycopg.connect(
        database.owner, autocommit=True, row_factory=dict_row,
        # Who waits for the other connection waits for the test itself.
        options="-c lock_timeout=20ms -c statement_timeout=20s",
    )  # fmt: skip
    return connection


def test_whatever_happens_in_whatever_order(database18: Database) -> None:
    with connect(database18) as owner:
        runs.install_probes(owner)
        control.install_asking_probes(owner)
        for worker in WORKERS:
            runs.register(owner, worker)
        alice, dan, _bob = (runs.sign_up(owner, f"{name}@example.org") for name in ("alice", "dan", "bob"))
        owner.execute(
            "update public.users set role = 'admin', tenant_id = (select tenant_id from public.users where id = %s)"
            " where id = %s", [alice, dan],
        )  # fmt: skip
    examples = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
    Machine.database = database18
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=examples or 25,
            stateful_step_count=60,
            derandomize=not examples,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
