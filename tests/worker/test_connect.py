"""Tools that rows make, in a real worker over the database: an admin takes a server's tools, a model calls them."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio

from agent_runtime.cli.tools_own import take_listing
from agent_runtime.errors import AgentRuntimeError
from agent_runtime.llm.scripted.server import ScriptedServer
from agent_runtime.person.client import Person
from tests.e2e.desk import new_person
from tests.loopback import LOOPBACK
from tests.worker.conftest import DONE, Desk, Office, Row, call, calls, open_desk, working
from tests.worker.test_trial import tried

SERVER = (Path(__file__).resolve().parents[1] / "connect" / "hostile_server.py").read_text()


def config(behaviour: str) -> str:
    command = ["python3", "-I", "-c", SERVER, behaviour]
    return json.dumps({"transport": "stdio", "command": command, "prefix": "probe_server_", "deny": ["secret_*"]})


async def add(desk: Desk, name: str, kind: str, config: str, **columns: Any) -> uuid.UUID:
    """A row of the person's tenant, as the owner of the database writes it."""
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
    given = {
        "name": name, "display_name": name, "description": "For a test.", "category": "custom", "config": config,
        "implementation_type": kind, "taints": True, "outward": False, "is_enabled": True,
        "function_schema": json.dumps({"type": "function", "function": {"name": name, "parameters": parameters}}),
        **columns,
    }  # fmt: skip
    names, places = ", ".join(given), ", ".join(f"%({name})s" for name in given)
    (made,) = await (await desk.connection.execute(
        f"insert into public.tools ({names}, tenant_id)"
        f" select {places}, u.tenant_id from public.users u where u.id = %(user)s returning id",
        given | {"user": desk.user},
    )).fetchall()  # fmt: skip
    found: uuid.UUID = made["id"]
    return found


@pytest_asyncio.fixture
async def tools(desk: Desk) -> AsyncIterator[None]:
    """An agent's tools as they were, and no rows of a test's, after it."""
    (agent,) = await desk.rows("select id, tools_enabled from public.agents where name = 'Asistente General'")
    yield
    await desk.rows("update public.agents set tools_enabled = %s where id = %s", agent["tools_enabled"], agent["id"])


async def give(desk: Desk, *names: str) -> None:
    await desk.rows(
        "update public.agents set tools_enabled = tools_enabled || %s where name = 'Asistente General'", list(names)
    )


async def states(desk: Desk) -> dict[str, bool]:
    rows = await desk.rows("select name, is_enabled from public.tools where config ->> 'server' = 'probe_server'")
    return {row["name"]: row["is_enabled"] for row in rows}


async def asked(model: ScriptedServer) -> list[Row]:
    """What the model was asked, request by request."""
    async with httpx.AsyncClient(**LOOPBACK) as client:
        requests = (await client.get(f"{model.base_url}/scripted/requests")).json()["requests"]
    return [request["body"] for request in requests if request["path"] == "/api/chat"]


async def listing(desk: Desk, office: Office) -> uuid.UUID:
    """The execution of a trial of the server's row."""
    task = await tried(desk, "probe_server")
    await office.work()
    execution = (await desk.executions(task))[0]
    assert execution["status"] == "completed", execution["error_message"]
    found: uuid.UUID = execution["id"]
    return found


async def adopt(desk: Desk, execution: uuid.UUID) -> dict[str, str]:
    rows = await desk.as_person("select * from public.adopt_server_tools(%s)", [execution])
    return {row["name"]: row["change"] for row in rows}


@pytest.mark.usefixtures("tools")
async def test_an_admin_takes_a_servers_tools_and_a_model_calls_them_as_approved(desk: Desk, office: Office) -> None:
    pytest.importorskip("mcp")
    server = await add(desk, "probe_server", "mcp", config("turns"), retry_class="idempotent")
    execution = await listing(desk, office)
    assert await adopt(desk, execution) == {"probe_server_act": "added, disabled"}
    assert await adopt(desk, execution) == {}
    await desk.as_person(
        "select * from public.set_tool((select id from public.tools where name = 'probe_server_act'), true)"
    )
    await give(desk, "probe_server_act")
    model = await office.serve_steps(call("probe_server_act", text="a"), call("probe_server_act", text="b"), DONE)
    task = await desk.submit()
    await office.work()
    first, second, _ = await desk.executions(task)
    assert (first["status"], first["output_result"]["content"]) == ("completed", "done: a")
    # The server changed what it says of its tool after the first call, and the next is refused.
    assert second["status"] == "failed"
    assert "has changed this tool since it was approved" in second["error_message"]
    assert (await desk.task(task))["tainted"]
    # The model is told the approved words, and no others.
    told = json.dumps(await asked(model))
    assert "Its own description, by a stranger: Acts." in told
    assert "kindly" not in told

    # The server describes it otherwise: disabled until an admin enables it. How it is reached is the row's word.
    await desk.rows("update public.tools set config = %s where id = %s", config("words"), server)
    changes = await adopt(desk, await listing(desk, office))
    assert changes == {
        "probe_server_act": "changed, disabled",
        "probe_server_loop": "added, disabled",
        "probe_server_read_file": "added, disabled",
    }
    assert set((await states(desk)).values()) == {False}
    rows = await desk.rows("select config from public.tools where name = 'probe_server_act'")
    assert rows[0]["config"]["connection"]["command"][-1] == "words"
    # What is gone is disabled, and so are all when their server is.
    await desk.rows("update public.tools set is_enabled = true where config ->> 'server' = 'probe_server'")
    await desk.rows('update public.tools set config = config || \'{"allow": ["act"]}\' where id = %s', server)
    assert await adopt(desk, await listing(desk, office)) == {
        "probe_server_loop": "gone, disabled", "probe_server_read_file": "gone, disabled",
    }  # fmt: skip
    assert (await states(desk))["probe_server_act"]
    await desk.as_person("select * from public.set_tool(%s, false)", [server])
    assert set((await states(desk)).values()) == {False}
    await refusals(desk, office, await listing_of_another(desk, office), execution)


