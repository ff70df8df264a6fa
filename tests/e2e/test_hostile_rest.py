"""What somebody tries who has a token and no scruples: nothing of another tenant comes back, and no hint of it.

Alice's tenant has a conversation with everything in it and a file; Mallory is the admin of another.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import dict_row

from agent_runtime.storage import BUCKET
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "the canary of alice"
FAR = "2100-01-01"


@dataclass
class Desk:
    """The API as one of the two sees it, and the database as it is."""

    stack: Stack
    alice: Session
    mallory: Session
    tenant: str
    conversation: str
    task: str
    file: str
    http: httpx.AsyncClient = field(repr=False)

    async def ask(
        self,
        method: str,
        place: str,
        who: Session | str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **sent: Any,
    ) -> httpx.Response:
        """As Mallory, unless somebody else or a token is given."""
        token = who if isinstance(who, str) else (who or self.mallory).access_token
        given = {"apikey": self.stack.publishable_key, "authorization": f"Bearer {token}", **(headers or {})}
        return await self.http.request(method, f"{self.stack.supabase_url}{place}", headers=given, **sent)

    def owner(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Without row-level security."""
        with psycopg.connect(self.stack.database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @property
    def ids(self) -> tuple[str, ...]:
        """What must not come back to Mallory."""
        return (SECRET, self.tenant, self.conversation, self.task, str(self.alice.user_id), self.alice.email)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: Stack) -> Any:
    alice, mallory = await new_person(stack, "alice"), await new_person(stack, "mallory")
    task = str(uuid.uuid4())
    async with httpx.AsyncClient(timeout=60, **LOOPBACK) as http:
        desk = Desk(stack, alice, mallory, "", "", task, "", http)
        (row,) = desk.owner("select tenant_id::text from public.users where id = %s", alice.user_id)
        desk.tenant = row["tenant_id"]
        desk.file = f"{desk.tenant}/{task}/notes.txt"
        put = await desk.ask("POST", f"/storage/v1/object/{BUCKET}/{desk.file}", alice, content=SECRET.encode())
        assert put.is_success, put.text
        asked = {
            "p_prompt": SECRET, "p_title": SECRET, "p_task": task, "p_run_after": FAR,
            "p_files": [{"filename": "notes.txt", "file_path": desk.file, "file_size": 19, "mime_type": "text/plain"}],
        }  # fmt: skip
        filed = await desk.ask("POST", "/rest/v1/rpc/submit_task", alice, json=asked)
        assert filed.is_success, filed.text
        desk.conversation = filed.json()["conversation_id"]
        desk.owner("update public.conversations set is_shared = true where id = %s", desk.conversation)
        desk.owner("update public.users set role = 'admin' where id = %s", mallory.user_id)
        # So that embedded resources have something of hers to hang on.
        own = await desk.ask("POST", "/rest/v1/rpc/submit_task", json={"p_prompt": "mine", "p_run_after": FAR})
        assert own.is_success, own.text
        yield desk


@pytest.fixture(autouse=True)
def nothing_changed(desk: Desk) -> Iterator[None]:
    before = everything_of(desk)
    yield
    assert everything_of(desk) == before


def everything_of(desk: Desk) -> list[Any]:
    tables = ("users", "conversations", "messages", "tasks", "task_events", "files")
    digests = [
        desk.owner(
            f"select md5(string_agg((to_jsonb(r) - 'updated_at')::text, ';' order by r.id)) as d from public.{table} r"
            " where r.tenant_id = %s",
            desk.tenant,
        )[0]["d"]
        for table in tables
    ]
    objects = desk.owner(
        "select name, version::text as v from storage.objects where bucket_id = %s order by name", BUCKET
    )
    return [*digests, objects, desk.owner("select id, public from storage.buckets order by id")]


def gives_nothing(desk: Desk, answer: httpx.Response, asked: str = "") -> None:
    """Nothing of Alice's is in it, but for what the request itself had named."""
    for one in desk.ids:
        if one not in asked:
            assert one not in answer.text, (asked, answer.text[:500])
    assert answer.status_code < 500 or "PostgresError: " in answer.text, (asked, answer.status_code, answer.text[:300])


