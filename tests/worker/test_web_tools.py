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
        urls = [f"http://{host}/echo" for host in (opened, closed, api)]
        made = [call(name, url=url) for name in ("web_fetch", "http_request") for url in urls]
        await office.serve_steps(calls(*made), DONE)
        task = await desk.submit(agent=agent)
        await office.work()
        executions = (await desk.executions(task))[: len(made)]
    assert [row["status"] for row in executions] == ["completed", "failed", "failed"] * 2
    for fetched, refused, own in (executions[:3], executions[3:]):
        assert "GET /echo HTTP/1.1" in fetched["output_result"]["content"]
        assert "is not a public address" in refused["error_message"]
        assert "belongs to the runtime itself" in own["error_message"]
    assert foreign.heads == []
    await desk.rows("update public.agents set is_active = false where name = %s", agent)
