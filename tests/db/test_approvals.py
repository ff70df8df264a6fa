"""Approvals are capabilities: bound to the exact arguments, in time, used once, held by a trigger against everybody."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.control import ASKING, asked, cancel, decide, install_asking_probes, lose_worker
from tests.db.impersonation import (
    DENIED,
    INVALID,
    LIMIT,
    NOT_FOUND,
    UNAPPROVED,
    WRONG_STATE,
    acting_as,
    many,
    one,
    person,
    refused,
    value,
)
from tests.db.people import People, settle_in
from tests.db.races import PATIENCE_SECONDS, connect, wait_until_blocked
from tests.db.runs import claim, execution_row, finish, record_turn, start, suspend, task_row, tool_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection, Role, Row


@pytest.fixture(scope="module")
def people(shared_database: Database) -> Iterator[People]:
    with psycopg.connect(shared_database.owner, autocommit=True, row_factory=dict_row) as connection:
        people = settle_in(connection)
        install_asking_probes(connection)
        connection.execute("update public.users set role = 'admin' where id = %s", [people.bob])
        yield people


@pytest.fixture
def task(connection: Connection, people: People) -> Row:
    return runs.running(connection, people.alice)


def asked_and_waiting(connection: Connection, task: Row, tool: str = "probe_confirm") -> str:
    execution = asked(connection, task, tool)
    assert suspend(connection, task, "approval") == "waiting"
    return execution


def make_late(connection: Connection, execution: str) -> None:
    connection.execute(
        "update public.tool_executions set approval_expires_at = now() - interval '1 s' where id = %s", [execution]
    )


def tool_messages(connection: Connection, task: Row) -> list[str]:
    return [m["content"] for m in runs.messages(connection, task) if m["role"] == "tool"]


# What asks


@pytest.mark.parametrize(
    ("tool", "needed"),
    [("probe", 0), ("probe_confirm", 1), ("probe_dangerous", 1), ("probe_two", 2), ("probe_two_dangerous", 2)],
)
def test_a_tool_asks_for_as_many_people_as_it_says(connection: Connection, task: Row, tool: str, needed: int) -> None:
    row = execution_row(connection, asked(connection, task, tool))
    assert (row["status"], row["approvals_needed"]) == ("awaiting_approval" if needed else "pending", needed)
    assert (row["approval_expires_at"] is not None) == bool(needed)


@pytest.mark.parametrize(
    ("tool", "needed"),
    [("probe_dangerous", 0), ("probe_confirm", 1), ("probe_two", 2), ("probe_two_dangerous", 2)],
)
def test_a_standing_permission_stands_for_the_asking_of_one_person_and_no_more(
    connection: Connection, task: Row, tool: str, needed: int
) -> None:
    connection.execute("update public.agents set standing_permissions = %s where name = 'Prober'", [ASKING])
    assert execution_row(connection, asked(connection, task, tool))["approvals_needed"] == needed


def test_a_permission_of_another_agent_is_none(connection: Connection, people: People, task: Row) -> None:
    connection.execute(
        "update public.agents set standing_permissions = %s where id = %s", [ASKING, people.tenant_agent]
    )
    assert execution_row(connection, asked(connection, task, "probe_dangerous"))["approvals_needed"] == 1


def test_a_tool_that_asks_only_later_does_not_start_before_it_is_asked(connection: Connection, task: Row) -> None:
    execution = asked(connection, task, "probe")
    connection.execute("update public.tools set security_level = 'dangerous' where name = 'probe'")
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, task, execution)
    finish(connection, task, execution, "failed", content="The call was not run.")
    assert execution_row(connection, execution)["status"] == "failed"


def test_a_tool_that_asks_for_two_only_later_is_not_decided_by_one(
    connection: Connection, people: People, task: Row
) -> None:
    execution = asked_and_waiting(connection, task)
    connection.execute("update public.tools set approvals_required = 2 where name = 'probe_confirm'")
    assert decide(connection, people.alice, execution)["status"] == "awaiting_approval"
    assert task_row(connection, task)["status"] == "waiting"
    assert decide(connection, people.dan, execution)["status"] == "pending"
    (again,) = claim(connection)
    start(connection, again, execution)


def test_what_a_crash_left_running_asks_again_what_the_tool_asks_by_now(connection: Connection, task: Row) -> None:
    execution = asked(connection, task, "probe_pure")
    start(connection, task, execution)
    lose_worker(connection, task)
    (again,) = claim(connection)
    connection.execute("update public.tools set requires_confirmation = true where name = 'probe_pure'")
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, again, execution)
    connection.execute(
        "update public.tools set requires_confirmation = false, is_enabled = false where name = 'probe_pure'"
    )
    with refused(WRONG_STATE, "is disabled"):
        start(connection, again, execution)


def test_an_approved_call_that_a_crash_left_running_runs_again_by_the_same_approval(
    connection: Connection, people: People, task: Row
) -> None:
    execution = asked_and_waiting(connection, task, "probe_confirm_pure")
    decide(connection, people.alice, execution)
    (again,) = claim(connection)
    start(connection, again, execution)
    used = execution_row(connection, execution)["approval_used_at"]
    lose_worker(connection, again)
    make_late(connection, execution)
    (third,) = claim(connection)
    start(connection, third, execution)
    assert execution_row(connection, execution)["approval_used_at"] == used


# Approving, editing, denying


def test_an_approved_call_runs_once(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    assert claim(connection) == []
    decided = decide(connection, people.alice, execution, reason="Go on.")
    assert (decided["status"], decided["decided_by"], decided["decision_reason"]) == (
        "pending", people.alice, "Go on.",
    )  # fmt: skip
    assert decided["approval_used_at"] is None
    (again,) = claim(connection)
    start(connection, again, execution)
    assert execution_row(connection, execution)["approval_used_at"] is not None
    with refused(WRONG_STATE, "never runs again"):
        start(connection, again, execution)
    finish(connection, again, execution)
    with refused(WRONG_STATE, "cannot go from completed to running"):
        start(connection, again, execution)


def test_an_edited_call_runs_what_the_person_wrote_and_the_model_is_told(
    connection: Connection, people: People, task: Row
) -> None:
    execution = asked_and_waiting(connection, task)
    before = execution_row(connection, execution)
    edited = decide(connection, people.alice, execution, arguments={"path": "b"})
    assert edited["status"] == "pending"
    assert (edited["input_parameters"], edited["original_parameters"]) == ({"path": "b"}, {"path": "a"})
    assert edited["input_digest"] != before["input_digest"]
    (again,) = claim(connection)
    start(connection, again, execution)
    said = finish(connection, again, execution, content="done")["message"]["content"]
    assert said == ('done\n\nA person changed the arguments before approving. What was run instead: {"path": "b"}')


def test_an_edit_that_changes_nothing_is_an_approval(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    edited = decide(connection, people.alice, execution, arguments={"path": "a"})
    assert (edited["status"], edited["original_parameters"]) == ("pending", None)


@pytest.mark.parametrize("arguments", ["[]", "null", "1"])
def test_arguments_are_an_object(connection: Connection, people: People, task: Row, arguments: str) -> None:
    execution = asked(connection, task)
    with refused(INVALID, "p_arguments is an object"), person(connection, people.alice):
        connection.execute("select public.decide_execution(%s, true, null, %s)", [execution, arguments])


def test_a_denial_takes_no_arguments(connection: Connection, people: People, task: Row) -> None:
    with refused(INVALID, "goes with an approval"):
        decide(connection, people.alice, asked(connection, task), False, arguments={"path": "b"})


def test_a_denial_is_read_by_the_model(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    denied = decide(connection, people.alice, execution, False, reason="Too dear.")
    assert (denied["status"], denied["error_message"]) == ("denied", "Denied: Too dear.")
    assert denied["completed_at"] is not None
    assert tool_messages(connection, task) == ["The person denied this call: Too dear."]
    assert task_row(connection, task)["status"] == "pending"


def test_a_reason_of_a_megabyte_is_refused_by_the_limits_name(
    connection: Connection, people: People, task: Row
) -> None:
    execution = asked(connection, task)
    with refused(LIMIT, "limit reason_bytes reached: 65537 bytes, at most 65536"):
        decide(connection, people.alice, execution, False, reason="x" * 65537)


def test_nobody_approves_what_somebody_else_just_changed(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task, "probe_two")
    seen = execution_row(connection, execution)["input_digest"]
    decide(connection, people.dan, execution, arguments={"path": "/etc"}, digest=seen)
    with refused(WRONG_STATE, "were changed meanwhile"):
        decide(connection, people.alice, execution, digest=seen)
    with refused(WRONG_STATE, "were changed meanwhile"):
        decide(connection, people.alice, execution, False, digest=seen)
    changed = execution_row(connection, execution)
    assert decide(connection, people.alice, execution, digest=changed["input_digest"])["status"] == "pending"


def test_each_decision_is_on_the_timeline_and_in_the_audit(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task, "probe_two")
    decide(connection, people.alice, execution, reason="Yes.")
    decide(connection, people.dan, execution, False, reason="No.")
    told = [e["payload"] for e in runs.events(connection, task, "execution.decision")]
    assert [(e["verdict"], e["user_id"], e["reason"]) for e in told] == [
        ("approved", str(people.alice), "Yes."),
        ("denied", str(people.dan), "No."),
    ]
    audited = many(
        connection,
        "select actor from public.audit_logs where resource_type = 'execution_decisions' order by created_at, id",
    )
    assert {row["actor"] for row in audited} == {f"user:{people.alice}", f"user:{people.dan}"}


# Time


def test_a_call_that_nobody_decided_about_is_denied_and_the_task_goes_on(
    connection: Connection, people: People, task: Row
) -> None:
    execution = asked_and_waiting(connection, task)
    runs.reap(connection)
    assert task_row(connection, task)["status"] == "waiting"
    make_late(connection, execution)
    with refused(WRONG_STATE, "the time to decide .* is over"):
        decide(connection, people.alice, execution)
    runs.reap(connection)
    row = execution_row(connection, execution)
    assert (row["status"], row["error_message"]) == ("denied", "The approval expired: nobody decided in time.")
    assert tool_messages(connection, task) == [
        "This call was not run: nobody decided about it in time. Go on without it, or say why it is needed."
    ]
    (again,) = claim(connection)
    assert again["id"] == task["id"]
    runs.reap(connection)
    assert len(tool_messages(connection, task)) == 1
    with refused(WRONG_STATE, "is denied: there is nothing to decide"):
        decide(connection, people.alice, execution)


def test_time_runs_out_also_while_the_task_runs_or_is_paused(connection: Connection, people: People, task: Row) -> None:
    execution = asked(connection, task)
    make_late(connection, execution)
    runs.reap(connection)
    assert execution_row(connection, execution)["status"] == "denied"
    assert task_row(connection, task)["status"] == "running"
    assert suspend(connection, task, "approval") == "pending"


def test_an_approval_that_was_not_used_in_time_is_void(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    decide(connection, people.alice, execution)
    (again,) = claim(connection)
    make_late(connection, execution)
    with refused(UNAPPROVED, "has expired"):
        start(connection, again, execution)
    finish(connection, again, execution, "failed", content="The call was not run.")


def test_approving_gives_time_to_start(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    connection.execute(
        "update public.tool_executions set approval_expires_at = now() + interval '1 s' where id = %s", [execution]
    )
    connection.execute("update public.system_config set config_value = '90' where config_key = 'approval_timeout'")
    decided = decide(connection, people.alice, execution)
    assert value(connection, "select %s - now() = interval '90 s'", decided["approval_expires_at"])


# Who


@pytest.mark.parametrize("who", ["frank", "vera", "eve", "bob"])
@pytest.mark.parametrize("approve", [True, False])
def test_strangers_decide_nothing(connection: Connection, people: People, task: Row, who: str, approve: bool) -> None:
    execution = asked_and_waiting(connection, task)
    with refused(NOT_FOUND, "there is no tool execution"):
        decide(connection, getattr(people, who), execution, approve)
    assert value(connection, "select count(*) from public.execution_decisions") == 0
    assert execution_row(connection, execution)["status"] == "awaiting_approval"


@pytest.mark.parametrize("change", ["role = 'viewer'", "is_active = false"])
def test_an_owner_who_may_write_no_more_decides_nothing(
    connection: Connection, people: People, task: Row, change: str
) -> None:
    execution = asked_and_waiting(connection, task)
    connection.execute(f"update public.users set {change} where id = %s", [people.alice])
    with refused(NOT_FOUND, "there is no tool execution"):
        decide(connection, people.alice, execution)


def test_the_tenants_admin_decides(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    assert decide(connection, people.dan, execution)["decided_by"] == people.dan
    (again,) = claim(connection)
    start(connection, again, execution)


def test_ids_that_are_none_are_not_found(connection: Connection, people: People) -> None:
    with refused(NOT_FOUND, "there is no tool execution"):
        decide(connection, people.alice, str(uuid.uuid4()))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_a_call_is_decided_once(connection: Connection, people: People, task: Row, first: bool, second: bool) -> None:
    execution = asked_and_waiting(connection, task)
    decide(connection, people.alice, execution, first)
    for who in (people.alice, people.dan):
        with refused(WRONG_STATE, "there is nothing to decide"):
            decide(connection, who, execution, second)
    assert value(connection, "select count(*) from public.execution_decisions") == 1
    assert len(tool_messages(connection, task)) == (not first)


def test_an_approval_is_of_its_own_call_and_of_no_other(connection: Connection, people: People, task: Row) -> None:
    """The same tool with the same arguments, in the same turn and in a later one: a replay."""
    turn = record_turn(
        connection, task, 1, tool_call("probe_confirm", "c", path="a"), tool_call("probe_confirm", "c", path="a")
    )
    first, second = (e["id"] for e in turn["executions"])
    decide(connection, people.alice, first)
    start(connection, task, first)
    finish(connection, task, first)
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, task, second)
    decide(connection, people.alice, second, False)
    third = asked(connection, task, step=2)
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, task, third)
    with refused(NOT_FOUND, "has no tool execution"):
        start(connection, people.task, third)


# Two people


def test_two_people_are_two(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task, "probe_two")
    once = decide(connection, people.alice, execution)
    assert (once["status"], once["decided_by"]) == ("awaiting_approval", None)
    with refused(WRONG_STATE, "you approved .* already: it needs another person, too"):
        decide(connection, people.alice, execution)
    assert task_row(connection, task)["status"] == "waiting"
    with connection.transaction(force_rollback=True), refused(UNAPPROVED), connection.transaction():
        connection.execute("update public.tool_executions set status = 'pending' where id = %s", [execution])
        connection.execute("update public.tool_executions set status = 'running' where id = %s", [execution])
    assert decide(connection, people.dan, execution)["status"] == "pending"
    (again,) = claim(connection)
    start(connection, again, execution)


def test_either_of_two_people_denies(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task, "probe_two")
    decide(connection, people.dan, execution)
    assert decide(connection, people.alice, execution, False)["status"] == "denied"
    assert task_row(connection, task)["status"] == "pending"


def test_who_approved_may_deny_before_the_second_has_spoken(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task, "probe_two")
    decide(connection, people.alice, execution)
    assert decide(connection, people.alice, execution, False)["status"] == "denied"


def test_an_admin_who_owns_the_task_is_one_person(connection: Connection, people: People) -> None:
    task = runs.running(connection, people.dan)
    execution = asked_and_waiting(connection, task, "probe_two")
    decide(connection, people.dan, execution)
    with refused(WRONG_STATE, "another person"):
        decide(connection, people.dan, execution)
    for stranger in (people.alice, people.frank, people.bob):
        with refused(NOT_FOUND):
            decide(connection, stranger, execution)


def test_an_edit_by_the_second_person_voids_what_the_first_approved(
    connection: Connection, people: People, task: Row
) -> None:
    execution = asked_and_waiting(connection, task, "probe_two")
    decide(connection, people.alice, execution)
    assert decide(connection, people.dan, execution, arguments={"path": "b"})["status"] == "awaiting_approval"
    again = decide(connection, people.alice, execution)
    assert (again["status"], again["input_parameters"], again["original_parameters"]) == (
        "pending", {"path": "b"}, {"path": "a"},
    )  # fmt: skip


def test_nobody_approves_alone_by_editing_there_and_back(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task, "probe_two")
    decide(connection, people.alice, execution)
    decide(connection, people.alice, execution, arguments={"path": "b"})
    with refused(WRONG_STATE, "another person"):
        decide(connection, people.alice, execution, arguments={"path": "a"})
    assert execution_row(connection, execution)["status"] == "awaiting_approval"


def test_the_approval_of_an_account_that_is_gone_is_gone(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    decide(connection, people.dan, execution)
    connection.execute("delete from auth.users where id = %s", [people.dan])
    (again,) = claim(connection)
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, again, execution)


# Several calls of one turn


def test_calls_of_one_turn_wait_each_on_its_own(connection: Connection, people: People, task: Row) -> None:
    turn = record_turn(
        connection, task, 1,
        tool_call("probe_confirm", "c1"), tool_call("probe_two", "c2"), tool_call("probe", "c3"),
        tool_call("probe_confirm", "c4"), tool_call("probe_confirm", "c5"),
    )  # fmt: skip
    approved, two, free, denied, late = (e["id"] for e in turn["executions"])
    start(connection, task, free)
    finish(connection, task, free)
    assert suspend(connection, task, "approval") == "waiting"
    # Neither a denial nor an expiry lets the model go on while others wait: so the task sleeps on.
    decide(connection, people.alice, denied, False)
    make_late(connection, late)
    runs.reap(connection)
    assert execution_row(connection, late)["status"] == "denied"
    assert task_row(connection, task)["status"] == "waiting"
    decide(connection, people.alice, approved)
    (again,) = claim(connection)
    start(connection, again, approved)
    finish(connection, again, approved)
    assert suspend(connection, again, "approval") == "waiting"
    decide(connection, people.alice, two)
    assert claim(connection) == []
    decide(connection, people.dan, two)
    (again,) = claim(connection)
    start(connection, again, two)
    finish(connection, again, two)
    assert [e["payload"]["call_index"] for e in runs.events(connection, task, "execution.status")
            if e["payload"]["status"] == "completed"] == [2, 0, 1]  # fmt: skip
    assert len(tool_messages(connection, task)) == 5


def test_a_decision_that_came_before_the_task_waits_is_heard(connection: Connection, people: People, task: Row) -> None:
    turn = record_turn(connection, task, 1, tool_call("probe_confirm", "c1"), tool_call("probe_confirm", "c2"))
    decide(connection, people.alice, turn["executions"][0]["id"])
    assert suspend(connection, task, "approval") == "pending"


def test_a_cancelled_task_takes_its_questions_along(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    cancel(connection, people.alice, task)
    assert execution_row(connection, execution)["status"] == "cancelled"
    with refused(WRONG_STATE, "is cancelled: there is nothing to decide"):
        decide(connection, people.alice, execution)
    make_late(connection, execution)
    runs.reap(connection)
    assert execution_row(connection, execution)["status"] == "cancelled"


# With the service key, the worker's password or none, by raw SQL

FORGED = {
    "start it": "select public.worker_start_execution(%(task)s, %(lease)s, %(execution)s)",
    "decide with a made-up token": "select public.decide_execution(%(execution)s, true)",
    "settle with a made-up token": "select public.settle_execution(%(execution)s, true)",
    "call it running": "update public.tool_executions set status = 'running' where id = %(execution)s",
    "call it approved": "update public.tool_executions set status = 'pending', decided_by = %(alice)s,"
    " decided_at = now() where id = %(execution)s",
    "need nobody": "update public.tool_executions set approvals_needed = 0 where id = %(execution)s",
    "unuse": "update public.tool_executions set approval_used_at = null where id = %(execution)s",
    "never expire": "update public.tool_executions set approval_expires_at = 'infinity' where id = %(execution)s",
    "other arguments": "update public.tool_executions set input_parameters = '{}' where id = %(execution)s",
    "another digest": "update public.tool_executions set input_digest = 'x' where id = %(execution)s",
    "another tool": "update public.tool_executions set tool_id = (select id from public.tools where name = 'probe')"
    " where id = %(execution)s",
    "a new call that runs": "insert into public.tool_executions (task_id, tool_id, input_parameters, status,"
    " tool_call_id, step, call_index, tenant_id, input_digest) select task_id, tool_id, '{}', 'running', 'x', 1, 9,"
    " tenant_id, 'x' from public.tool_executions where id = %(execution)s",
    "forget the call": "delete from public.tool_executions where id = %(execution)s",
    "forget all calls": "truncate public.tool_executions cascade",
    "a decision of Alice's": "insert into public.execution_decisions (execution_id, user_id, tenant_id, verdict,"
    " input_digest) select id, %(alice)s, tenant_id, 'approved', input_digest from public.tool_executions"
    " where id = %(execution)s",
    "bend a decision": "update public.execution_decisions set execution_id = %(execution)s, verdict = 'approved'",
    "forget a decision": "delete from public.execution_decisions",
    "forget all decisions": "truncate public.execution_decisions",
    "a new admin of the tenant": "insert into public.users (id, email, username, role, tenant_id)"
    " select gen_random_uuid(), 'm@example.org', 'mallory', 'admin', tenant_id from public.users where id = %(alice)s",
    "forget a person": "delete from public.users where id = %(frank)s",
    "promote a person": "update public.users set role = 'admin' where id = %(frank)s",
    "give the task away": "update public.tasks set user_id = %(alice)s where id = %(task)s",
    "wake the task": "update public.tasks set status = 'pending', wait_reason = null where id = %(task)s",
}
REFUSALS = {DENIED, UNAPPROVED}


@pytest.mark.parametrize("granted", [False, True], ids=["as granted", "all granted"])
@pytest.mark.parametrize("role", ["service_role", "agent_worker", "authenticated", "anon"])
def test_whoever_forges_an_approval_is_refused(
    connection: Connection, people: People, role: Role, granted: bool
) -> None:
    task = runs.running(connection, people.frank)
    execution, decided = (
        e["id"]
        for e in record_turn(connection, task, 1, tool_call("probe_confirm", "c1"), tool_call("probe_confirm", "c2"))[
            "executions"
        ]
    )
    decide(connection, people.frank, decided, False)
    if granted:
        # What the embedded API does at each start, and an admin in a hurry.
        connection.execute("grant all on all tables in schema public to anon, authenticated, service_role")
    named = {"task": task["id"], "lease": task["lease_token"], "execution": execution,
             "alice": people.alice, "frank": people.frank}  # fmt: skip

    def everything() -> list[object]:
        tables = "tool_executions", "execution_decisions", "users"
        return [many(connection, f"select * from public.{t} order by id") for t in tables] + [
            task_row(connection, task)
        ]

    before = everything()
    # Alice's token is not Frank's; the service key and the worker make up Frank's own.
    claims = people.frank if role in ("service_role", "agent_worker") else people.alice
    for attempt, statement in FORGED.items():
        refusal, changed = None, 0
        try:
            with acting_as(connection, role, claims):
                changed = connection.execute(statement, named).rowcount
        except psycopg.Error as error:
            refusal = error.sqlstate
        if refusal is None:
            # Row-level security shows no row to change; only who sees past it needs a refusal.
            assert role in ("authenticated", "anon") and changed == 0, attempt
        else:
            assert refusal in REFUSALS or (attempt.endswith("token") and refusal == NOT_FOUND), attempt
        assert everything() == before, attempt
    with refused(UNAPPROVED):
        start(connection, task, execution)


@pytest.mark.parametrize("role", ["service_role", "agent_worker"])
def test_neither_a_turn_nor_a_result_starts_what_needs_approval(
    connection: Connection, people: People, task: Row, role: Role
) -> None:
    with acting_as(connection, role, people.alice):
        turn = value(
            connection,
            "select public.worker_record_turn(%s, %s, 1, '', %s, '{}', '{}', null, true)",
            task["id"], task["lease_token"],
            json.dumps([tool_call("probe_confirm_pure", "c1"), tool_call("probe_pure", "c2")]),
        )  # fmt: skip
    asking, free = turn["executions"]
    assert (asking["status"], free["status"]) == ("awaiting_approval", "running")
    with acting_as(connection, role, people.alice):
        connection.execute(
            "select public.worker_finish_execution(%s, %s, %s, 'completed', '', '{}', null, 0, p_next => %s)",
            [task["id"], task["lease_token"], free["id"], asking["id"]],
        )
    assert execution_row(connection, asking["id"])["status"] == "awaiting_approval"
    for status in ("completed", "failed", "in_doubt"):
        with refused(WRONG_STATE, "cannot go from awaiting_approval"):
            finish(connection, task, asking["id"], status)


def test_what_was_approved_is_what_runs(connection: Connection, people: People, task: Row) -> None:
    execution = asked_and_waiting(connection, task)
    decide(connection, people.alice, execution)
    change = 'update public.tool_executions set input_parameters = \'{"path": "/"}\' where id = %s'
    for role in ("service_role", "agent_worker", "authenticated"):
        with refused(DENIED), acting_as(connection, role, people.alice):
            connection.execute(change, [execution])
    # Not even the owner of the tables.
    with refused(WRONG_STATE, "arguments .* cannot change"), connection.transaction():
        connection.execute(change, [execution])
    (again,) = claim(connection)
    start(connection, again, execution)
    for less in ("approvals_needed = 0", "approval_used_at = null"):
        with refused(WRONG_STATE, "cannot be made less"), connection.transaction():
            connection.execute(f"update public.tool_executions set {less} where id = %s", [execution])


def test_the_service_key_governs_tools_but_not_what_was_asked_already(
    connection: Connection, people: People, task: Row
) -> None:
    turn = record_turn(connection, task, 1, tool_call("probe_confirm", "c1"), tool_call("probe_two", "c2"))
    one_person, two_people = (e["id"] for e in turn["executions"])
    with acting_as(connection, "service_role"):
        connection.execute(
            "update public.tools set requires_confirmation = false, security_level = 'safe', approvals_required = 1"
        )
    connection.execute("update public.agents set standing_permissions = %s", [ASKING])
    for execution in (one_person, two_people):
        with refused(UNAPPROVED):
            start(connection, task, execution)
    decide(connection, people.alice, one_person)
    start(connection, task, one_person)
    assert decide(connection, people.alice, two_people)["status"] == "awaiting_approval"
    with refused(UNAPPROVED):
        start(connection, task, two_people)


def test_a_row_that_says_approved_is_not_enough(connection: Connection, people: People, task: Row) -> None:
    """Whoever can write the row as its owner does, still has no decision."""
    execution = asked_and_waiting(connection, task)
    connection.execute(
        "update public.tool_executions set status = 'pending', decided_by = %s, decided_at = now() where id = %s",
        [people.alice, execution],
    )
    for status in ("running", "completed", "in_doubt"):
        with refused(UNAPPROVED if status == "running" else WRONG_STATE), connection.transaction():
            connection.execute("update public.tool_executions set status = %s where id = %s", [status, execution])


@pytest.mark.parametrize(
    "change", ["verdict = 'denied'", "reason = 'x'", "user_id = null", "input_digest = 'x'", "created_at = now()"]
)
def test_a_decision_stays_as_it_was_made(connection: Connection, people: People, task: Row, change: str) -> None:
    decide(connection, people.alice, asked_and_waiting(connection, task))
    with refused(DENIED, "append-only"), connection.transaction():
        connection.execute(f"update public.execution_decisions set {change}")
    with refused(DENIED, "append-only"), connection.transaction():
        connection.execute("delete from public.execution_decisions")


def test_decisions_are_read_by_who_reads_the_task(connection: Connection, people: People, task: Row) -> None:
    decide(connection, people.alice, asked_and_waiting(connection, task))
    for who, seen in (("alice", 1), ("dan", 1), ("frank", 0), ("vera", 0), ("eve", 0), ("bob", 0)):
        with person(connection, getattr(people, who)):
            assert value(connection, "select count(*) from public.execution_decisions") == seen, who


# Races


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    with connect(database) as connection:
        runs.install_probes(connection)
        install_asking_probes(connection)
        runs.register(connection)
        yield connection


@pytest.fixture
def raced(owner: Connection) -> tuple[uuid.UUID, Row, str]:
    alice = runs.sign_up(owner, "alice@example.org")
    task = runs.running(owner, alice)
    return alice, task, asked_and_waiting(owner, task)


def race(database: Database, owner: Connection, first: Callable[[Connection], object],
         second: Callable[[Connection], object]) -> BaseException | None:  # fmt: skip
    """Both at once: the second waits for the first's transaction. What the second failed with."""
    with connect(database) as one_of_two, connect(database) as other, ThreadPoolExecutor(1) as thread:
        with one_of_two.transaction():
            first(one_of_two)
            waiting = thread.submit(second, other)
            wait_until_blocked(owner, other)
        return waiting.exception(PATIENCE_SECONDS)


