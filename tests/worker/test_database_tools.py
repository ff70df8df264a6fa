"""An agent with SQL: what it finds, what it cannot find, and what it changes once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from agent_runtime.db.store import Store
from tests.loopback import LOOPBACK
from tests.worker.conftest import DONE, Desk, Office, call, calls, see, working
from tests.worker.test_resume import begin, dead_worker, die, intent

__all__ = ["dead_worker"]

CANARY = "canary-51c2"

TOOLS = ["db_query", "db_execute"]


@pytest_asyncio.fixture
async def analyst(desk: Desk) -> AsyncIterator[str]:
    """An agent that has the tools; its name."""
    name = f"Analyst {uuid.uuid4().hex}"
    await desk.rows(
        "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public)"
        " values (%s, 'Look.', 'default', %s, true)",
        name,
        TOOLS,
    )
    yield name
    await desk.rows("update public.agents set is_active = false where name = %s", name)


@pytest_asyncio.fixture
async def bob(desk: Desk, office: Office) -> AsyncIterator[uuid.UUID]:
    """A stranger with a conversation, a task, a message and a stored file."""
    user = uuid.uuid4()
    await desk.rows("insert into auth.users (id, email) values (%s, %s)", user, f"{CANARY}-{user.hex}@example.org")
    his = Desk(desk.connection, user)
    task = await his.submit(f"Keep {CANARY}")
    await his.as_person("select public.cancel_task(%s)", [task])
    ((tenant),) = await desk.rows("select tenant_id as id from public.users where id = %s", user)
    path = f"{tenant['id']}/{task}/{CANARY}.md"
    url = f"{office.stack.supabase_url}/storage/v1/object/agent-files/{path}"
    keys = {"apikey": office.stack.secret_key, "Authorization": f"Bearer {office.stack.secret_key}"}
    httpx.post(url, headers=keys, content=b"x", **LOOPBACK).raise_for_status()
    await desk.rows(
        "insert into public.files (task_id, filename, original_filename, file_path, file_size, mime_type, uploaded_by)"
        " values (%s, %s, 'x', %s, 1, 'text/plain', %s)",
        task, f"{CANARY}.md", path, user,
    )  # fmt: skip
    yield user
    await desk.rows("delete from auth.users where id = %s", user)


@pytest.mark.parametrize("transport", ["postgres", "rest"])
async def test_a_hijacked_agent_finds_its_owners_rows_and_nobody_elses(
    desk: Desk, office: Office, analyst: str, bob: uuid.UUID, transport: str
) -> None:
    tables = await desk.rows(
        "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm') and"
        " (n.nspname = 'public' or n.nspname || '.' || c.relname = any (%s))",
        ["storage.objects", "storage.buckets", "private.acting", "auth.users"],
    )
    claims = json.dumps({"sub": str(bob)})
    forged = f"set_config('request.jwt.claims', '{claims}', true)"
    tries = [
        *(f"select * from {table['name']}" for table in tables),
        f"with f as materialized (select {forged}) select * from f, storage.objects",
        f"select query_to_xml($$select {forged}$$, true, true, ''), u.* from users u",
        "reset role; select * from public.users",
        "select * from public.worker_claim(gen_random_uuid(), 100, 60)",
        f"select name from storage.objects where name like '%{CANARY[:6]}%'",
        "select id, title from conversations",
    ]
    (bobs,) = await desk.rows("select count(*) as n from storage.objects where strpos(name, %s) > 0", CANARY)
    assert bobs["n"] > 0
    made = [call("db_query", sql=statement) for statement in tries]
    await office.serve_steps(calls(*made[:15]), calls(*made[15:]), DONE)
    task_id = await desk.submit(agent=analyst)
    # All of it at once: a conversation that is cut would lead the script back to its beginning.
    more = {} if transport == "postgres" else {"DATABASE_URL": None}
    await office.work(model_context_tokens=400_000, **more)

    task = await desk.task(task_id)
    assert (task["status"], task["tainted"]) == ("completed", True), task["error_message"]
    executions = [row for row in await desk.executions(task_id) if row["tool_name"] == "db_query"]
    assert len(executions) == len(tries)
    for row in executions:
        assert CANARY not in json.dumps(row["output_result"]), row["input_parameters"]
        assert str(bob) not in json.dumps(row["output_result"]).replace(claims, ""), row["input_parameters"]
    assert CANARY not in " ".join(await desk.messages(task_id, "tool"))
    found = executions[-1]["output_result"]["data"]
    assert found["rows"] == [[str(task["conversation_id"]), "Do it."]]
    refused = {row["input_parameters"]["sql"]: row["error_message"] for row in executions if row["status"] == "failed"}
    assert "private.acting is not open to tools" in refused["select * from private.acting"]
    assert "select * from auth.users" in refused
    seen = {row["input_parameters"]["sql"] for row in executions if row["status"] == "completed"}
    assert {f"select * from public.{name}" for name in ("users", "messages", "tasks", "files")} <= seen
    assert "select * from storage.objects" in seen


COUNT_UP = (
    "update public.conversations set metadata = jsonb_build_object('n', coalesce((metadata ->> 'n')::int, 0) + 1)"
    " where id = '{}' returning metadata"
)


async def test_a_change_waits_for_a_person_and_is_made_once_whatever_crashes(
    desk: Desk, office: Office, analyst: str, dead_worker: Store
) -> None:
    await office.serve({"answer": DONE})
    task_id = await desk.submit(agent=analyst)
    (conversation,) = await desk.rows("select conversation_id as id from public.tasks where id = %s", task_id)
    lease, turn = await begin(dead_worker, intent("db_execute", sql=COUNT_UP.format(conversation["id"])))
    (waiting,) = turn.executions
    assert waiting.status == "awaiting_approval"
    assert await dead_worker.suspend(lease, "approval") == "waiting"
    await desk.as_person("select public.decide_execution(%s, true)", [waiting.id])
    (again,) = await dead_worker.claim(1, 60)
    assert again.lease_token is not None
    lease = lease.model_copy(update={"token": again.lease_token})
    await dead_worker.start_execution(lease, waiting.id)
    limits: dict[str, Any] = {"max_rows": 10, "max_bytes": 1000, "max_changed_rows": 10, "seconds": 5.0}
    first = await dead_worker.execute(lease, waiting.id, **limits)
    assert first["rows"] == [[{"n": 1}]]
    # Made, and the worker dies before it could say so.
    await die(desk, lease)
    await office.work()

    assert (await desk.task(task_id))["status"] == "completed"
    (made, _) = await desk.executions(task_id)
    assert (made["status"], made["output_result"]["data"]["rows"]) == ("completed", [[{"n": 1}]])
    (kept,) = await desk.rows("select metadata from public.conversations where id = %s", conversation["id"])
    assert kept["metadata"] == {"n": 1}


async def test_over_rest_nothing_is_changed_by_sql(desk: Desk, office: Office, analyst: str) -> None:
    await office.serve_steps(call("db_execute", sql="update public.conversations set title = 'x'"), DONE)
    task_id = await desk.submit(agent=analyst)
    await office.work(DATABASE_URL=None)
    (waiting,) = await desk.executions(task_id)
    await desk.as_person("select public.decide_execution(%s, true)", [waiting["id"]])
    await office.work(DATABASE_URL=None)
    (refused, _) = await desk.executions(task_id)
    assert (await desk.task(task_id))["status"] == "completed"
    assert refused["status"] == "failed"
    assert "set DATABASE_URL on the worker" in refused["error_message"]


async def test_a_query_ends_with_its_task(desk: Desk, office: Office, analyst: str) -> None:
    await office.serve_steps(call("db_query", sql="select count(*) from generate_series(1, 1000000000000)"), DONE)
    running = (
        "exists (select from pg_stat_activity where datname = current_database() and state = 'active'"
        " and query like '%%public.worker_query(%%' and pid <> pg_backend_pid())"
    )
    async with working(office):
        task_id = await desk.submit(agent=analyst)
        await see(desk, running)
        await desk.as_person("select public.cancel_task(%s)", [task_id])
        await see(desk, "exists (select from public.tasks where id = %s and status = 'cancelled')", task_id)
        await see(desk, f"not {running}")


def token(secret: str, role: str) -> str:
    """What the API takes: signed, and for an hour."""
    parts = {"alg": "HS256", "typ": "JWT"}, {"role": role, "aud": "authenticated", "exp": int(time.time()) + 3600}
    head = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def test_a_worker_needs_no_secret_key_for_its_files(desk: Desk, office: Office) -> None:
    stack = office.stack
    role = Path(__file__).parents[2] / "deploy" / "storage_role.sql"
    try:
        for _ in range(2):
            await desk.connection.execute(role.read_text(encoding="utf-8"))
        signed = token(stack.secrets.jwt_secret.get_secret_value(), "agent_files")
        await office.serve_steps(call("file_write", path="a.txt", content="kept"), DONE)
        task_id = await desk.submit()
        await office.work(
            SUPABASE_SECRET_KEY=None,
            SUPABASE_PUBLISHABLE_KEY=stack.secrets.publishable_key,
            storage_token=signed,
        )
        assert (await desk.task(task_id))["status"] == "completed"
        (file,) = await desk.rows("select file_path, is_stored from public.files where task_id = %s", task_id)
        assert file["is_stored"]
        keys = {"apikey": stack.secrets.publishable_key, "Authorization": f"Bearer {signed}"}
        async with httpx.AsyncClient(base_url=stack.supabase_url, headers=keys, **LOOPBACK) as http:
            path = f"/storage/v1/object/agent-files/{file['file_path']}"
            assert (await http.get(path)).content == b"kept"
            for denied in ("/rest/v1/users", "/rest/v1/messages", "/rest/v1/files"):
                assert (await http.get(denied)).status_code == httpx.codes.FORBIDDEN
            for function in ("worker_backlog", "worker_config", "runtime_status"):
                answer = await http.post(f"/rest/v1/rpc/{function}", json={})
                assert answer.status_code == httpx.codes.FORBIDDEN
            bucket = await http.post("/storage/v1/bucket", json={"id": "mine", "name": "mine"})
            assert not bucket.is_success
            removed = await http.request("DELETE", "/storage/v1/object/agent-files", json={"prefixes": [path]})
            assert removed.is_success
    finally:
        await desk.connection.execute(
            'drop policy if exists "agent-files: workers" on storage.objects;'
            ' drop policy if exists "agent-files: workers see the bucket" on storage.buckets;'
            " drop role if exists agent_files"
        )
