"""Access ends at once, whatever time a token has left: for rows, functions and bytes. No signed URL outlives it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from agent_runtime.storage import BUCKET
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONTENT = b"for colleagues' eyes"
HOME = "update public.users set tenant_id = home_tenant_id where id = %(colleague)s"
ENDS = {
    "is deactivated": "update public.users set is_active = false where id = %(colleague)s",
    "left the tenant": HOME,
    "is unshared with": "update public.conversations set is_shared = false where id = %(conversation)s",
    "has no account any more": "delete from auth.users where id = %(colleague)s",
}


@pytest.mark.parametrize("how", ENDS)
async def test_whose_access_ends_reads_nothing_more(stack: Stack, how: str) -> None:
    async with httpx.AsyncClient(base_url=stack.supabase_url, timeout=60, **LOOPBACK) as http:
        alice, colleague = await new_person(stack, "alice"), await new_person(stack, "colleague")
        path, task = await shared_file(stack, http, alice, colleague)
        rows = f"/rest/v1/messages?select=content&task_id=eq.{task['id']}"
        file = f"/storage/v1/object/{BUCKET}/{path}"
        assert (await http.get(rows, headers=token(stack, colleague))).json() == [{"content": "Read it"}]
        assert (await http.get(file, headers=token(stack, colleague))).content == CONTENT
        status = await http.post("/rest/v1/rpc/runtime_status", json={}, headers=token(stack, colleague))
        assert status.is_success

        owner(stack, ENDS[how], colleague=colleague.user_id, conversation=task["conversation_id"])

        assert (await http.get(rows, headers=token(stack, colleague))).json() == []
        for place in (
            file,
            file.replace("/object/", "/object/authenticated/"),
            file.replace("/object/", "/object/info/"),
        ):
            gone = await http.get(place, headers=token(stack, colleague))
            assert not gone.is_success and CONTENT not in gone.content
        listed = await http.post(
            f"/storage/v1/object/list/{BUCKET}",
            json={"prefix": f"{path.rsplit('/', 1)[0]}/"},
            headers=token(stack, colleague),
        )
        assert listed.json() == []
        if how in ("is deactivated", "has no account any more"):
            for function, arguments in (("runtime_status", {}), ("submit_task", {"p_prompt": "x"})):
                called = await http.post(f"/rest/v1/rpc/{function}", json=arguments, headers=token(stack, colleague))
                assert called.status_code == 403, called.text
            put = await http.post(
                f"/storage/v1/object/{BUCKET}/{path.split('/')[0]}/{uuid.uuid4()}/x",
                content=b"x",
                headers=token(stack, colleague),
            )
            assert not put.is_success
        # To its owner nothing happened.
        assert (await http.get(file, headers=token(stack, alice))).content == CONTENT


async def test_nobody_signs_a_url_while_they_may_read_not_even_the_owner(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.supabase_url, timeout=60, **LOOPBACK) as http:
        alice, colleague = await new_person(stack, "alice"), await new_person(stack, "colleague")
        path, _ = await shared_file(stack, http, alice, colleague)
        folder = path.rsplit("/", 1)[0]
        for who in (alice, colleague):
            for place, body in (
                (f"/object/sign/{BUCKET}/{path}", {"expiresIn": 600}),
                (f"/object/upload/sign/{BUCKET}/{folder}/new.txt", {}),
            ):
                signed = await http.post(f"/storage/v1{place}", json=body, headers=token(stack, who))
                assert not signed.is_success and "token=" not in signed.text, signed.text
            many = await http.post(
                f"/storage/v1/object/sign/{BUCKET}", json={"expiresIn": 600, "paths": [path]}, headers=token(stack, who)
            )
            assert "token=" not in many.text, many.text
            # What they may read they read by their own token, which is asked about each time.
            assert (await http.get(f"/storage/v1/object/{BUCKET}/{path}", headers=token(stack, who))).content == CONTENT
        key = {"apikey": stack.secret_key, "authorization": f"Bearer {stack.secret_key}"}
        signed = await http.post(f"/storage/v1/object/sign/{BUCKET}/{path}", json={"expiresIn": 600}, headers=key)
        assert signed.is_success, "the secret key still can"


async def shared_file(
    stack: Stack, http: httpx.AsyncClient, alice: Session, colleague: Session
) -> tuple[str, dict[str, Any]]:
    """Alice's file, in a conversation that she shares with the tenant that the colleague has joined; and its task."""
    (tenant,) = owner(stack, "select tenant_id::text from public.users where id = %(alice)s", alice=alice.user_id)
    task_id = str(uuid.uuid4())
    path = f"{tenant}/{task_id}/notes.txt"
    put = await http.post(f"/storage/v1/object/{BUCKET}/{path}", content=CONTENT, headers=token(stack, alice))
    assert put.is_success, put.text
    file = {"filename": "notes.txt", "file_path": path, "file_size": len(CONTENT), "mime_type": "text/plain"}
    asked = {"p_prompt": "Read it", "p_task": task_id, "p_run_after": "2100-01-01", "p_files": [file]}
    filed = await http.post("/rest/v1/rpc/submit_task", json=asked, headers=token(stack, alice))
    assert filed.is_success, filed.text
    task: dict[str, Any] = filed.json()
    owner(
        stack,
        "update public.users set tenant_id = %(tenant)s where id = %(colleague)s",
        tenant=tenant,
        colleague=colleague.user_id,
    )
    shared = await http.patch(
        f"/rest/v1/conversations?id=eq.{task['conversation_id']}", json={"is_shared": True}, headers=token(stack, alice)
    )
    assert shared.is_success, shared.text
    return path, task


def token(stack: Stack, who: Session) -> dict[str, str]:
    return {"apikey": stack.publishable_key, "authorization": f"Bearer {who.access_token}"}


def owner(stack: Stack, statement: str, **parameters: Any) -> tuple[Any, ...]:
    """The first row, if there is one, without row-level security."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return (cursor.fetchone() or ()) if cursor.description else ()
