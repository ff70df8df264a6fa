"""One contract, two transports: the worker's functions over Postgres and over the REST API of Supabase do the same."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from agent_runtime.db.store import Address, Store, SupabaseAddress, open_store
from agent_runtime.errors import (
    ConfigError,
    DatabaseUnavailable,
    Denied,
    IllegalTransition,
    InvalidInput,
    LeaseLost,
    NotFound,
)
from agent_runtime.local import ports
from agent_runtime.local.api import SupabaseApi
from agent_runtime.records import Lease, TurnRecord
from tests.worker.conftest import DONE, Desk, Office, call, see, working
from tests.worker.cutting import HOST, Proxy, cutting
from tests.worker.test_resume import die, intent
from tests.worker.test_worker_life import running_call

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

Transport = Literal["postgres", "rest"]

NOBODYS = uuid.UUID(int=0)

ODD = "nul \x00, lone \ud800, ñ, 日本, 🦉, \u2028, ' \" \\ %s {0}"
KEPT = "nul , lone ?, ñ, 日本, 🦉, \u2028, ' \" \\ %s {0}"


@pytest.fixture(params=["postgres", "rest"])
def transport(request: pytest.FixtureRequest) -> Transport:
    found: Transport = request.param
    return found


def address_of(stack: Stack, transport: Transport, *, through: Proxy | None = None) -> Address:
    if transport == "postgres":
        conninfo = stack.worker_database_url
        return make_conninfo(conninfo, host=HOST, port=through.port) if through else conninfo
    url = f"http://{HOST}:{through.port}" if through else stack.supabase_url
    return SupabaseAddress(url, SecretStr(stack.secret_key))


@asynccontextmanager
async def signed_on(address: Address) -> AsyncIterator[Store]:
    async with open_store(address, uuid.uuid4(), connections=2, patience_seconds=20) as store:
        await store.register("host", 1, "0", 4)
        yield store


@pytest_asyncio.fixture
async def store(stack: Stack, transport: Transport, desk: Desk) -> AsyncIterator[Store]:
    async with signed_on(address_of(stack, transport)) as opened:
        yield opened


@pytest_asyncio.fixture
async def frail(stack: Stack, transport: Transport, desk: Desk) -> AsyncIterator[tuple[Store, Proxy]]:
    """A store, and what can lose its answers."""
    if transport == "postgres":
        parts = conninfo_to_dict(stack.worker_database_url)
        host, port = str(parts["host"]), int(str(parts["port"]))
    else:
        url = urlsplit(stack.supabase_url)
        host, port = str(url.hostname), int(url.port or 0)
    async with cutting(host, port) as proxy, signed_on(address_of(stack, transport, through=proxy)) as opened:
        yield opened, proxy


async def claim(store: Store) -> Lease:
    (task,) = await store.claim(1, 60)
    assert task.lease_token is not None
    return Lease(task_id=task.id, token=task.lease_token)


async def take_turn(store: Store, lease: Lease, *calls: dict[str, object], step: int = 1, **more: Any) -> TurnRecord:
    return await store.record_turn(lease, step, "I will.", calls, {"model": "scripted"}, {"prompt_tokens": 7}, **more)


async def a_file(desk: Desk, task_id: uuid.UUID, name: str) -> dict[str, Any]:
    tenant_id = (await desk.task(task_id))["tenant_id"]
    kind = {"file_size": 2, "mime_type": "text/plain", "file_hash": "0" * 64}
    return {"filename": name, "file_path": f"{tenant_id}/{task_id}/{name}"} | kind


# -- the functions -----------------------------------------------------------------------------------------------------


async def test_a_worker_is_on_record_with_its_transport(store: Store, transport: Transport, desk: Desk) -> None:
    known = await store.register("host", 2, "0", 4)
    assert known["config"]["max_concurrent_tasks"]
    (row,) = await desk.rows("select * from public.workers where id = %s", store.worker_id)
    assert (row["transport"], row["stopped_at"]) == (transport, None)
    await store.stopped()
    (row,) = await desk.rows("select * from public.workers where id = %s", store.worker_id)
    assert row["stopped_at"] is not None


async def test_a_task_lives_from_its_claim_to_its_end_with_any_text_in_it(store: Store, desk: Desk) -> None:
    task_id = await desk.submit(ODD.replace("\x00", "").replace("\ud800", "?"))
    lease = await claim(store)
    context = await store.context(lease)
    assert (context.task.id, context.task.status, context.messages[0].content) == (task_id, "running", KEPT)

    big = "ñ" * 120_000  # 240 kB, near what a message holds
    arguments = {"path": "a.txt", "content": ODD, "deep": [{"n": None, "f": 1.5, "i": -7, "t": [True, []]}, "[]", "{}"]}
    turn = await store.record_turn(
        lease, 1, big, [intent("file_list", **arguments)], {"model": ODD}, {"prompt_tokens": 7},
        seen_seq=context.messages[-1].seq, start=True,
    )  # fmt: skip
    assert turn.messages[0].content == big
    assert turn.messages[0].metadata["model"] == KEPT
    assert turn.usage["prompt_tokens"] == 7
    (execution,) = turn.executions
    assert (execution.status, execution.input_parameters) == ("running", arguments | {"content": KEPT})

    files = [await a_file(desk, task_id, "a.txt")]
    output = {"content": ODD, "data": {"rows": ["x" * 1_000] * 1_500}}  # 1.5 MB
    result = await store.finish_execution(
        lease, execution.id, "completed", "done", output,
        execution_time_ms=3, effect={"kind": "plan_set", "phases": ["one", ODD]}, files=files,
    )  # fmt: skip
    assert [phase["title"] for phase in result.task["plan"]] == ["one", KEPT]
    assert (result.executions[0].output_result or {})["data"] == output["data"]
    await store.add_files(lease, [await a_file(desk, task_id, "b.txt")])
    assert sorted(found.filename for found in (await store.context(lease)).files) == ["a.txt", "b.txt"]

    assert await store.settle(lease, "completed", {"answer": ODD}, None) is True
    task = await desk.task(task_id)
    assert (task["status"], task["result"]) == ("completed", {"answer": KEPT})


async def test_several_tasks_are_claimed_and_renewed_in_one_call(store: Store, desk: Desk) -> None:
    assert await store.claim(3, 60) == []
    assert await store.renew([], 60) == []
    ids = {await desk.submit() for _ in range(3)}
    claimed = await store.claim(5, 0.25)
    assert {task.id for task in claimed} == ids
    leases = [Lease(task_id=task.id, token=task.lease_token or uuid.uuid4()) for task in claimed]
    await desk.as_person("select public.cancel_task(%s)", [leases[1].task_id])
    await desk.as_person("select public.pause_task(%s)", [leases[2].task_id])
    renewed = {row.task_id: row for row in await store.renew([*leases, Lease(task_id=uuid.uuid4(), token=NOBODYS)], 60)}
    assert [renewed[lease.task_id].held for lease in leases] == [True] * 3
    assert [renewed[lease.task_id].cancel_requested for lease in leases] == [False, True, False]
    assert [renewed[lease.task_id].pause_requested for lease in leases] == [False, False, True]
    assert sum(not row.held for row in renewed.values()) == 1
    assert await store.suspend(leases[1], "answer") == "cancelled"
    assert await store.suspend(leases[2], "pause") == "paused"
    await store.release(leases[0], 3_600, ODD)
    task = await desk.task(leases[0].task_id)
    assert (task["status"], task["attempts"], task["retries"]) == ("pending", 0, 1)
    (notice,) = await desk.rows(
        "select payload from public.task_events where kind = 'task.notice' and task_id = %s", task["id"]
    )
    assert notice["payload"]["text"] == KEPT


LATE_WRITES: dict[str, Callable[[Store, Lease, uuid.UUID], Awaitable[Any]]] = {
    "context": lambda store, lease, _: store.context(lease),
    "record_turn": lambda store, lease, _: take_turn(store, lease, step=2),
    "start_execution": lambda store, lease, execution: store.start_execution(lease, execution),
    "finish_execution": lambda store, lease, execution: store.finish_execution(lease, execution, "completed", "x", {}),
    "add_files": lambda store, lease, _: store.add_files(lease, []),
    "suspend": lambda store, lease, _: store.suspend(lease, "answer"),
    "settle": lambda store, lease, _: store.settle(lease, "failed", None, "late"),
    "release": lambda store, lease, _: store.release(lease),
}


async def test_each_write_of_a_worker_that_lost_its_lease_is_refused(store: Store, desk: Desk) -> None:
    task_id = await desk.submit()
    lease = await claim(store)
    (execution,) = (await take_turn(store, lease, intent("file_list"))).executions
    await die(desk, lease)
    assert {"task_id": str(task_id), "status": "pending"} in [
        {key: str(value) for key, value in row.items()} for row in await store.reap()
    ]
    current = await claim(store)
    before = await desk.task(task_id)
    for write in LATE_WRITES.values():
        with pytest.raises(LeaseLost, match=f"the lease on task {task_id} is lost"):
            await write(store, lease, execution.id)
    (renewal,) = await store.renew([lease], 3_600)
    assert not renewal.held
    assert await desk.task(task_id) == before
    assert before["attempts"] == 1
    assert await store.settle(current, "failed", None, "why") is True


async def test_what_the_database_refuses_is_the_same_error(store: Store, desk: Desk) -> None:
    task_id = await desk.submit(limits='{"steps": 1}')
    lease = await claim(store)
    turn = await take_turn(store, lease, intent("shell_exec", command="true"))
    (execution,) = turn.executions
    with pytest.raises(IllegalTransition, match="step 7 cannot be recorded after step 1"):
        await take_turn(store, lease, step=7)
    with pytest.raises(InvalidInput, match="limit steps reached: 2 of 1"):
        await take_turn(store, lease, step=2)
    with pytest.raises(NotFound, match="has no tool execution"):
        await store.start_execution(lease, uuid.uuid4())
    with pytest.raises(InvalidInput, match="an execution cannot finish as done"):
        await store.finish_execution(lease, execution.id, "done", "x", {})
    with pytest.raises(IllegalTransition, match="cannot go from pending to completed"):
        await store.finish_execution(lease, execution.id, "completed", "x", {})
    await store.start_execution(lease, execution.id)
    with pytest.raises(IllegalTransition, match="was left running; it is in doubt and never runs again"):
        await store.start_execution(lease, execution.id)
    with pytest.raises(InvalidInput, match="a plan has 1 to 50 phases"):
        await store.finish_execution(
            lease, execution.id, "completed", "x", {}, effect={"kind": "plan_set", "phases": []}
        )
    with pytest.raises(Denied, match="file_path must begin with"):
        await store.add_files(lease, [await a_file(desk, task_id, "a") | {"file_path": "elsewhere/a"}])
    with pytest.raises(InvalidInput, match="a task cannot wait for"):
        await store.suspend(lease, "rain")
    with pytest.raises(InvalidInput, match="a task cannot settle as done"):
        await store.settle(lease, "done", None, None)
    await desk.as_person("select public.cancel_task(%s)", [task_id])
    with pytest.raises(IllegalTransition, match="is being cancelled"):
        await store.start_execution(lease, execution.id)
    with pytest.raises(ConfigError, match="needs workers of schema version"):
        await store._call(
            "worker_register", p_worker=uuid.uuid4(), p_host="h", p_pid=1, p_version="0", p_capacity=1, p_schema=1
        )
    await store.release(lease)


async def test_calls_that_wait_for_approval_do_not_start_before_it(store: Store, desk: Desk) -> None:
    await desk.submit()
    lease = await claim(store)
    await desk.rows("update public.tools set requires_confirmation = true where name = 'file_write'")
    try:
        turn = await take_turn(store, lease, intent("file_write", path="a", content="x"), intent("file_list"))
    finally:
        await desk.rows("update public.tools set requires_confirmation = false where name = 'file_write'")
    waiting, free = turn.executions
    assert (waiting.status, waiting.approvals_needed, free.status) == ("awaiting_approval", 1, "pending")
    with pytest.raises(IllegalTransition, match="has not been approved"):
        await store.start_execution(lease, waiting.id)
    await store.start_execution(lease, free.id)
    await store.finish_execution(lease, free.id, "completed", "nothing", {})
    assert await store.suspend(lease, "approval") == "waiting"
    assert await store.claim(1, 60) == []
    await desk.as_person("select public.decide_execution(%s, true)", [waiting.id])
    lease = await claim(store)
    started = await store.start_execution(lease, waiting.id)
    assert (started.execution.status, started.usage["tool_calls"]) == ("running", 2)
    await store.settle(lease, "failed", None, "enough")


async def test_expired_files_are_found_and_forgotten(store: Store, desk: Desk) -> None:
    task_id = await desk.submit()
    lease = await claim(store)
    file = await a_file(desk, task_id, "scratch")
    await store.add_files(lease, [file | {"is_temporary": True}])
    await desk.rows("update public.files set expires_at = now() - interval '1 second' where task_id = %s", task_id)
    (found,) = [row for row in await store.expired_files(1_000) if row["file_path"] == file["file_path"]]
    await store.forget_files([])
    await store.forget_files([uuid.UUID(str(found["id"]))])
    assert not await desk.rows("select id from public.files where task_id = %s", task_id)
    await store.settle(lease, "failed", None, "enough")


# -- answers that are lost ---------------------------------------------------------------------------------------------


async def test_an_answer_that_is_lost_on_its_way_neither_loses_nor_doubles_anything(
    frail: tuple[Store, Proxy], desk: Desk
) -> None:
    store, proxy = frail
    task_id, other = await desk.submit("one"), await desk.submit("another")

    proxy.lose_next_answer()
    lease = await claim(store)
    assert lease.task_id == task_id
    (task,) = await desk.rows("select status from public.tasks where id = %s", other)
    assert task["status"] == "pending"

    proxy.lose_next_answer()
    assert (await store.renew([lease], 60))[0].held
    proxy.lose_next_answer()
    unsafe, pure = intent("shell_exec", command="true"), intent("file_list")
    turn = await take_turn(store, lease, unsafe, pure, start=True)
    assert [made.status for made in turn.executions] == ["pending", "pending"]

    # It is the worker's own start, though the tool is unsafe and the call runs.
    proxy.lose_next_answer()
    started = await store.start_execution(lease, turn.executions[0].id)
    assert (started.execution.status, started.usage["tool_calls"]) == ("running", 1)
    proxy.lose_next_answer()
    finished = await store.finish_execution(
        lease, turn.executions[0].id, "completed", "done", {}, next_id=turn.executions[1].id
    )
    assert [made.status for made in finished.executions] == ["completed", "running"]
    await store.finish_execution(lease, turn.executions[1].id, "completed", "done", {})
    proxy.lose_next_answer()
    await store.add_files(lease, [await a_file(desk, task_id, "a.txt")])

    proxy.lose_next_answer()
    assert await store.suspend(lease, "answer") == "waiting"
    await desk.as_person("select public.answer_task(%s, 'go on')", [task_id])
    later = await claim(store)
    proxy.lose_next_answer()
    await store.release(later)
    leases = {claimed.id: claimed.lease_token for claimed in await store.claim(2, 60)}
    assert set(leases) == {task_id, other}
    for ended in leases:
        proxy.lose_next_answer()
        assert await store.settle(Lease(task_id=ended, token=leases[ended] or NOBODYS), "completed", {}, None) is (
            ended == other
        )
    assert proxy.lost == 10

    task = await desk.task(task_id)
    assert (task["usage"]["steps"], task["usage"]["tool_calls"], task["usage"]["prompt_tokens"]) == (1, 2, 7)
    assert (task["attempts"], task["retries"]) == (0, 0)
    rows = await desk.rows("select role, count(*) from public.messages where task_id = %s group by 1", task_id)
    assert {row["role"]: row["count"] for row in rows} == {"user": 2, "assistant": 1, "tool": 2}
    assert len(await desk.rows("select id from public.files where task_id = %s", task_id)) == 1
    statuses = await desk.rows(
        "select payload ->> 'status' as status from public.task_events where task_id = %s"
        " and kind = 'execution.status' and payload ->> 'execution_id' = %s order by id",
        task_id,
        str(turn.executions[0].id),
    )
    assert [row["status"] for row in statuses] == ["pending", "running", "completed"]


async def test_a_database_that_does_not_answer_is_given_up_after_a_while(stack: Stack, transport: Transport) -> None:
    address: Address = (
        make_conninfo(stack.worker_database_url, port=9)
        if transport == "postgres"
        else SupabaseAddress("http://127.0.0.1:9", SecretStr(stack.secret_key))
    )
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL" if transport == "postgres" else "SUPABASE_URL"):
        async with open_store(address, uuid.uuid4(), connections=1, patience_seconds=1):
            pass


# -- whole runs --------------------------------------------------------------------------------------------------------


def over(transport: Transport, **more: Any) -> dict[str, Any]:
    """Settings of a worker that has this transport."""
    return more if transport == "postgres" else {"DATABASE_URL": None, **more}


async def test_a_whole_run_with_files_and_a_question(desk: Desk, office: Office, transport: Transport) -> None:
    before = [
        call("plan_set", phases=["look", "write"]),
        call("shell_exec", command="echo once >> ran"),
        call("message_ask", question="Which?"),
    ]
    after = [call("file_write", path="answer.txt", content="ñ 🦉"), DONE]
    await office.serve({"when": {"user": "This one"}, "steps": after}, {"steps": before})
    task_id = await desk.submit()
    async with working(office, **over(transport)):
        await see(desk, "exists (select from public.tasks where id = %s and wait_reason = 'answer')", task_id)
        await desk.as_person("select public.answer_task(%s, 'This one.')", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and completed_at is not null)", task_id)
    task = await desk.task(task_id)
    assert (task["status"], task["usage"]["steps"], task["attempts"]) == ("completed", 5, 0)
    names = await desk.rows("select filename from public.files where task_id = %s order by 1", task_id)
    assert [row["filename"] for row in names] == ["answer.txt", "ran"]
    (row,) = await desk.rows("select transport from public.workers order by started_at desc limit 1")
    assert row["transport"] == transport


async def test_a_run_that_a_crash_cut_short_goes_on_where_it_was(
    desk: Desk, office: Office, store: Store, transport: Transport
) -> None:
    await office.serve({"answer": DONE})
    task_id = await desk.submit()
    lease = await claim(store)
    turn = await take_turn(store, lease, intent("shell_exec", command="echo again >> ran"), intent("file_list"))
    await store.start_execution(lease, turn.executions[0].id)
    await die(desk, lease)
    await office.work(**over(transport))
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"]) == ("completed", 1)
    assert [row["status"] for row in await desk.executions(task_id)] == ["in_doubt", "completed", "completed"]
    assert not (office.workspace_root / str(task_id) / "ran").exists()


async def test_what_a_person_says_in_the_middle_is_seen_before_the_end(
    desk: Desk, office: Office, transport: Transport
) -> None:
    await office.serve(
        {"when": {"user": "Also this"}, "answer": call("task_complete", answer="Both.")},
        {"answer": {**call("task_complete", answer="One."), "delay_seconds": 1}},
    )
    task_id = await desk.submit()
    async with working(office, **over(transport)):
        await see(desk, "exists (select from public.tasks where id = %s and status = 'running')", task_id)
        await desk.as_person("select public.answer_task(%s, 'Also this.')", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and completed_at is not null)", task_id)
    assert (await desk.task(task_id))["result"]["answer"] == "Both."


@pytest.mark.parametrize(("ask", "becomes"), [("cancel_task", "cancelled"), ("pause_task", "paused")])
async def test_a_run_is_cancelled_or_paused_in_the_middle_of_an_answer(
    desk: Desk, office: Office, transport: Transport, ask: str, becomes: str
) -> None:
    await office.serve({"answer": {"text": "never", "delay_seconds": 60}})
    task_id = await desk.submit()
    # Leases so long that no ordinary renewal would tell.
    async with working(office, **over(transport, lease_seconds=600)):
        await see(desk, "exists (select from public.tasks where id = %s and status = 'running')", task_id)
        await desk.as_person(f"select public.{ask}(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = %s)", task_id, becomes)


STEPS = (
    call("shell_exec", command="echo one >> ran; until [ -e go ]; do sleep 0.02; done; touch ended"),
    call("shell_exec", command="echo two >> ran"),
    DONE,
)
"""The first ends when it is let."""


async def test_a_run_survives_that_the_api_starts_anew(desk: Desk, office: Office, stack: Stack) -> None:
    await office.serve_steps(*STEPS)
    api = SupabaseApi(
        stack.folder.path / f"api-{uuid.uuid4().hex}",
        port=ports.choose(None, taken=set()),
        database_port=stack.postgres.port,
        secrets=stack.secrets,
        records=stack.folder.records,
        logs=stack.folder.logs,
        user=stack.folder.user,
    )
    async with AsyncExitStack() as closing:
        closing.push_async_callback(api.stop)
        await api.start()
        office.storage_url = api.url
        task_id = await desk.submit()
        async with working(office, **over("rest")):
            await see(desk, *running_call(task_id))
            await api.stop()
            # The first step ends while nothing answers.
            workspace = office.workspace_root / str(task_id)
            (workspace / "go").touch()
            async with asyncio.timeout(20):
                while not (workspace / "ended").exists():
                    await asyncio.sleep(0.02)
            await api.start()
            await see(desk, "exists (select from public.tasks where id = %s and completed_at is not null)", task_id)
    await assert_ran_once(desk, office, task_id)


async def assert_ran_once(desk: Desk, office: Office, task_id: uuid.UUID) -> None:
    """Nothing was lost or doubled, and no other worker had to go on."""
    task = await desk.task(task_id)
    assert (task["status"], task["attempts"], task["usage"]["steps"]) == ("completed", 0, 3)
    assert (office.workspace_root / str(task_id) / "ran").read_text() == "one\ntwo\n"
    assert [row["status"] for row in await desk.executions(task_id)] == ["completed"] * 3
    assert len(await desk.messages(task_id, "assistant")) == len(await desk.messages(task_id, "tool")) == 3
    found = await desk.rows("select filename from public.files where task_id = %s", task_id)
    assert "ran" in {row["filename"] for row in found}


# -- settings ----------------------------------------------------------------------------------------------------------


async def test_a_key_that_is_not_the_secret_one_is_named(stack: Stack) -> None:
    for key in (stack.publishable_key, "sb_secret_of_another_project"):
        with pytest.raises(ConfigError, match="SUPABASE_SECRET_KEY") as caught:
            async with open_rest(stack.supabase_url, key):
                pass
        assert key not in str(caught.value)
    with pytest.raises(ConfigError, match="SUPABASE_SECRET_KEY is not a key"):
        async with open_rest(stack.supabase_url, "two\nlines"):
            pass


async def test_an_address_that_is_not_the_apis_is_named(stack: Stack) -> None:
    for url in (f"{stack.supabase_url}/elsewhere", stack.model_url):
        with pytest.raises(ConfigError, match=r"SUPABASE_URL|db apply"):
            async with open_rest(url, stack.secret_key):
                pass


def open_rest(url: str, key: str) -> AbstractAsyncContextManager[Store]:
    return open_store(SupabaseAddress(url, SecretStr(key)), uuid.uuid4(), connections=1, patience_seconds=1)