async def test_no_query_walks_to_another_tenant(desk: Desk) -> None:
    them = f"tenant_id=eq.{desk.tenant}"
    queries = [
        "conversations?select=*,messages(*),tasks(*,tool_executions!tool_executions_task_id_fkey(*),task_events(*),files(*))",
        "conversations?select=*,users!conversations_user_id_fkey(*),agents!conversations_agent_id_fkey(*),tenants!conversations_tenant_id_fkey(*)",
        "conversations?select=*,users!conversations_user_id_fkey!inner(*)",
        f"conversations?select=*,messages!inner(*)&messages.content=eq.{SECRET}",
        f"conversations?select=*&or=(id.eq.{desk.conversation},is_shared.is.true)",
        "conversations?or=(id.not.is.null,and(is_shared.eq.true,title.neq.x))",
        "conversations?select=title,tasks(title)&tasks.order=title.desc&tasks.limit=100",
        f"conversations?id=not.eq.{uuid.uuid4()}",
        "agents?select=*,conversations!conversations_agent_id_fkey(*,messages(*))",
        "agents?select=name,conversations!conversations_agent_id_fkey(count)",
        "tools?select=name,tool_executions(*,tasks!tool_executions_task_id_fkey(*,conversations!tasks_conversation_id_fkey(*)))",
        "users?select=*,conversations!conversations_user_id_fkey(*),audit_logs(*)",
        "tenants?select=*,users!users_tenant_id_fkey(*),conversations(*),messages(*),files(*)",
        "messages?select=metadata->>files,content,tasks!inner(title)",
        "audit_logs?select=*,users(*)",
        "audit_logs?select=new_values->>content,old_values",
        f"audit_logs?{them}",
        "tasks?select=usage->>steps,limits->x->y,plan->0->>title,description",
        "task_events?select=payload,tasks(conversations!tasks_conversation_id_fkey(messages(content)))",
        "files?select=*,tasks(*)",
        "conversation_details?select=*",
        f"conversation_details?id=eq.{desk.conversation}",
        "messages?content=ilike.*canary*",
        "messages?content=wfts(english).canary",
        "tasks?search=fts.canary",
        "messages?select=count()",
        "messages?select=content.max(),content.min(),seq.max(),seq.sum()",
        "conversations?select=id,messages(seq.sum())",
        f"messages?conversation_id=eq.{desk.conversation}&select=content&limit=1&offset=0",
        f"tasks?id=eq.{desk.task}",
        "tasks?id=gt.00000000-0000-0000-0000-000000000000&order=created_at",
    ]
    answered = 0
    for query in queries:
        answer = await desk.ask("GET", f"/rest/v1/{query}")
        gives_nothing(desk, answer, query)
        answered += answer.is_success
    assert answered > len(queries) * 3 / 4, answered
    # Alice gets it all by the first of them, so they would show it.
    own = await desk.ask("GET", f"/rest/v1/{queries[0]}", desk.alice)
    assert SECRET in own.text


async def test_counts_and_aggregates_count_what_is_visible_alone(desk: Desk) -> None:
    for table in ("conversations", "messages", "tasks", "files", "users", "task_events"):
        for method in ("HEAD", "GET"):
            answer = await desk.ask(
                method, f"/rest/v1/{table}?tenant_id=eq.{desk.tenant}&select=id", headers={"prefer": "count=exact"}
            )
            assert answer.headers["content-range"].endswith("/0"), (table, answer.headers)
        for range_ in ("0-0", "0-99999999", "5-2", "-1", "99999999999999999999-"):
            answer = await desk.ask("GET", f"/rest/v1/{table}?tenant_id=eq.{desk.tenant}", headers={"range": range_})
            gives_nothing(desk, answer, desk.tenant)
            assert SECRET not in answer.text
    planned = await desk.ask(
        "GET", f"/rest/v1/messages?select=id&tenant_id=eq.{desk.tenant}", headers={"prefer": "count=planned"}
    )
    gives_nothing(desk, planned, desk.tenant)


