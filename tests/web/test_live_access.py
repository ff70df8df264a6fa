"""A stream ends when access ends, and nothing that was written later is sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agent_runtime.person.client import Person
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK
from tests.web.conftest import Connection, append
from tests.web.gate import gate_to
from tests.web.live import asking, server, watching

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

QUICK: dict[str, Any] = {"recheck_seconds": 0.2, "session_seconds": 0.3, "hold_seconds": 1.0}

ENDS = {
    "is deactivated": "update public.users set is_active = false where id = %(colleague)s",
    "left the tenant": "update public.users set tenant_id = home_tenant_id where id = %(colleague)s",
    "is unshared with": "update public.conversations set is_shared = false where id = %(conversation)s",
    "has no account any more": "delete from auth.users where id = %(colleague)s",
}


@pytest.mark.parametrize("how", ENDS)
async def test_whose_access_ends_is_sent_nothing_that_was_written_later(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID, how: str
) -> None:
    colleague = await new_person(stack, "colleague")
    await owner.execute(
        "update public.users set tenant_id = (select tenant_id from public.users where id = %s) where id = %s",
        [alice.user_id, colleague.user_id],
    )
    row = await (await owner.execute("select conversation_id from public.tasks where id = %s", [task])).fetchone()
    assert row is not None
    await owner.execute("update public.conversations set is_shared = true where id = %s", [row[0]])
    async with (
        server(stack, **QUICK) as web,
        watching(web.url, task, colleague.access_token) as theirs,
        watching(web.url, task, alice.access_token) as hers,
    ):
        await theirs.until_kind("caught_up")
        await hers.until_kind("caught_up")
        await append(owner, task, "both see this")
        assert (await theirs.until_kind("task_event")).data["payload"] == {"text": "both see this"}

        await owner.execute(ENDS[how], {"colleague": colleague.user_id, "conversation": row[0]})

        end = await theirs.until_kind("end")
        assert end.data["reason"] == "denied"
        assert await theirs.next() is None
        await append(owner, task, "she alone sees this")
        await hers.until(lambda event: event.kind == "task_event" and "alone" in str(event.data))
        assert not any("alone" in str(event.data) for event in theirs.heard)
        async with asking(web.url, task, colleague.access_token) as again:
            assert again.status_code in (401, 404)


async def test_a_task_that_is_deleted_ends_its_stream_as_gone(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    async with server(stack, **QUICK) as web, watching(web.url, task, alice.access_token) as client:
        await client.until_kind("caught_up")
        # Her tenant was hers alone, so all that is in it goes with her.
        await owner.execute("delete from auth.users where id = %s", [alice.user_id])
        assert (await client.until_kind("end")).data == {"reason": "gone"}


async def test_a_session_that_is_over_ends_the_stream_though_its_token_has_not_expired(
    stack: Stack, alice: Session, task: uuid.UUID
) -> None:
    async with server(stack, **QUICK) as web, watching(web.url, task, alice.access_token) as client:
        await client.until_kind("caught_up")
        async with httpx.AsyncClient(**LOOPBACK) as http:
            headers = {"apikey": stack.publishable_key, "Authorization": f"Bearer {alice.access_token}"}
            assert (await http.post(f"{stack.supabase_url}/auth/v1/logout", headers=headers)).is_success
        assert (await client.until_kind("end")).data == {"reason": "expired"}
        async with asking(web.url, task, alice.access_token) as again:
            assert again.status_code == 401


async def test_a_stream_ends_when_its_token_expires_and_goes_on_with_another(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    short = _signed(stack, alice, time.time() + 2)
    async with server(stack, recheck_seconds=60, hold_seconds=60) as web:
        async with watching(web.url, task, short) as client:
            assert (await client.until_kind("end")).data == {"reason": "expired"}
        assert time.time() >= _claims(short)["exp"]
        async with asking(web.url, task, short) as again:
            assert again.status_code == 401
        await append(owner, task, "meanwhile")
        async with watching(web.url, task, alice.access_token, after=client.ids[-1]) as later:
            await later.until_kind("caught_up")
            assert [event.data["payload"] for event in later.heard[:-1]] == [{"text": "meanwhile"}]


async def test_nothing_is_sent_while_nobody_can_say_whether_the_person_may_see_it(
    stack: Stack, owner: Connection, alice: Session, task: uuid.UUID
) -> None:
    """The API is away, the database is there: events wait, and come when the API does."""
    async with (
        gate_to(stack.supabase_url) as gate,
        server(stack, SUPABASE_URL=gate.url, beat_seconds=0.2, **QUICK) as web,
        watching(web.url, task, alice.access_token) as client,
    ):
        await client.until_kind("caught_up")
        gate.cut()
        checks = web.hub.metrics.checks
        # Until the last answer is too old.
        await client.until(lambda _: web.hub.metrics.checks > checks + 8)
        await append(owner, task, "while the API is away")
        for _ in range(5):
            heard = await client.next()
            assert heard is not None
            assert heard.kind == ":"
        gate.mend()
        assert (await client.until_kind("task_event")).data["payload"] == {"text": "while the API is away"}


async def test_one_question_is_asked_for_all_streams_of_a_token(stack: Stack, alice: Session) -> None:
    async with Person(alice, keep=False) as person:
        tasks = [(await person.submit("Do it.")).id for _ in range(3)]
    async with (
        server(stack, recheck_seconds=0.2) as web,
        watching(web.url, tasks[0], alice.access_token) as client,
        watching(web.url, tasks[1], alice.access_token),
        watching(web.url, tasks[2], alice.access_token),
    ):
        await client.until_kind("caught_up")
        metrics = web.hub.metrics
        since, started = metrics.checks, time.monotonic()
        async with asyncio.timeout(60):
            while metrics.checks < since + 5:
                await asyncio.sleep(0.02)
        # Three streams would have asked three times as often.
        assert time.monotonic() - started > 5 * 0.2 * 0.8 * 0.7


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def _signed(stack: Stack, session: Session, expires_at: float) -> str:
    """The person's token, as Auth would sign one that expires then."""
    claims = _claims(session.access_token) | {"exp": int(expires_at)}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    ]
    key = stack.secrets.jwt_secret.get_secret_value().encode()
    signature = hmac.new(key, ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])
