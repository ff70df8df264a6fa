"""The answer while the model gives it: from a real worker to a stream, for watched tasks alone, without a secret."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import psycopg

from agent_runtime.db.listen import DELTA, HELLO, WATCH
from tests.e2e.desk import new_person
from tests.web.live import Client, Heard, server, watching
from tests.worker.conftest import DONE, Desk, Office, desk, office, sandbox, see, working

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

__all__ = ["desk", "office", "sandbox"]

WORDS = " ".join(f"word{n}" for n in range(400))


async def _watcher(stack: Stack, desk: Desk) -> str:
    """A token of somebody who sees everything in the tenant of the desk."""
    session = await new_person(stack, "admin")
    await desk.rows(
        "update public.users set role = 'admin', tenant_id = (select tenant_id from public.users where id = %s)"
        " where id = %s",
        desk.user, session.user_id,
    )  # fmt: skip
    return session.access_token


def _shown(client: Client, step: int) -> tuple[str, str]:
    """What a page that follows the deltas shows of a step: content and thinking."""
    content = thinking = ""
    for event in client.heard:
        if event.kind == "delta" and event.data["step"] == step:
            if event.data["restart"]:
                content = thinking = ""
            content += event.data["content"]
            thinking += event.data["thinking"]
    return content, thinking


def _is_message_of_step(event: Heard, step: int) -> bool:
    data = event.data
    return event.kind == "task_event" and data["kind"] == "message.created" and data["payload"].get("step") == step


async def test_an_answer_is_seen_as_it_is_given_by_who_watches_from_the_start_and_by_who_comes_later(
    stack: Stack, desk: Desk, office: Office
) -> None:
    token = await _watcher(stack, desk)
    # Slow enough that somebody can come in the middle; the pace of the model, not of the machine.
    await office.serve_steps(
        {"text": WORDS, "thinking": "Let me think. ", "chunk_delay_seconds": 0.01, **DONE}, {"text": "x"}
    )
    task = await desk.submit()
    async with server(stack) as web, server(stack) as other:
        async with working(office), watching(web.url, task, token) as early:
            first = await early.until_kind("delta")
            assert first.data["restart"] is True
            await early.until(lambda _: "word20" in _shown(early, 1)[0])
            # Two servers tell each other nothing; the worker tells both.
            async with watching(other.url, task, token) as late, watching(web.url, task, token) as beside:
                for client in (late, beside):
                    heard = await client.until_kind("delta")
                    assert heard.data["restart"] is True
                    assert heard.data["content"].startswith("word0 word1 ")
                    assert heard.data["thinking"] == "Let me think. "
                for client in (early, late, beside):
                    await client.until(lambda event: _is_message_of_step(event, 1))
                    content, thinking = _shown(client, 1)
                    assert WORDS.startswith(content)
                    assert len(content) > len(WORDS) / 2
                    assert thinking == "Let me think. "
                # Put together: a piece for each word would be 400.
                assert sum(event.kind == "delta" for event in early.heard) < 100
                # Once recorded, it is in the table, and a stream that comes then hears no pieces of it.
                async with watching(web.url, task, token) as after:
                    await after.until_kind("caught_up")
            await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", task)
        assert not any(event.kind == "delta" for event in after.heard)


async def test_nothing_is_told_of_a_task_that_nobody_watches_and_nothing_secret_of_one_that_is_watched(
    stack: Stack, desk: Desk, office: Office
) -> None:
    token = await _watcher(stack, desk)
    password = stack.secrets.agent_worker.get_secret_value()
    secret = stack.secret_key
    said = f"I found the key {secret} and the password {password}, and there is more to say about that. {WORDS}"
    await office.serve_steps({"text": said, "chunk_delay_seconds": 0.005, **DONE})
    unwatched, watched = await desk.submit(), await desk.submit()
    heard: list[str] = []

    async def listen(ready: asyncio.Event) -> None:
        async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
            await connection.execute(f"listen {DELTA}")
            ready.set()
            async for notification in connection.notifies():
                heard.append(notification.payload)

    ready = asyncio.Event()
    listening = asyncio.create_task(listen(ready))
    await ready.wait()
    async with server(stack) as web, watching(web.url, watched, token) as client:
        await client.until_kind("caught_up")
        async with working(office):
            await client.until(lambda event: _is_message_of_step(event, 1))
            await see(desk, "not exists (select from public.tasks where id = any(%s) and status <> 'completed')",
                      [unwatched, watched])  # fmt: skip
    listening.cancel()
    pieces = [payload for payload in heard if payload != HELLO]
    assert {json.loads(payload)["task"] for payload in pieces} == {str(watched)}
    content, _ = _shown(client, 1)
    assert content.startswith("I found the key *** and the password ***, and there is more to say about that. word0")
    everything = "".join(heard) + json.dumps([event.data for event in client.heard])
    for value in (secret, password):
        assert not any(value[at : at + 6] in everything for at in range(0, len(value) - 6)), everything[:2_000]


async def test_a_worker_whose_telling_fails_goes_on(stack: Stack, desk: Desk, office: Office) -> None:
    token = await _watcher(stack, desk)
    await office.serve_steps({"text": WORDS, "chunk_delay_seconds": 0.005, **DONE})
    task = await desk.submit()
    async with server(stack) as web, watching(web.url, task, token) as client, working(office):
        await client.until_kind("delta")
        # Whatever stands in notifications, and whatever happens to the connection.
        for payload in ("", "x", "{}", "[1]", '{"begin": 1, "tasks": 1}'):
            for channel in (WATCH, DELTA):
                await desk.rows("select pg_notify(%s, %s)", channel, payload)
        await desk.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity where query like '%%pg_catalog.pg_notify%%unnest%%'"
            " and pid <> pg_backend_pid()"
        )
        await client.until(lambda event: _is_message_of_step(event, 1))
        await see(desk, "exists (select from public.tasks where id = %s and status = 'completed')", task)
