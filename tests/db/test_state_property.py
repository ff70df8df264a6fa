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
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row

from tests.db import control, runs
from tests.db.impersonation import LEASE_LOST, many, value
from tests.db.races import connect

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection, Row

T = TypeVar("T")

REFUSALS = {"AR001", "AR002", "AR003", "AR004", "AR005", "42501"}
BLOCKED = {"55P03", "40001", "40P01"}
"""The other connection holds it in its open transaction, or changed it since this one's began."""
TOOLS = [
    "probe",
    "probe",
    "probe_pure",
    "probe_pure",
    "probe_confirm",
    "probe_two",
    "probe_confirm_pure",
    "probe_disabled",
    "no_such",
]
WORKERS = [uuid.UUID(int=0xA), uuid.UUID(int=0xB)]

REPEATABLE = {"worker_suspend", "worker_settle", "worker_release"}
"""What gives a lease back answers again when it is called again with that lease."""
LATE = [0, 0, 0, 0, 0, 1, 1, 2, 3, 4]
EVENTS = {
    "transaction": 2,
    "submit": 1, "decide": 5, "settle_doubt": 2, "pause": 1, "resume": 2, "cancel": 1, "answer": 2,
    "claim": 5, "step": 8, "turn": 2, "start": 6, "finish": 4, "suspend": 3,
    "settle": 1, "release": 1, "renew": 1, "reap": 2,
    "lease": 2, "run_after": 1, "approvals": 1,
}  # fmt: skip
"""What can happen, and how often."""