async def test_what_is_another_s_reads_as_what_is_not(desk: Desk) -> None:
    """The same status and the same words, but for the id that was asked for."""
    nowhere = str(uuid.uuid4())
    pairs = [
        ("GET", "/rest/v1/tasks?id=eq.{}", None),
        ("PATCH", "/rest/v1/tasks?id=eq.{}", {"title": "x"}),
        ("PATCH", "/rest/v1/conversations?id=eq.{}", {"title": "x"}),
        ("DELETE", "/rest/v1/agents?id=eq.{}", None),
        ("POST", "/rest/v1/rpc/cancel_task", {"p_task": "{}"}),
        ("POST", "/rest/v1/rpc/pause_task", {"p_task": "{}"}),
        ("POST", "/rest/v1/rpc/answer_task", {"p_task": "{}", "p_answer": "x"}),
        ("POST", "/rest/v1/rpc/submit_task", {"p_prompt": "x", "p_conversation": "{}"}),
        ("POST", "/rest/v1/rpc/decide_execution", {"p_execution": "{}", "p_approve": True}),
        ("POST", "/rest/v1/rpc/settle_execution", {"p_execution": "{}", "p_happened": True}),
        ("POST", "/rest/v1/messages", {"conversation_id": "{}", "role": "user", "content": "x"}),
        ("POST", "/rest/v1/tasks", {"conversation_id": "{}", "title": "x", "run_after": FAR}),
        ("POST", "/rest/v1/files", {"task_id": "{}", "filename": "x", "original_filename": "x", "file_path": "x",
                                    "file_size": 1, "mime_type": "x", "uploaded_by": str(desk.mallory.user_id)}),
        ("POST", "/rest/v1/messages", {"conversation_id": nowhere, "task_id": "{}", "role": "user", "content": "x"}),
    ]  # fmt: skip
    for method, place, body in pairs:
        answers = []
        for one in (desk.conversation if "conversation" in place + json.dumps(body) else desk.task, nowhere):
            sent = json.loads(json.dumps(body).replace("{}", one)) if body else None
            answer = await desk.ask(
                method, place.replace("{}", one), json=sent, headers={"prefer": "return=representation"}
            )
            answers.append((answer.status_code, answer.text.replace(one, "?")))
        assert answers[0] == answers[1], (method, place)


async def test_forged_columns_do_not_land_where_they_say(desk: Desk) -> None:
    me, represent = str(desk.mallory.user_id), {"prefer": "return=representation"}
    forged = {"tenant_id": desk.tenant, "user_id": str(desk.alice.user_id)}
    (agent,) = desk.owner("select id::text from public.agents where tenant_id is null order by created_at limit 1")
    attempts = [
        ("conversations", {"agent_id": agent["id"], "title": "x", **forged}),
        ("conversations", {"id": desk.conversation, "agent_id": agent["id"], "user_id": me, "title": "x"}),
        ("tasks", {"id": desk.task, "conversation_id": desk.conversation, "title": "x", **forged}),
        ("messages", {"conversation_id": desk.conversation, "role": "user", "content": "x", "tenant_id": desk.tenant}),
        ("files", {"task_id": desk.task, "filename": "x", "original_filename": "x", "file_path": desk.file,
                   "file_size": 1, "mime_type": "x", "uploaded_by": me}),
        ("users", {"id": str(desk.alice.user_id), "email": "x@example.org", "role": "admin", "tenant_id": desk.tenant}),
        ("users", {"id": me, "role": "admin", "tenant_id": desk.tenant}),
        ("tenants", {"id": desk.tenant, "slug": "x", "name": "x"}),
        ("audit_logs", {"action": "x", "resource_type": "x", "actor": "x", **forged}),
        ("execution_decisions", {"execution_id": desk.task, "verdict": "approved", "input_digest": "x", **forged}),
        ("system_config", {"config_key": "default_model", "config_value": "evil"}),
        ("tools", {"name": "shell_exec", "requires_confirmation": False}),
    ]  # fmt: skip
    for table, body in attempts:
        for prefer in ("return=representation", "resolution=merge-duplicates", "resolution=ignore-duplicates"):
            for conflict in ("", "?on_conflict=id"):
                answer = await desk.ask("POST", f"/rest/v1/{table}{conflict}", json=body, headers={"prefer": prefer})
                gives_nothing(desk, answer, json.dumps(body))
                taken = answer.is_success and "ignore" not in prefer
                assert not taken, (table, prefer, conflict, answer.text)
    # An agent is its maker's, whatever was sent.
    body = {"name": "x", "system_prompt": "x", "model_name": "m", "created_by": str(desk.alice.user_id), **forged}
    body.pop("user_id")
    made = await desk.ask("POST", "/rest/v1/agents", json=body, headers=represent)
    assert made.is_success, made.text
    (row,) = made.json()
    assert row["created_by"] == me and row["tenant_id"] != desk.tenant
    for change in ({"tenant_id": desk.tenant}, {"created_by": str(desk.alice.user_id)}):
        moved = await desk.ask("PATCH", f"/rest/v1/agents?id=eq.{row['id']}", json=change)
        assert moved.status_code == 403, moved.text
    promotions: list[dict[str, Any]] = [
        {"role": "user"}, {"tenant_id": desk.tenant}, {"is_active": False}, {"email": "x@example.org"}
    ]  # fmt: skip
    for promotion in promotions:
        promoted = await desk.ask("PATCH", f"/rest/v1/users?id=eq.{me}", json=promotion | {"full_name": "x"})
        assert promoted.status_code == 403, promoted.text