def sqlstate(error: BaseException | None) -> str | None:
    assert error is None or isinstance(error, psycopg.Error)
    return error.sqlstate if error else None


@pytest.mark.parametrize("approve", [True, False])
def test_of_two_decisions_at_once_one_counts(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str], approve: bool
) -> None:
    alice, _, execution = raced
    error = race(database, owner, lambda c: decide(c, alice, execution), lambda c: decide(c, alice, execution, approve))
    assert sqlstate(error) == WRONG_STATE
    assert execution_row(owner, execution)["status"] == "pending"
    assert value(owner, "select count(*) from public.execution_decisions") == 1


def test_an_approval_that_loses_to_a_cancellation_is_none(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str]
) -> None:
    alice, task, execution = raced
    error = race(database, owner, lambda c: cancel(c, alice, task), lambda c: decide(c, alice, execution))
    assert sqlstate(error) == WRONG_STATE
    assert (task_row(owner, task)["status"], execution_row(owner, execution)["status"]) == ("cancelled", "cancelled")


def test_a_cancellation_that_comes_after_an_approval_ends_the_task_all_the_same(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str]
) -> None:
    alice, task, execution = raced
    assert race(database, owner, lambda c: decide(c, alice, execution), lambda c: cancel(c, alice, task)) is None
    assert (task_row(owner, task)["status"], execution_row(owner, execution)["status"]) == ("cancelled", "cancelled")
    assert claim(owner) == []


