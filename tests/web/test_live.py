"""A live stream against the table: the same events, in order, each once, whatever is cut and whoever is slow."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import uuid
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from agent_runtime.person.client import Person
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK
from tests.web.conftest import Connection, append, recorded
from tests.web.live import PATIENCE_SECONDS, Heard, server, watching

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session


@pytest.mark.parametrize("reads", ["over Postgres", "over REST"])
async def test_a_stream_holds_the_timeline_as_the_table_has_it_backlog_and_news(
    reads: str, stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    await append(owner, task, *(f"before {n}" for n in range(1_200)))
    database = stack.worker_database_url if reads == "over Postgres" else None
    async with server(stack, DATABASE_URL=database) as web, watching(web.url, task, alice.access_token) as client:
        await client.until_kind("caught_up")
        assert client.ids == await recorded(owner, task)

        await append(owner, task, *(f"after {n}" for n in range(50)), "last")
        last = await client.until(partial(_says, "last"))
        assert client.ids == await recorded(owner, task)
        assert [event.kind for event in client.heard].count("caught_up") == 1

        # The same as in the table, the time too, and the id where a browser looks for it.
        found = await owner.execute("select id, task_id, kind, payload, created_at from public.task_events"
                                    " where id = %s", [last.data["id"]])  # fmt: skip
        row = await found.fetchone()
        assert row is not None
        assert last.id == str(row[0])
        expected = {"id": row[0], "task_id": str(row[1]), "kind": row[2], "payload": row[3]}
        assert {key: last.data[key] for key in expected} == expected
        assert last.data["created_at"][:19] == row[4].isoformat()[:19]

        # From where it was left, and nothing twice.
        half = client.ids[600]
        async with watching(web.url, task, alice.access_token, after=half) as again:
            await again.until_kind("caught_up")
            assert again.ids == client.ids[601:]


async def test_streams_that_come_and_go_while_events_are_written_miss_none_and_repeat_none(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    """Two writers at a time; readers leave at any point and go on after the last id that they saw."""

    async def write(name: str) -> None:
        async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
            for n in range(60):
                # A transaction that is open for a while: its ids are taken before others commit.
                async with connection.transaction():
                    await append(connection, task, f"{name} {n}", f"{name} {n} too")
                    await connection.execute("select pg_sleep(0.002)")

    async def read(url: str, leave_after: int) -> list[int]:
        ids: list[int] = []
        while True:
            async with watching(url, task, alice.access_token, after=ids[-1] if ids else None) as client:
                while event := await client.next():
                    if event.data and event.data.get("payload", {}).get("text") == "the end":
                        return ids + client.ids
                    if len(client.ids) >= leave_after:
                        break
                ids += client.ids

    async with server(stack) as web, asyncio.TaskGroup() as group:
        readers = [group.create_task(read(web.url, leave_after)) for leave_after in (7, 60, 10_000)]
        async with asyncio.TaskGroup() as writers:
            writers.create_task(write("one"))
            writers.create_task(write("other"))
        await append(owner, task, "the end")
    wanted = await recorded(owner, task)
    for reader in readers:
        assert reader.result() == wanted


async def test_killed_connections_of_the_database_and_a_killed_server_lose_and_repeat_no_event(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    async with AsyncExitStack() as first:
        web = await first.enter_async_context(server(stack))
        client = await first.enter_async_context(watching(web.url, task, alice.access_token))
        await client.until_kind("caught_up")
        for n in range(3):
            await owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'agent_worker'")
            await append(owner, task, f"while cut {n}")
            await client.until(partial(_says, f"while cut {n}"))
        assert client.ids == await recorded(owner, task)
        web.stop()
        end = await client.until_kind("end")
        assert end.data == {"reason": "shutdown"}
        assert await client.next() is None
    await append(owner, task, "while no server was there")
    async with server(stack) as web, watching(web.url, task, alice.access_token, after=client.ids[-1]) as later:
        await later.until_kind("caught_up")
        assert client.ids + later.ids == await recorded(owner, task)


async def test_a_client_that_reads_slowly_gets_everything_and_one_that_does_not_read_is_ended(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    big = "x" * 20_000
    async with server(stack, stall_seconds=2) as web, watching(web.url, task, alice.access_token) as quick:
        await quick.until_kind("caught_up")
        port = int(web.url.rsplit(":", 1)[1])
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", port))
            request = (
                f"GET /live/tasks/{task} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.access_token}\r\n\r\n"
            )
            await loop.sock_sendall(deaf, request.encode())
            assert b"200 OK" in await loop.sock_recv(deaf, 200)
            # More than the sockets on the way and the queue of a stream hold.
            for n in range(8):
                await append(owner, task, *(f"{n} {m} {big}" for m in range(100)))
            await append(owner, task, "last")
            await quick.until(partial(_says, "last"))
            ended = web.hub.metrics.ended
            async with asyncio.timeout(PATIENCE_SECONDS):
                # By the server, or by the kernel where the server's loop had no time to: that counts as one that left.
                while not ended["slow"] + ended["left"]:
                    await asyncio.sleep(0.02)
        assert web.hub.metrics.streams_open == 1
        assert quick.ids == await recorded(owner, task)
        # It may come back, and read on.
        async with watching(web.url, task, alice.access_token, after=quick.ids[-3]) as back:
            await back.until_kind("caught_up")
            assert back.ids == quick.ids[-2:]


async def test_who_leaves_frees_what_was_held_and_the_database_is_asked_nothing_then(
    stack: Stack, alice: Session, task: uuid.UUID
) -> None:
    async with server(stack) as web:
        metrics = web.hub.metrics
        async with AsyncExitStack() as held:
            for _ in range(5):
                client = await held.enter_async_context(watching(web.url, task, alice.access_token))
                await client.until_kind("caught_up")
            assert metrics.streams_open == 5
        async with asyncio.timeout(PATIENCE_SECONDS):
            while metrics.streams_open:
                await asyncio.sleep(0.01)
        assert metrics.ended == {"left": 5}
        assert metrics.lag_seconds == 0
        # A read that was under way may still come back; then there is none.
        await asyncio.sleep(0.3)
        reads = metrics.reads
        await asyncio.sleep(0.3)
        assert metrics.reads == reads


async def test_what_gets_no_stream_is_told_why(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    bob = await new_person(stack, "bob")
    anonymous = {"role": "anon"}
    async with server(stack, streams=3, streams_per_person=2) as web:
        for token, status in (
            (None, 401), ("nonsense", 401), (stack.publishable_key, 401), (stack.secret_key, 401),
            (f"{alice.access_token}x", 401), (alice.access_token[:-3], 401), ("a.b.c", 401), ("é", 401),
            (bob.access_token, 404), (_unsigned(anonymous), 401),
            (_unsigned({"role": "authenticated", "sub": alice.user_id, "exp": 9e9}), 401),
            (_unsigned({"role": "service_role", "sub": alice.user_id, "exp": 9e9}), 401),
        ):  # fmt: skip
            await _expect(web.url, task, token, status)
        for other in (uuid.uuid4(), "nonsense", "1", "..%2f..%2fconfig.json", "x'; drop table tasks; --"):
            await _expect(web.url, other, alice.access_token, 404)
        for wrong in ("-1", "1.5", "x", "9" * 19, "9" * 400, "１", "0x10", "1, 2"):
            async with httpx.AsyncClient(**LOOPBACK) as http:
                answer = await http.get(
                    f"{web.url}/live/tasks/{task}",
                    headers=[(b"authorization", f"Bearer {alice.access_token}".encode()),
                             (b"last-event-id", wrong.encode())],
                )  # fmt: skip
            assert answer.status_code == 400, wrong
        # What was not written yet cannot have been seen.
        async with watching(web.url, task, alice.access_token, after=2**62) as client:
            await client.until_kind("caught_up")
            await append(owner, task, "new")
            assert (await client.until_kind("task_event")).data["payload"] == {"text": "new"}
            async with watching(web.url, task, alice.access_token) as second:
                await second.until_kind("caught_up")
                await _expect(web.url, task, alice.access_token, 429)
                carol = await new_person(stack, "carol")
                async with Person(carol, keep=False) as person:
                    hers = (await person.submit("Mine.")).id
                async with watching(web.url, hers, carol.access_token) as third:
                    await third.until_kind("caught_up")
                    await _expect(web.url, hers, carol.access_token, 429)
    async with server(stack, SUPABASE_URL="http://127.0.0.1:9") as web:
        await _expect(web.url, task, alice.access_token, 503)
        async with httpx.AsyncClient(**LOOPBACK) as http:
            ready = await http.get(f"{web.url}/healthz?ready")
            assert (ready.status_code, ready.json()) == (503, {"ok": False, "database": "up", "api": "away"})
            assert (await http.get(f"{web.url}/healthz")).status_code == 200


def _says(text: str, event: Heard) -> bool:
    return event.kind == "task_event" and event.data["payload"].get("text") == text


async def _expect(url: str, task_id: uuid.UUID | str, token: str | None, status: int) -> None:
    async with httpx.AsyncClient(**LOOPBACK) as http:
        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        answer = await http.get(f"{url}/live/tasks/{task_id}", headers=headers)
    assert answer.status_code == status, (token, answer.text)
    assert set(answer.json()) == {"error"}
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) > 0


def _unsigned(claims: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in
             ({"alg": "none", "typ": "JWT"}, claims)]  # fmt: skip
    return ".".join([*parts, ""])