async def test_sql_in_a_text_is_text(desk: Desk) -> None:
    for evil in (
        "'; drop table messages; --",
        "x') or true --",
        "$$; select 1; $$",
        "\\'; truncate tasks; --",
        "a\u0000b",
    ):
        for place, sent in (
            ("/rest/v1/messages", {"content": f"eq.{evil}"}),
            ("/rest/v1/messages", {"or": f"(content.eq.{evil})"}),
            ("/rest/v1/messages", {"select": evil}),
            ("/rest/v1/messages", {"order": evil}),
            ("/rest/v1/conversations", {"id": f"in.({evil})"}),
        ):
            gives_nothing(desk, await desk.ask("GET", place, params=sent))
        answer = await desk.ask("POST", "/rest/v1/rpc/submit_task", json={"p_prompt": evil, "p_agent": evil})
        gives_nothing(desk, answer)
        assert not answer.is_success
    assert desk.owner("select to_regclass('public.messages') is not null as there") == [{"there": True}]


async def test_no_token_but_ones_own_is_taken(desk: Desk) -> None:
    secret = desk.stack.secrets.jwt_secret.get_secret_value().encode()
    now = int(time.time())
    good = {"sub": str(desk.alice.user_id), "role": "authenticated", "aud": "authenticated", "exp": now + 600}
    body = desk.alice.access_token.split(".")[1]
    head, signature = (desk.mallory.access_token.split(".")[index] for index in (0, 2))
    tokens = {
        "expired": jwt(good | {"exp": now - 60}, secret),
        "not yet": jwt(good | {"nbf": now + 600}, secret),
        "unsigned": jwt(good, b"", alg="none"),
        "unsigned, in capitals": jwt(good, b"", alg="NONE"),
        "without a signature": ".".join(jwt(good, secret).split(".")[:2]) + ".",
        "another project's": jwt(good, b"another project's secret, of a good length"),
        "signed with the public key": jwt(good, desk.stack.publishable_key.encode()),
        "her claims, my signature": f"{head}.{body}.{signature}",
        "a role of the database": jwt(good | {"role": "postgres"}, secret),
        "the worker's role": jwt(good | {"role": "agent_worker"}, secret),
        "the superuser's role": jwt(good | {"role": "supabase_admin"}, secret),
        "sql for a role": jwt(good | {"role": 'anon"; set role postgres; --'}, secret),
        "sql for a person": jwt(good | {"sub": "' or true --"}, secret),
        "no person": jwt({"role": "authenticated", "exp": now + 600}, secret),
        "malformed": "x.y.z",
        "half": "eyJhbGciOiJIUzI1NiJ9",
        "long": "a" * 7_000,
    }
    for name, token in tokens.items():
        for place in ("/rest/v1/messages?select=content", f"/storage/v1/object/{BUCKET}/{desk.file}"):
            answer = await desk.ask("GET", place, token)
            assert SECRET not in answer.text, (name, place)
            assert not answer.is_success or answer.json() == [], (name, place, answer.text)
        called = await desk.ask("POST", "/rest/v1/rpc/submit_task", token, json={"p_prompt": "x", "p_run_after": FAR})
        assert not called.is_success, (name, called.text)
        called = await desk.ask("POST", "/rest/v1/rpc/worker_config", token, json={})
        assert not called.is_success, (name, called.text)
    # So good a token would have been taken.
    fine = await desk.ask("GET", "/rest/v1/messages?select=content", jwt(good, secret))
    assert SECRET in fine.text


