"""Row-level security is the authority: what one person did is nobody else's, by REST, by Storage and by each view."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from postgrest.exceptions import APIError
from psycopg.rows import dict_row
from storage3.exceptions import StorageApiError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from agent_runtime.person.client import Person
from agent_runtime.person.records import FileRow, TaskRow
from agent_runtime.storage import BUCKET, storage_path
from tests.conftest import CLEAR_THE_QUEUE
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

# The loop that the stack's processes belong to: the API is stopped and started.
pytestmark = pytest.mark.asyncio(loop_scope="session")

CSV = "month,units\n2024-01,10\n2024-02,30\n2024-03,20\n"
WORKER_SECONDS = 90

OWN_TABLES = ["conversations", "messages", "tasks", "task_events", "tool_executions", "files", "conversation_details"]
"""What a person who has done nothing has no row of."""


@dataclass(frozen=True)
class Scene:
    """Alice, whose task is done, and Bob, who has done nothing."""

    alice: Session
    bob: Session
    task: TaskRow
    tenant_id: str
    report: FileRow


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Alice files a task with a file and a real worker does it."""
    alice, bob = await new_person(stack, "alice"), await new_person(stack, "bob")
    sales = tmp_path_factory.mktemp("alice") / "sales.csv"
    sales.write_text(CSV, encoding="utf-8")
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(CLEAR_THE_QUEUE)
    async with Person(alice, keep=False) as person:
        filed = await person.submit("Which month sold best?", [sales], priority=5)
        await _drain(stack)
        task, files = await person.task(filed.id), await person.files(filed.id)
    assert task.status == "completed", task.error_message
    (report,) = [file for file in files if file.filename == "report.md"]
    return Scene(alice, bob, task, report.file_path.split("/")[0], report)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["as started", "after a restart of the API"])
async def stood(request: pytest.FixtureRequest, stack: Stack, scene: Scene) -> Scene:
    """The scene, again after a restart: at its first request the API grants everything to everybody."""
    if request.param != "as started":
        await stack.api.stop()
        await stack.api.start()
        async with as_person(stack, scene.bob) as bob:
            await bob.table("agents").select("id").execute()
    return scene


@asynccontextmanager
async def as_person(stack: Stack, who: Session | None) -> AsyncIterator[AsyncClient]:
    """supabase-py as somebody signed in, or as nobody."""
    async with httpx.AsyncClient(timeout=30, **LOOPBACK) as http:
        headers = {"Authorization": f"Bearer {who.access_token if who else stack.publishable_key}"}
        options = AsyncClientOptions(headers=headers, httpx_client=http, auto_refresh_token=False)
        yield await acreate_client(stack.supabase_url, stack.publishable_key, options)


async def test_a_person_sees_the_task_its_messages_its_executions_and_its_files(stack: Stack, stood: Scene) -> None:
    async with as_person(stack, stood.alice) as alice:
        for table in OWN_TABLES:
            assert await rows(alice.table(table).select("*")), table
        task_id = str(stood.task.id)
        (task,) = await rows(alice.table("tasks").select("*").eq("id", task_id))
        assert task["status"] == "completed"
        messages = await rows(alice.table("messages").select("role").eq("task_id", task_id))
        assert {message["role"] for message in messages} == {"user", "assistant", "tool"}
        files = await rows(alice.table("files").select("filename").eq("task_id", task_id))
        assert {"sales.csv", "report.md"} <= {file["filename"] for file in files}


async def test_a_person_downloads_the_report_with_the_recorded_sha256(
    stack: Stack, stood: Scene, tmp_path: Path
) -> None:
    async with as_person(stack, stood.alice) as alice:
        found = await alice.storage.from_(BUCKET).download(stood.report.file_path)
    assert hashlib.sha256(found).hexdigest() == stood.report.file_hash
    async with Person(stood.alice, keep=False) as person:
        stored = await person.download(stood.report, tmp_path / "report.md")
    assert (stored.sha256, stored.size_bytes) == (stood.report.file_hash, stood.report.file_size)
    assert (tmp_path / "report.md").read_bytes() == found