HELD = "select status = 'running' and lease_token = %s from public.tasks where id = %s"
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
        self.open: ExitStack | None = None
        """Of the first connection."""
        self.unsure: list[Callable[[], None]] = []
        """What to remember once the open transaction is committed."""
        self.leases: list[Lease] = []
        """All that were ever given, in their order: most of them are lost."""
        self.restarts: Counter[uuid.UUID] = Counter()
        self.started_unsafe: Counter[uuid.UUID] = Counter()
        self.final: dict[uuid.UUID, str] = {}
        self.random = Random(0)
        self.last_event: dict[uuid.UUID, int] = {}

    def teardown(self) -> None:
        for connection in (*self.connections, self.observer):
            connection.close()

    @initialize()
    def begin_anew(self) -> None:
        with psycopg.connect(self.database.superuser, autocommit=True) as superuser:
            # Past the triggers that keep history.
            superuser.execute("set session_replication_role = replica")
            superuser.execute("truncate public.conversations, public.audit_logs, private.audit_heads cascade")
        for connection in self.connections:
            connection.execute("select setseed(0.5)")
        self.people = {
            row["username"]: row["id"] for row in many(self.observer, "select id, username from public.users")
        }
        for who in ("alice", "bob", "alice"):
            runs.submit(self.observer, self.people[who])
        self.claim(self.connections[1], 2, WORKERS[0])

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

    def write(self, connection: Connection, lease: Lease, call: str, *arguments: object) -> Any:
        """A worker's fenced write. Without the lease it changes nothing: it is refused, or repeats an answer.

        Its answer, None when it was refused.
        """
        before = value(connection, SEEN_BY, *[lease.task] * 4)
        held = value(connection, HELD, lease.token, lease.task)
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
        if held:
            assert refusal != LEASE_LOST, call
        else:
            assert refusal is not None or call in REPEATABLE, call
        return answer

    def pick(self, among: Sequence[T]) -> T:
        return self.random.choice(among)

    def draw_lease(self, connection: Connection) -> Lease:
        """Mostly one that is held; often one that is lost."""
        tokens = many(connection, "select lease_token as token from public.tasks where status = 'running'")
        held = [lease for lease in self.leases if {"token": lease.token} in tokens]
        among = self.pick([held, held, held, self.leases]) or self.leases
        return among[-1 - self.pick(LATE) % len(among)]

    def draw_call(self, connection: Connection, lease: Lease, first: str) -> Row | None:
        """One of the task's calls, mostly one that is in the state `first`."""
        calls = many(
            connection,
            "select e.id, e.status, e.started_at, o.retry_class, t.claimed_at from public.tool_executions e"
            " join public.tools o on o.id = e.tool_id join public.tasks t on t.id = e.task_id"
            " where e.task_id = %s order by e.status <> %s, e.step desc, e.call_index", lease.task, first,
        )  # fmt: skip
        return calls[self.pick(LATE) % len(calls)] if calls else None

    # One rule, since Hypothesis leaves some of many out of each example, and most of a run needs most of them.
    @rule(
        event=st.sampled_from([event for event, times in EVENTS.items() for _ in range(times)]),
        seed=st.integers(0, 999_999),
    )
    def something_happens(self, event: str, seed: int) -> None:
        # The details are chosen among what the database has just now, which Hypothesis must not have to repeat.
        self.random = Random(seed)
        connection = self.pick(self.connections)
        match event:
            case "transaction":
                self.open_or_end_a_transaction()
            case "submit" | "decide" | "settle_doubt" | "pause" | "resume" | "cancel" | "answer":
                self.person(connection, event)
            case "lease" | "run_after" | "approvals":
                self.let_time_pass(connection, event)
            case _:
                self.worker(connection, event)

    # -- transactions ----------------------------------------------------------------------------------------------

    def open_or_end_a_transaction(self) -> None:
        if self.open is None:
            level = self.pick(["read committed", "repeatable read"])
            self.open = ExitStack()
            self.transaction = self.open.enter_context(self.connections[0].transaction())
            self.connections[0].execute(f"set transaction isolation level {level}")
            self.connections[0].execute("select count(*) from public.tasks")
            return
        commit = self.pick([True, True, False])
        try:
            with self.open:
                if not commit:
                    raise psycopg.Rollback(self.transaction)
        except psycopg.errors.SerializationFailure:
            # Others appended to the chain of the tenant since the snapshot was taken.
            commit = False
        for what in self.unsure if commit else []:
            what()
        self.open, self.unsure = None, []

    # -- people ----------------------------------------------------------------------------------------------------

    def person(self, connection: Connection, does: str) -> None:
        if does == "submit":
            who, later = (
                self.pick(["alice", "bob"]),
                self.pick([None, None, "2999-01-01"]),
            )
            self.act(connection, lambda: runs.submit(connection, self.people[who], run_after=later))
        elif does in ("decide", "settle_doubt"):
            status = "awaiting_approval" if does == "decide" else "in_doubt"
            calls = many(connection, "select id from public.tool_executions where status = %s order by id", status)
            if calls:
                self.judge(connection, calls[self.pick(LATE) % len(calls)]["id"], does)
        else:
            tasks = many(
                connection, "select id, user_id from public.tasks order by completed_at is not null, created_at"
            )
            if tasks:
                task = tasks[self.pick(LATE) % len(tasks)]
                call: Callable[..., Row] = getattr(control, does)
                self.act(connection, lambda: call(connection, task["user_id"], task))

    def judge(self, connection: Connection, execution: str, does: str) -> None:
        who = self.people[self.pick(["alice", "alice", "dan", "dan", "bob"])]
        how = self.pick(["yes", "yes", "yes", "edit", "no"])
        if does == "settle_doubt":
            self.act(connection, lambda: control.settle_doubt(connection, who, execution, how != "no"))
        else:
            edited = {"path": self.pick("abc")} if how == "edit" else None
            self.act(connection, lambda: control.decide(connection, who, execution, how != "no", arguments=edited))

    # -- workers ---------------------------------------------------------------------------------------------------

    def worker(self, connection: Connection, does: str) -> None:
        if does == "reap":
            self.act(connection, lambda: runs.reap(connection))
        elif does == "claim" or not self.leases:
            self.claim(connection, self.pick([1, 2, 3]), self.pick(WORKERS))
        else:
            getattr(self, does)(connection, self.draw_lease(connection))

    def claim(self, connection: Connection, limit: int, worker: uuid.UUID) -> None:
        claimed, _ = self.act(
            connection, lambda: many(connection, "select * from public.worker_claim(%s, %s, 60)", worker, limit)
        )
        given = [Lease(task["id"], task["lease_token"]) for task in claimed or []]
        assert not set(given) & set(self.leases)
        self.remember(connection, lambda: self.leases.extend(given))

    def step(self, connection: Connection, lease: Lease) -> None:
        """What a worker does most of its time: a turn, and its calls one after the other, as far as it gets."""
        self.turn(connection, lease)
        for _ in range(self.pick([0, 1, 2])):
            self.start(connection, lease)
            if self.pick([True, True, False]):
                self.finish(connection, lease)

    def turn(self, connection: Connection, lease: Lease) -> None:
        taken = value(
            connection, "select coalesce((usage ->> 'steps')::int, 0) from public.tasks where id = %s", lease.task
        )
        step = taken + self.pick([1, 1, 1, 1, 0, 2])
        seen = value(
            connection,
            f"select {self.pick(['max', 'max', 'min'])}(seq) from public.messages where task_id = %s",
            lease.task,
        )
        tools = [self.pick(TOOLS) for _ in range(self.pick([0, 1, 1, 2, 3]))]
        calls = json.dumps([runs.tool_call(tool, f"c{place}", path="a") for place, tool in enumerate(tools)])
        self.write(
            connection, lease, "worker_record_turn", step, "I will.", calls, "{}", '{"prompt_tokens": 7}', seen,
            self.pick([True, False]),
        )  # fmt: skip

    def start(self, connection: Connection, lease: Lease) -> None:
        call = self.draw_call(connection, lease, self.pick(["pending", "pending", "pending", "running"]))
        if call is None or self.write(connection, lease, "worker_start_execution", call["id"]) is None:
            return
        if call["retry_class"] == "unsafe":
            self.remember(connection, lambda: self.started_unsafe.update([call["id"]]))
        if call["status"] == "running" and call["started_at"] < call["claimed_at"]:
            self.remember(connection, lambda: self.restarts.update([lease.task]))

    def finish(self, connection: Connection, lease: Lease) -> None:
        call = self.draw_call(connection, lease, "running")
        after = self.draw_call(connection, lease, "pending")
        if call and after:
            status = self.pick(["completed", "completed", "failed", "in_doubt"])
            self.write(
                connection, lease, "worker_finish_execution", call["id"], status, "done", "{}", None, 12, None, "[]",
                None, self.pick([None, after["id"]]),
            )  # fmt: skip

    def suspend(self, connection: Connection, lease: Lease) -> None:
        reason = self.pick(["answer", "approval", "approval", "doubt", "pause"])
        self.write(connection, lease, "worker_suspend", reason)

    def settle(self, connection: Connection, lease: Lease) -> None:
        status = self.pick(["completed", "completed", "failed", "cancelled"])
        self.write(connection, lease, "worker_settle", status, "{}", None)

    def release(self, connection: Connection, lease: Lease) -> None:
        self.write(connection, lease, "worker_release", self.pick([0, 0, 60]), "Later.")

    def renew(self, connection: Connection, lease: Lease) -> None:
        held = value(connection, HELD, lease.token, lease.task)
        renewed, _ = self.act(
            connection,
            lambda: many(
                connection, "select held from public.worker_renew(%s, %s, %s, 60)",
                WORKERS[0], [lease.task], [lease.token],
            ),
        )  # fmt: skip
        # Of a task that the other connection has locked nothing is said.
        assert not renewed or renewed == [{"held": held}]

    # -- clocks ----------------------------------------------------------------------------------------------------

    def let_time_pass(self, connection: Connection, what: str) -> None:
        past = "now() - interval '1 s'"
        passes = {
            "run_after": f"update public.tasks set run_after = {past} where run_after is not null",
            "approvals": f"update public.tool_executions set approval_expires_at = {past}"
            " where status in ('awaiting_approval', 'pending') and approvals_needed > 0",
        }
        if what in passes:
            self.act(connection, lambda: connection.execute(passes[what]))
        elif self.leases:
            lease = self.draw_lease(connection)
            late = f"update public.tasks set lease_expires_at = {past} where id = %s and status = 'running'"
            self.act(connection, lambda: connection.execute(late, [lease.task]))

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
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples or 12,
            stateful_step_count=60,
            derandomize=not examples,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