def test_an_approval_that_loses_to_the_clock_is_none(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str]
) -> None:
    alice, task, execution = raced
    make_late(owner, execution)
    error = race(database, owner, runs.reap, lambda c: decide(c, alice, execution))
    assert sqlstate(error) == WRONG_STATE
    assert execution_row(owner, execution)["status"] == "denied"
    assert len(tool_messages(owner, task)) == 1


def test_an_approval_whose_time_ran_out_while_it_waited_for_its_turn_is_none(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str]
) -> None:
    alice, task, execution = raced
    with connect(database) as holding, connect(database) as late, ThreadPoolExecutor(1) as thread:
        with holding.transaction():
            holding.execute("select from public.tasks where id = %s for no key update", [task["id"]])
            waiting = thread.submit(decide, late, alice, execution)
            wait_until_blocked(owner, late)
            holding.execute(
                "update public.tool_executions set approval_expires_at = clock_timestamp() where id = %s", [execution]
            )
        assert sqlstate(waiting.exception(PATIENCE_SECONDS)) == WRONG_STATE
    assert execution_row(owner, execution)["status"] == "awaiting_approval"


def test_a_sweep_does_not_wait_for_who_decides(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str]
) -> None:
    alice, task, execution = raced
    with connect(database) as deciding:
        with deciding.transaction():
            decide(deciding, alice, execution)
            owner.execute("set statement_timeout = '10s'")
            runs.reap(owner)
        assert execution_row(owner, execution)["status"] == "pending"
    assert tool_messages(owner, task) == []


def test_two_people_who_approve_at_once_are_two(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str]
) -> None:
    alice, task, execution = raced
    dan = runs.sign_up(owner, "dan@example.org")
    owner.execute(
        "update public.users set role = 'admin', tenant_id = (select tenant_id from public.users where id = %s)"
        " where id = %s", [alice, dan],
    )  # fmt: skip
    decide(owner, alice, execution, False)
    (again,) = claim(owner)
    both = asked(owner, again, "probe_two", step=2)
    suspend(owner, again, "approval")
    assert race(database, owner, lambda c: decide(c, alice, both), lambda c: decide(c, dan, both)) is None
    assert execution_row(owner, both)["status"] == "pending"
    assert one(owner, "select status from public.tasks where id = %s", task["id"]) == {"status": "pending"}


def test_two_workers_do_not_both_use_an_approval(
    database: Database, owner: Connection, raced: tuple[uuid.UUID, Row, str]
) -> None:
    alice, task, execution = raced
    decide(owner, alice, execution)
    (again,) = claim(owner)
    error = race(database, owner, lambda c: start(c, again, execution), lambda c: start(c, again, execution))
    assert sqlstate(error) == WRONG_STATE
    assert task_row(owner, task)["usage"]["tool_calls"] == 1