@pytest.mark.parametrize("table", [*OWN_TABLES, "audit_logs", "workers"])
async def test_nobody_else_sees_a_row_of_it_by_rest(stack: Stack, stood: Scene, table: str) -> None:
    async with as_person(stack, stood.bob) as bob:
        assert await rows(bob.table(table).select("*")) == []
    async with as_person(stack, None) as nobody:
        with pytest.raises(APIError) as refused:
            await nobody.table(table).select("*").execute()
        assert refused.value.code == "42501"


@pytest.mark.parametrize("table", ["users", "tenants"])
async def test_nobody_else_sees_who_the_person_is(stack: Stack, stood: Scene, table: str) -> None:
    async with as_person(stack, stood.bob) as bob:
        (own,) = await rows(bob.table(table).select("*"))
    assert own["id"] not in (stood.alice.user_id, stood.tenant_id)


async def test_nobody_elses_work_shows_in_the_statistics_of_tools(stack: Stack, stood: Scene) -> None:
    async with as_person(stack, stood.bob) as bob:
        statistics = await rows(bob.table("tool_statistics").select("*"))
    assert statistics
    assert all(row["execution_count"] == 0 and row["avg_execution_time"] is None for row in statistics)


async def test_nobody_else_reaches_the_bytes_by_storage(stack: Stack, stood: Scene) -> None:
    path, stolen = stood.report.file_path, f"{uuid.uuid4()}/{uuid.uuid4()}/stolen.md"
    for who in (stood.bob, None):
        async with as_person(stack, who) as somebody:
            bucket = somebody.storage.from_(BUCKET)
            for attempt in (
                partial(bucket.download, path),
                partial(bucket.create_signed_url, path, 60),
                partial(bucket.create_signed_urls, [path], 60),
                partial(bucket.info, path),
                partial(bucket.copy, path, stolen),
                partial(bucket.move, path, stolen),
                partial(bucket.create_signed_upload_url, f"{path}.new"),
            ):
                with pytest.raises(StorageApiError):
                    await attempt()
            for prefix in ("", stood.tenant_id, f"{stood.tenant_id}/{stood.task.id}"):
                assert await bucket.list(prefix) == []
    async with httpx.AsyncClient(base_url=f"{stack.supabase_url}/storage/v1/object", **LOOPBACK) as http:
        for place in ("public", "authenticated", "sign"):
            assert not (await http.get(f"/{place}/{BUCKET}/{path}")).is_success


async def test_nobody_else_writes_or_removes_bytes_of_it(stack: Stack, stood: Scene, tmp_path: Path) -> None:
    report = stood.report.file_path
    async with as_person(stack, stood.bob) as bob:
        bucket = bob.storage.from_(BUCKET)
        for path in (report, storage_path(stood.tenant_id, stood.task.id, "planted.md")):
            for options in ({}, {"upsert": "true"}):
                with pytest.raises(StorageApiError):
                    await bucket.upload(path, b"planted", options)  # type: ignore[arg-type]
        with pytest.raises(StorageApiError):
            await bucket.update(report, b"planted")
        # Storage answers that it removed what it may; here that is nothing.
        await bucket.remove([report])
    async with Person(stood.alice, keep=False) as person:
        await person.download(stood.report, tmp_path / "report.md")


async def test_nobody_else_writes_into_the_conversation(stack: Stack, stood: Scene) -> None:
    conversation, task = str(stood.task.conversation_id), str(stood.task.id)
    before = await everything_of(stack, stood)
    async with as_person(stack, stood.bob) as bob:
        message = {"conversation_id": conversation, "role": "user", "content": "planted"}
        for query in (
            bob.table("messages").insert(message),
            bob.table("messages").insert({**message, "task_id": task}),
            bob.table("tasks").insert({"conversation_id": conversation, "title": "planted"}),
            bob.table("files").insert(
                {
                    "task_id": task,
                    "filename": "planted.md",
                    "original_filename": "planted.md",
                    "file_path": f"{stood.tenant_id}/{task}/planted.md",
                    "file_size": 1,
                    "mime_type": "text/plain",
                }
            ),
            bob.rpc("submit_task", {"p_prompt": "planted", "p_conversation": conversation}),
            bob.rpc("answer_task", {"p_task": task, "p_answer": "planted"}),
            bob.rpc("cancel_task", {"p_task": task}),
        ):
            with pytest.raises(APIError):
                await query.execute()
        for table in ("conversations", "tasks"):
            assert await rows(bob.table(table).update({"title": "x"}).eq("tenant_id", stood.tenant_id)) == []
    assert await everything_of(stack, stood) == before