async def test_what_is_too_much_or_malformed_is_refused_in_order(desk: Desk) -> None:
    for count in (300, 10_000):
        status, text = await asyncio.to_thread(long_filter, desk, count)
        # An address of 370 kB is refused, or answered.
        assert SECRET not in text and (text == "[]" if status == 200 else status in (400, 414, 431)), (
            status,
            text[:200],
        )
    nested = '{"a":' * 5_000 + "1" + "}" * 5_000
    json_type, text_type = {"content-type": "application/json"}, {"content-type": "text/plain"}
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        (
            "POST",
            "/rest/v1/rpc/submit_task",
            {"content": f'{{"p_prompt": "", "p_limits": {nested}}}', "headers": json_type},
        ),
        (
            "PATCH",
            f"/rest/v1/users?id=eq.{uuid.uuid4()}",
            {"content": f'{{"preferences": {nested}}}', "headers": json_type},
        ),
        ("POST", "/rest/v1/messages", {"json": {"no_such_column": 1}}),
        ("PATCH", "/rest/v1/tasks?no_such=eq.1", {"json": {"title": "x"}}),
        ("GET", "/rest/v1/messages?select=no_such", {}),
        ("POST", "/rest/v1/messages", {"content": "{", "headers": json_type}),
        (
            "POST",
            "/rest/v1/messages",
            {"content": f"conversation_id\n{desk.conversation}", "headers": {"content-type": "text/csv"}},
        ),
        (
            "POST",
            "/rest/v1/rpc/cancel_task",
            {"content": f"p_task={desk.task}", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        ),
        ("POST", "/rest/v1/rpc/cancel_task", {"content": json.dumps({"p_task": desk.task}), "headers": text_type}),
        ("POST", "/rest/v1/rpc/cancel_task", {"json": {"p_task": desk.task, "p_extra": 1}}),
        ("POST", "/rest/v1/rpc/cancel_task", {"json": {}}),
        ("POST", "/rest/v1/rpc/cancel_task", {"json": {"p_task": [desk.task]}}),
        ("POST", "/rest/v1/rpc/cancel_task", {"json": [{"p_task": desk.task}]}),
        ("GET", f"/rest/v1/rpc/cancel_task?p_task={desk.task}", {}),
        ("GET", "/rest/v1/rpc/submit_task?p_prompt=x", {"who": desk.alice}),
        ("GET", "/rest/v1/rpc/sync_tools?p_declarations=[]", {}),
        (
            "POST",
            "/rest/v1/rpc/cancel_task",
            {"json": {"p_task": desk.task}, "headers": {"prefer": "params=single-object"}},
        ),
    ]
    for method, place, sent in attempts:
        answer = await desk.ask(method, place, **sent)
        assert not answer.is_success, (method, place, answer.text)
        assert SECRET not in answer.text
    # It still answers.
    assert (await desk.ask("GET", "/rest/v1/tasks?select=id")).is_success


async def test_no_other_schema_is_reached(desk: Desk) -> None:
    for schema in (
        "private",
        "auth",
        "storage",
        "pg_catalog",
        "information_schema",
        'public"; drop schema private; --',
    ):
        profile = {"accept-profile": schema, "content-profile": schema}
        for method, place, body in (
            ("GET", "/rest/v1/users?select=*", None),
            ("GET", "/rest/v1/objects?select=*", None),
            ("GET", "/rest/v1/schema_version?select=*", None),
            ("GET", "/rest/v1/pg_authid?select=*", None),
            ("POST", "/rest/v1/rpc/my_tenant", {}),
            ("POST", "/rest/v1/rpc/end_task", {"p_task": desk.task}),
            ("POST", "/rest/v1/acting", {"xid": "1", "user_id": str(desk.alice.user_id), "task_id": desk.task}),
        ):
            answer = await desk.ask(method, place, json=body, headers=profile)
            gives_nothing(desk, answer, desk.task + str(desk.alice.user_id))
            if answer.is_success:
                # The header was not heeded, and it was the table of public.
                assert [row["id"] for row in answer.json()] == [str(desk.mallory.user_id)], (schema, place, answer.text)
    for place in ("private.my_tenant", "auth.users", "pg_catalog.pg_authid"):
        assert not (await desk.ask("GET", f"/rest/v1/{place}")).is_success