async def listing_of_another(desk: Desk, office: Office) -> uuid.UUID:
    """The execution of a trial of the platform's own server, by somebody who is no operator."""
    server = await add(desk, "probe_platform", "mcp", config("turns"))
    task = await tried(desk, "probe_platform")
    await office.work()
    await desk.rows("alter table public.tools disable trigger user")
    await desk.rows("update public.tools set tenant_id = null where id = %s", server)
    await desk.rows("alter table public.tools enable trigger user")
    found: uuid.UUID = (await desk.executions(task))[0]["id"]
    return found


async def refusals(desk: Desk, office: Office, platform: uuid.UUID, execution: uuid.UUID) -> None:
    """Whoever may not change the server's row takes nothing from it, and nothing but a listing is taken."""
    with pytest.raises(psycopg.Error, match="only an operator of the platform"):
        await adopt(desk, platform)
    other = await tried(desk, "file_list")
    await office.work()
    with pytest.raises(psycopg.Error, match="tool file_list is no server of tools"):
        await adopt(desk, (await desk.executions(other))[0]["id"])
    async with open_desk(office.stack) as stranger:
        await stranger.rows("update public.users set role = 'admin' where id = %s", stranger.user)
        with pytest.raises(psycopg.Error, match="there is no tool execution"):
            await adopt(stranger, execution)
    await desk.rows("update public.users set role = 'user' where id = %s", desk.user)
    with pytest.raises(psycopg.Error, match="only an admin of the tenant"):
        await adopt(desk, execution)


@pytest.mark.usefixtures("tools")
async def test_rows_of_every_kind_run_in_a_task(desk: Desk, office: Office) -> None:
    await add(desk, "probe_words", "shell", json.dumps({"command": ["wc", "-w"], "stdin": "{{text}}"}))
    await add(desk, "probe_upper", "python", "{}", implementation_code="print(arguments['text'].upper())")
    await add(desk, "probe_wrong", "api", json.dumps({"url": "https://{{text}}.example"}))
    await add(desk, "probe_file", "python", "{}")
    await give(desk, "probe_words", "probe_upper", "probe_wrong", "probe_file")
    turn = calls(
        call("probe_words", text="one two; id"), call("probe_upper", text="ñandú"), call("probe_upper", txt="x"),
        call("probe_wrong", text="a"), call("probe_file", text="a"),
    )  # fmt: skip
    model = await office.serve_steps(turn, DONE)
    task = await desk.submit()
    await office.work()
    words, upper, unknown, wrong, file, _ = await desk.executions(task)
    assert words["output_result"]["content"] == "3"
    assert upper["output_result"]["content"] == "ÑANDÚ"
    assert "'txt' is not one of its arguments" in unknown["error_message"]
    assert "placeholders in its path and query alone; only an administrator can mend it" in wrong["error_message"]
    assert "not installed on this worker" in file["error_message"]
    names = {tool["function"]["name"] for tool in (await asked(model))[0]["tools"]}
    assert {"probe_words", "probe_upper"} <= names
    assert not {"probe_wrong", "probe_file"} & names


async def test_a_server_is_refreshed_by_command(desk: Desk, office: Office) -> None:
    pytest.importorskip("mcp")
    session = await new_person(office.stack, "refresher")
    desk.user = uuid.UUID(str(session.user_id))
    await add(desk, "probe_refreshed", "mcp", json.dumps(json.loads(config("answers")) | {"prefix": "probe_r_"}))
    await add(desk, "probe_dead", "mcp", config("ends_at_once"))
    await desk.rows("update public.users set role = 'admin' where id = %s", desk.user)
    async with Person(session, keep=False) as person, working(office):
        (change,) = await take_listing(person, "probe_refreshed", enable=True)
        assert (change["name"], change["change"]) == ("probe_r_act", "added, enabled")
        assert change["description"].endswith("Its own description, by a stranger: Acts.")
        assert (await person.platform.tool("probe_r_act")).is_enabled
        assert await take_listing(person, "probe_refreshed", enable=True) == []
        with pytest.raises(AgentRuntimeError, match=r"probe_dead was not listed: .*could not be reached"):
            await take_listing(person, "probe_dead", enable=False)