async def test_nobody_makes_themselves_an_admin(stack: Stack, stood: Scene) -> None:
    for who in (stood.bob, stood.alice):
        async with as_person(stack, who) as person:
            for change in ({"role": "admin"}, {"tenant_id": stood.tenant_id, "is_active": False}, {"email": "x@y.z"}):
                with pytest.raises(APIError) as refused:
                    await person.table("users").update(change).eq("id", who.user_id).execute()
                assert refused.value.code == "42501"
            # Somebody else's profile is not there to be changed.
            other = stood.alice if who is stood.bob else stood.bob
            assert await rows(person.table("users").update({"role": "admin"}).eq("id", other.user_id)) == []
    with psycopg.connect(stack.database_url) as connection:
        ids = [stood.alice.user_id, stood.bob.user_id]
        roles = connection.execute("select role from users where id = any(%s::uuid[])", [ids]).fetchall()
    assert roles == [("user",), ("user",)]


async def test_nobody_edits_or_removes_what_was_said_or_done_not_even_its_owner(stack: Stack, stood: Scene) -> None:
    before = await everything_of(stack, stood)
    for who in (stood.bob, stood.alice):
        async with as_person(stack, who) as person:
            for table, change in (
                ("messages", {"content": "edited"}),
                ("tool_executions", {"status": "failed"}),
                ("task_events", {"kind": "task.notice"}),
                ("files", {"file_hash": "0" * 64}),
            ):
                changing = person.table(table).update(change).eq("task_id", str(stood.task.id))
                removing = person.table(table).delete().eq("task_id", str(stood.task.id))
                for query in (changing, removing):
                    with pytest.raises(APIError) as refused:
                        await query.execute()
                    assert refused.value.code == "42501", table
    async with as_person(stack, stood.alice) as alice:
        own = {"status": "failed", "result": {"answer": "other"}}
        with pytest.raises(APIError) as refused:
            await alice.table("tasks").update(own).eq("id", str(stood.task.id)).execute()
        assert refused.value.code == "42501"
        said = {"conversation_id": str(stood.task.conversation_id), "role": "assistant", "content": "as if"}
        with pytest.raises(APIError) as refused:
            await alice.table("messages").insert(said).execute()
        assert refused.value.code == "42501"
    assert await everything_of(stack, stood) == before


async def rows(query: Any) -> list[dict[str, Any]]:
    """What a query of supabase-py gives."""
    found: list[dict[str, Any]] = (await query.execute()).data
    return found


async def everything_of(stack: Stack, scene: Scene) -> list[tuple[str, str]]:
    """A digest of each of Alice's tables, read where nothing is hidden."""
    tables = [
        "users",
        "conversations",
        "messages",
        "tasks",
        "task_events",
        "tool_executions",
        "files",
        "storage.objects",
    ]
    digests = []
    async with await psycopg.AsyncConnection.connect(stack.database_url, row_factory=dict_row) as connection:
        for table in tables:
            # last_accessed_at is Storage's own note of a download.
            mine = "r.name like %s || '/%%'" if table == "storage.objects" else "r.tenant_id = %s::uuid"
            cursor = await connection.execute(
                "select md5(string_agg((to_jsonb(r) - 'last_accessed_at' - 'updated_at')::text, ';' order by r.id))"
                f" as digest from {table} r where {mine}",
                [scene.tenant_id],
            )
            row = await cursor.fetchone()
            assert row is not None
            digests.append((table, row["digest"]))
    assert all(digest for _, digest in digests)
    return digests


async def _drain(stack: Stack) -> None:
    """A real worker, until nothing is pending."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent_runtime", "run", "--drain",
        env={**os.environ, **stack.worker_environment},
        cwd=stack.data_dir,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(WORKER_SECONDS):
            output, _ = await worker.communicate()
    except TimeoutError:
        worker.kill()
        await worker.wait()
        raise
    assert worker.returncode == 0, output.decode()[-2_000:]
