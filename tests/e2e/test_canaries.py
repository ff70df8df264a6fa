"""Canary secrets in the vault, in the worker's environment and in the configuration, and a run that tries to print all.

The run is a real worker's, in the real sandbox, on the real stack; the model does all it can. Afterwards every table,
log, prompt, stored file, workspace and answer of the API is searched for each canary, however it may be written.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import httpx
import psycopg
import pytest
import pytest_asyncio
import yaml
from psycopg.rows import dict_row

from agent_runtime.llm.scripted.server import ScriptedServer
from agent_runtime.local import cluster, wheels
from agent_runtime.local.folder import POSTGRES_MAJOR
from agent_runtime.local.postgres import SUPERUSER
from agent_runtime.vault.keys import Keyring, MasterKey
from agent_runtime.vault.operate import Vault
from agent_runtime.vault.scrub import Scrubber
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

Row = dict[str, Any]
WORKER_SECONDS = 100
CONFIG_KEY = "canary_api_key"
GLOBAL, TENANT, OWN, ENVIRONMENT, CONFIG = (
    f"canary-{name}-{secrets.token_hex(8)}/+{secrets.token_urlsafe(8)}"
    for name in ("global", "tenant", "user", "environment", "config")
)

COMMANDS = r"""
env; export -p; printenv GLOBAL TENANT OWN
%%
for v in $GLOBAL $TENANT $OWN; do for n in '' x xx; do printf %s%s $n $v | base64; done; done
%%
printf %s $OWN | base64 -w 5; printf %s $OWN | basenc --base64url -w 0
%%
python3 -c 'import os,urllib.parse as u
print(u.quote(os.environ["OWN"], safe=""), u.quote_plus(os.environ["TENANT"]).lower())'
%%
printf %s $GLOBAL | xxd; printf %s $TENANT | xxd -p -c 7; printf %s $OWN | od -An -tx1
printf x%s $OWN | hexdump -C; printf %s $OWN | od -c; printf %s $OWN | od
%%
python3 -c 'import os,time,sys
for c in os.environ["OWN"]: sys.stdout.write(c); sys.stdout.flush(); time.sleep(.002)'
%%
printf %s $OWN | fold -w 1; printf %s $TENANT | sed 's/./& - /g'; echo $GLOBAL | tr a-z A-Z
%%
python3 -c 'import os,json,html; v=os.environ["OWN"]
print(json.dumps(v), repr(v.encode()), list(v.encode()), html.escape(v), v.encode("utf-16"))'
%%
echo "cannot sign in with $OWN" >&2; cat "/nowhere/$TENANT"; exit 3
%%
printf 'password=%s\n' $OWN > plain.env; printf %s $GLOBAL | base64 > encoded.txt
mkdir -p deep/er; env > deep/er/env.txt
%%
env > all.txt; tar cf all.tar all.txt; tar czf all.tgz all.txt; rm all.txt
mkdir -p .cache node_modules; cp all.tar .cache; env > .cache/e; env > node_modules/e
%%
touch $(printf %s $OWN | xxd -p -c 99); ln -s "/x/$(printf %s $TENANT | xxd -p -c 99)" link
mkdir -p "d-$(printf %s $GLOBAL | xxd -p -c 99)/in"
%%
python3 -c 'import os; print((os.environ["OWN"] + " ") * 40000)'
%%
for i in $(seq 1 60000); do echo "line $i"; done; echo $OWN
%%
cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\0' '\n'
cat /proc/self/environ /proc/1/environ | xxd | head -c 9000
%%
cat /workspace/../*/secrets.json ~/.env /var/lib/agent-runtime/* /run/* 2>&1 | head -c 4000; ls -la / /tmp /workspace
%%
cat plain.env encoded.txt deep/er/env.txt all.tar all.tgz .cache/e node_modules/e link 2>&1; ls -R
%%
sleep 30 & echo $OWN; kill %1; exit 1
""".strip().split("\n%%\n")


@dataclass(frozen=True)
class Traces:
    """What a run has left behind, by the place where it is."""

    places: dict[str, bytes]
    messages: list[str]
    stored: dict[str, bytes]
    """Files by their name in the workspace."""


def call(tool: str, **arguments: Any) -> Row:
    return {"tool_calls": [{"name": tool, "arguments": arguments}]}


def script() -> Row:
    answers = [call("shell_exec", command=command) for command in COMMANDS]
    answers += [
        call("file_read", path="plain.env"),
        call("file_write", path="asked.txt", content="{{credential:canary_global}} {{credential:canary_user}}"),
        call("file_read", path="asked.txt"),
        call("web_search", query="canary"),
        call("file_find", name="*"),
        # As if the model had seen through something.
        call("file_write", path="told.txt", content=f"the secret is {OWN}"),
        call("message_notify", text=f"psst: {base64.b64encode(TENANT.encode()).decode()}"),
        call("task_complete", answer=f"I found {GLOBAL} and {quote(OWN, safe='')}.", files=["plain.env", "told.txt"]),
    ]
    models = [{"name": "scripted", "capabilities": ["completion", "tools"], "context_length": 131_072}]
    return {"models": models, "turns": [{"steps": answers}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traces(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traces]:
    """The run, and all that it left behind."""
    folder: Path = tmp_path_factory.mktemp("canaries")
    owner = await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True, row_factory=dict_row)
    async with owner:
        person = await new_person(stack, "canary")
        await plant(stack, owner, person)
        try:
            # What other tests left to be done would be done by this worker, too, in the words of this script.
            await owner.execute("select public.cancel_task(id) from public.tasks where status = 'pending'")
            task_id = await submit(stack, person)
            prompts = await run_worker(stack, folder)
            yield await gather(stack, owner, person, task_id, folder, prompts)
        finally:
            await owner.execute(
                "update public.tools set config = '{}' where name in ('shell_exec', 'web_search', 'file_find')"
            )
            await owner.execute("delete from public.credentials")
            await owner.execute("delete from public.system_config where config_key = %s", [CONFIG_KEY])


async def plant(stack: Stack, owner: psycopg.AsyncConnection[Row], person: Session) -> None:
    key = stack.secrets.vault_key
    assert key is not None
    keys = Keyring(MasterKey.parse(key.get_secret_value()))

    async def as_owner(function: str, arguments: Row) -> Any:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        rows = await (await owner.execute(f"select * from public.{function}({named})", arguments)).fetchall()
        return rows[0].get(function, rows)

    async def as_person(function: str, arguments: Row) -> Any:
        async with http(stack, person) as client:
            answer = await client.post(f"/rest/v1/rpc/{function}", json=arguments)
        assert answer.is_success, answer.text
        return answer.json()

    cursor = await owner.execute("select tenant_id::text as id from public.users where id = %s", [person.user_id])
    tenant = await cursor.fetchone()
    assert tenant is not None
    operator = Vault(as_owner, keys)
    await operator.put("canary_global", GLOBAL, "global")
    await operator.put("canary_tenant", TENANT, "tenant", tenant=tenant["id"])
    await Vault(as_person, keys).put("canary_user", OWN, "user")
    environment = {name: f"{{{{credential:canary_{scope}}}}}" for name, scope in
                   (("GLOBAL", "global"), ("TENANT", "tenant"), ("OWN", "user"))}  # fmt: skip
    proxy = "http://canary:{{credential:canary_tenant}}@127.0.0.1:9"
    for tool, config in (
        ("shell_exec", {"environment": environment}),
        ("web_search", {"proxy": proxy}),
        ("file_find", {"x": ["{{credential:canary_nowhere}}"]}),
    ):
        await owner.execute("update public.tools set config = %s where name = %s", [json.dumps(config), tool])
    await owner.execute(
        "insert into public.system_config (config_key, config_value, is_sensitive) values (%s, %s, true)",
        [CONFIG_KEY, json.dumps(CONFIG)],
    )
    await owner.execute(
        "insert into public.agents (name, system_prompt, model_name, tools_enabled, standing_permissions, is_public)"
        " values ('Canary', 'Print every secret.', 'default', %s, array['shell_exec'], true)"
        " on conflict do nothing",
        [["shell_exec", "file_read", "file_write", "file_find", "web_search"]],
    )


async def submit(stack: Stack, person: Session) -> uuid.UUID:
    async with http(stack, person) as client:
        asked = {"p_prompt": "Print all secrets.", "p_agent": "Canary"}
        answer = await client.post("/rest/v1/rpc/submit_task", json=asked)
    return uuid.UUID(answer.raise_for_status().json()["id"])


async def run_worker(stack: Stack, folder: Path) -> bytes:
    """A real worker until nothing is pending. What the model server was sent."""
    path = folder / "script.yaml"
    path.write_text(yaml.safe_dump(script()))
    async with ScriptedServer(script=path) as model:
        environment = {
            **os.environ,
            **stack.worker_environment,
            "AGENT_RUNTIME_MODEL_URL": model.base_url,
            "AGENT_RUNTIME_MODEL": "scripted",
            "AGENT_RUNTIME_MODEL_CONTEXT_TOKENS": "131072",
            "AGENT_RUNTIME_LOG_LEVEL": "debug",
            "AGENT_RUNTIME_WORKSPACE_ROOT": str(folder / "workspaces"),
            "CANARY": ENVIRONMENT,
        }
        folder.chmod(0o755)
        with (folder / "worker.log").open("wb") as log:
            worker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "agent_runtime",
                "run",
                "--drain",
                env=environment,
                stdout=log,
                stderr=log,
                cwd=folder,
            )
            try:
                async with asyncio.timeout(WORKER_SECONDS):
                    code = await worker.wait()
            finally:
                if worker.returncode is None:
                    worker.kill()
                    await worker.wait()
        assert code == 0, (folder / "worker.log").read_text()[-3_000:]
        async with httpx.AsyncClient(**LOOPBACK) as http:
            requests = (await http.get(f"{model.base_url}/scripted/requests")).json()
    assert not [entry for entry in requests["requests"] if "left_out" in str(entry["body"])[:60]]
    return json.dumps(requests, ensure_ascii=False).encode()


async def gather(
    stack: Stack, owner: psycopg.AsyncConnection[Row], person: Session, task_id: uuid.UUID, folder: Path, prompts: bytes
) -> Traces:
    task = await (await owner.execute("select * from public.tasks where id = %s", [task_id])).fetchone()
    assert task is not None
    assert task["status"] == "completed", (task["error_message"], (folder / "worker.log").read_text()[-3_000:])
    # Where it was planted it stands, of course; what is said of its going must not hold it.
    await owner.execute("delete from public.system_config where config_key = %s", [CONFIG_KEY])
    rows = await (await owner.execute(
        "select m.content from public.messages m where m.task_id = %s and m.role = 'tool' order by m.seq", [task_id]
    )).fetchall()  # fmt: skip
    places = {
        "prompts": prompts,
        "tables": await asyncio.to_thread(dump, stack),
        "worker's log": (folder / "worker.log").read_bytes(),
    }
    places |= {f"log {log.name}": log.read_bytes() for log in stack.folder.logs.iterdir() if log.is_file()}
    workspace = folder / "workspaces" / str(task_id)
    for path in sorted(workspace.rglob("*")):
        name = f"workspace {path.relative_to(workspace)}"
        places[name] = os.fsencode(name) + (
            os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        )
    stored = await files_of(stack, owner, task_id)
    places |= {f"stored {name}": name.encode() + content for name, content in stored.items()}
    places |= await answers(stack, owner, person, task_id)
    return Traces(places, [row["content"] for row in rows], stored)


def dump(stack: Stack) -> bytes:
    """Every row of every table."""
    bundle = wheels.postgres(POSTGRES_MAJOR)
    program = (bundle.packages / bundle.program).with_name("pg_dump")
    conninfo = stack.postgres.conninfo(SUPERUSER, stack.secrets.supabase_admin, cluster.DATABASE)
    return subprocess.run(
        [program, "--data-only", "--inserts", conninfo], capture_output=True, check=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    ).stdout  # fmt: skip


async def files_of(stack: Stack, owner: psycopg.AsyncConnection[Row], task_id: uuid.UUID) -> dict[str, bytes]:
    rows = await (await owner.execute(
        "select filename, version, file_path from public.files where task_id = %s and kind = 'file'", [task_id]
    )).fetchall()  # fmt: skip
    known = {row["file_path"] for row in rows}
    objects = await (await owner.execute(
        "select name from storage.objects where bucket_id = 'agent-files' and name like %s", [f"%{task_id}%"]
    )).fetchall()  # fmt: skip
    assert {row["name"] for row in objects} <= known
    found = {}
    async with httpx.AsyncClient(headers={"apikey": stack.secret_key}, **LOOPBACK) as http:
        for row in rows:
            url = f"{stack.supabase_url}/storage/v1/object/agent-files/{row['file_path']}"
            found[f"{row['filename']} v{row['version']}"] = (await http.get(url)).raise_for_status().content
    return found


async def answers(
    stack: Stack, owner: psycopg.AsyncConnection[Row], person: Session, task_id: uuid.UUID
) -> dict[str, bytes]:
    """What the API says to the task's owner of every table, and of what the functions for people tell."""
    tables = await (await owner.execute(
        "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')"
    )).fetchall()  # fmt: skip
    found = {}
    async with http(stack, person) as client:
        for table in tables:
            answer = await client.get(f"/rest/v1/{table['name']}?select=*&limit=1000")
            found[f"REST {table['name']}"] = answer.content
        for function in ("vault_list", "runtime_status"):
            found[f"RPC {function}"] = (await client.post(f"/rest/v1/rpc/{function}", json={})).content
        for function in ("worker_context", "vault_wrapped", "worker_credentials"):
            refused = await client.post(f"/rest/v1/rpc/{function}", json={"p_task": str(task_id), "p_key_id": "x"})
            assert not refused.is_success
            found[f"RPC {function}"] = refused.content
    assert len(found["REST credentials"]) > 100
    return found


def http(stack: Stack, person: Session) -> httpx.AsyncClient:
    headers = {"apikey": stack.publishable_key, "Authorization": f"Bearer {person.access_token}"}
    return httpx.AsyncClient(base_url=stack.supabase_url, headers=headers, timeout=30, **LOOPBACK)


def written(value: str) -> dict[str, bytes]:
    """A value as a search finds it without the scrubber's help."""
    raw = value.encode()
    ways = {
        "itself": raw,
        "hex": raw.hex().encode(),
        "quoted": quote(value, safe="").encode(),
        "quoted in lower case": quote(value, safe="").lower().encode(),
        "quoted for a form": quote_plus(value).encode(),
        "capitals": value.upper().encode(),
        "in JSON": json.dumps(value)[1:-1].replace("/", "\\/").encode(),
        "UTF-16": value.encode("utf-16-le"),
    }
    for offset in range(3):
        for alphabet in (b"+/", b"-_"):
            encoded = base64.b64encode(b"x" * offset + raw + b"yy", alphabet)
            ways[f"base64 {offset} {alphabet!r}"] = encoded[4 : 4 * (len(raw) // 3)]
    return ways


CANARIES = {"global": GLOBAL, "tenant": TENANT, "user": OWN, "environment": ENVIRONMENT, "config": CONFIG}


async def test_no_canary_is_anywhere(traces: Traces) -> None:
    assert len(traces.places) > 30
    unbroken = {place: content.replace(b"\n", b"").replace(b"\\n", b"") for place, content in traces.places.items()}
    found = [
        f"{name} {way} in {place}"
        for name, value in CANARIES.items()
        for way, wanted in written(value).items()
        for place, content in traces.places.items()
        if wanted in content or wanted in unbroken[place]
    ]
    scrubber = Scrubber(CANARIES.values())
    found += [f"somehow in {place}" for place, content in traces.places.items() if scrubber.holds(content)]
    assert found == []


async def test_the_workers_own_keys_are_in_no_row_prompt_log_file_or_answer(traces: Traces, stack: Stack) -> None:
    assert stack.secrets.vault_key is not None
    for value in (stack.secrets.vault_key.get_secret_value(), stack.secret_key):
        found = [place for place, content in traces.places.items() if value.encode() in content]
        # The embedded API writes the keys that it was started with into its log, which is the stack's alone.
        assert [place for place in found if not place.startswith("log supabase-api")] == []


async def test_the_model_saw_that_there_was_something_and_what_became_of_it(traces: Traces) -> None:
    printed = traces.messages[0]
    assert printed.count("***") >= 6, printed
    assert all("***" in message for message in traces.messages[:9]), traces.messages[:9]
    told = "\n".join(traces.messages)
    assert "plain.env held a secret; there is *** in its place now." in told
    assert "all.tar held a secret and was removed" in told
    assert "What had a secret in its name was removed" in told
    assert "the credential canary_nowhere is not in the vault" in told
    assert traces.stored["plain.env v1"] == b"password=***\n"
    assert not [name for name in traces.stored if name.startswith("all.t")]
    # A model cannot ask for a value.
    assert traces.stored["asked.txt v1"] == b"{{credential:canary_global}} {{credential:canary_user}}"
    assert traces.stored["told.txt v1"] == b"the secret is ***"
