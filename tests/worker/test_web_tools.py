"""What a run's tools reach of the network: what the operator opened for its tenant, and never the runtime itself."""

from __future__ import annotations

import json
import uuid
from urllib.parse import urlsplit

from tests.hostile.site import site
from tests.worker.conftest import DONE, Desk, Office, call, calls


async def test_a_tenants_hosts_reach_its_tools_and_the_runtimes_own_ports_stay_closed(
    desk: Desk, office: Office
) -> None:
    agent = f"Reader {uuid.uuid4().hex}"
    await desk.rows(
        "insert into public.agents (name, system_prompt, model_name, tools_enabled, is_public)"
        " values (%s, 'Look.', 'default', array['web_fetch', 'http_request'], true)",
        agent,
    )
    settings = office.settings()
    api = urlsplit(str(settings.supabase_url)).netloc
    async with site() as ours, site() as foreign:
        opened, closed = f"127.0.0.1:{ours.port}", f"127.0.0.1:{foreign.port}"
        await desk.rows(
            "update public.tenants set settings = settings || jsonb_build_object('allow_hosts', %s::jsonb)"
            " where id = (select tenant_id from public.users where id = %s)",
            json.dumps([opened, api]), desk.user,
        )  # fmt: skip
        made = [call("web_fetch", url=f"http://{host}/echo") for host in (opened, closed, api)]
        await office.serve_steps(calls(*made), DONE)
        reading = await desk.submit(agent=agent)
        await office.work()
        # A task of its own: one that has read something from outside asks before it sends.
        await office.serve_steps(calls(call("http_request", url=f"http://{api}/echo", method="POST", body="x")), DONE)
        sending = await desk.submit(agent=agent)
        await office.work()
        executions = (await desk.executions(reading))[:3] + (await desk.executions(sending))[:1]
    assert [row["status"] for row in executions] == ["completed", "failed", "failed", "failed"]
    fetched, refused, *own = executions
    assert "GET /echo HTTP/1.1" in fetched["output_result"]["content"]
    assert "is not a public address" in refused["error_message"]
    for row in own:
        assert "belongs to the runtime itself" in row["error_message"]
    assert foreign.heads == []
    await desk.rows("update public.agents set is_active = false where name = %s", agent)