async def test_no_path_of_storage_leads_to_another_tenant(desk: Desk) -> None:
    (mine,) = desk.owner("select tenant_id::text from public.users where id = %s", desk.mallory.user_id)
    own, theirs = f"{mine['tenant_id']}/{uuid.uuid4()}", desk.file
    up = f"{own}/../../{theirs}"
    encoded = theirs.replace("/", "%2f")
    dotted = "/".join([*own.split("/"), "%2e%2e", "%2e%2e", *theirs.split("/")])
    doubled = theirs.replace("/", "%252f")
    reads = [
        f"{BUCKET}/{path}" for path in (theirs, up, encoded, dotted, doubled, f"/{theirs}", f"./{theirs}", f"{theirs}/")
    ]
    reads += [
        f"public/{BUCKET}/{theirs}",
        f"authenticated/{BUCKET}/{theirs}",
        f"info/{BUCKET}/{theirs}",
        f"sign/{BUCKET}/{theirs}",
    ]
    reads += [f"{BUCKET}/../{BUCKET}/{theirs}", f"x/../{BUCKET}/{theirs}", f"info/public/{BUCKET}/{theirs}"]
    for path in reads:
        for who in (desk.mallory, desk.stack.publishable_key):
            for method in ("GET", "HEAD"):
                answer = await raw(desk, method, f"/storage/v1/object/{path}", who)
                assert not answer.is_success and SECRET not in answer.text, (method, path, answer.text)
    writes = [
        f"{BUCKET}/{path}" for path in (theirs, up, encoded, dotted, doubled, f"{desk.tenant}/{desk.task}/planted")
    ]
    writes += [
        f"{BUCKET}/{own}/.sha256/{'0' * 64}",
        f"{BUCKET}/x",
        f"{BUCKET}/{mine['tenant_id']}/x",
        f"{BUCKET}/{own}/",
    ]
    for path in writes:
        for method in ("POST", "PUT"):
            answer = await raw(
                desk, method, f"/storage/v1/object/{path}", desk.mallory, content=b"x", headers={"x-upsert": "true"}
            )
            assert not answer.is_success, (method, path, answer.text)
    for prefix in ("", "/", desk.tenant, f"{desk.tenant}/", theirs, "%", "../", f"{own}/../../{desk.tenant}"):
        listed = await desk.ask(
            "POST", f"/storage/v1/object/list/{BUCKET}", json={"prefix": prefix, "limit": 1000, "search": ""}
        )
        assert not listed.is_success or listed.json() == [], (prefix, listed.text)
    put = await desk.ask("POST", f"/storage/v1/object/{BUCKET}/{own}/mine.txt", content=b"mine")
    assert put.is_success, put.text
    for place in ("move", "copy"):
        for source, target in (
            (theirs, f"{own}/stolen"),
            (f"{own}/mine.txt", f"{desk.tenant}/{desk.task}/planted"),
            (f"{own}/mine.txt", theirs),
        ):
            body = {"bucketId": BUCKET, "sourceKey": source, "destinationKey": target}
            answer = await desk.ask("POST", f"/storage/v1/object/{place}", json=body, headers={"x-upsert": "true"})
            assert not answer.is_success and SECRET not in answer.text, (place, source, target, answer.text)
    await desk.ask(
        "DELETE", f"/storage/v1/object/{BUCKET}", json={"prefixes": [theirs, "", desk.tenant, f"{desk.tenant}/"]}
    )
    for method, place, sent in (
        ("POST", "", {"id": "mallorys", "name": "mallorys", "public": True}),
        ("PUT", f"/{BUCKET}", {"public": True}),
        ("POST", f"/{BUCKET}/empty", {}),
        ("DELETE", f"/{BUCKET}", None),
    ):
        answer = await desk.ask(method, f"/storage/v1/bucket{place}", json=sent)
        assert not answer.is_success, (method, place, answer.text)
    # As it was before, for the test that looks.
    desk.owner("delete from storage.objects where name like %s", f"{own}/%")


def long_filter(desk: Desk, count: int) -> tuple[int, str]:
    """The status and the body; httpx would not send so long an address."""
    ids = ",".join([desk.conversation, *(str(uuid.UUID(int=number)) for number in range(count))])
    where = httpx.URL(desk.stack.supabase_url)
    connection = http.client.HTTPConnection(where.host, where.port, timeout=60)
    token = desk.mallory.access_token
    headers = {"apikey": desk.stack.publishable_key, "authorization": f"Bearer {token}"}
    try:
        connection.request("GET", f"/rest/v1/conversations?select=id&id=in.({ids})", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (BrokenPipeError, ConnectionResetError):
        return 431, ""
    finally:
        connection.close()


async def raw(desk: Desk, method: str, place: str, who: Session | str, **sent: Any) -> httpx.Response:
    """With the path as it is written: httpx would tidy it."""
    token = who if isinstance(who, str) else who.access_token
    given = {"apikey": desk.stack.publishable_key, "authorization": f"Bearer {token}", **sent.pop("headers", {})}
    url = httpx.URL(desk.stack.supabase_url).copy_with(raw_path=place.encode())
    return await desk.http.request(method, url, headers=given, **sent)


def jwt(claims: dict[str, Any], secret: bytes, alg: str = "HS256") -> str:
    """A token, signed as it says."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    signed = f"{part(json.dumps({'alg': alg, 'typ': 'JWT'}).encode())}.{part(json.dumps(claims).encode())}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest() if secret else b""
    return f"{signed}.{part(signature)}"
