"""How long a task with 10,000 events takes to open, how it scrolls, and how its replay seeks, in a real Chromium."""

from __future__ import annotations

import json
from typing import Any, Literal
from uuid import UUID

import httpx
import psycopg
from playwright.async_api import Browser, async_playwright
from psycopg.conninfo import make_conninfo

from agent_runtime.errors import ConfigError
from agent_runtime.local.cluster import DATABASE
from agent_runtime.local.first_user import sign_in_first_user
from agent_runtime.local.stack import Stack
from agent_runtime.local.state_file import read_state
from agent_runtime.toolbox.browser.chromium import find_chromium
from agent_runtime.web.assets import find_bundle
from bench.postgres import open_folder
from bench.report import Line, Report, Steps

EVENTS = 10_000
OPEN_MS = 1_000.0
FRAME_MS = 50.0
SEEK_MS = 100.0

HOW = (
    "A signed-in Chromium opens a task of {events:,} events (2,000 steps of a message, a call and its result) from "
    "`agent-runtime serve`, with nothing in its cache. Came: from the navigation until the last event of the backlog "
    "was received. Shown: from then until the end of the timeline stands there with its arguments and results read. "
    "Scrolled: upwards by 150 px in each frame, 400 frames, rows read meanwhile. Replay: the scrubber is moved to ten "
    "moments all over the run; each until the frame after it, with that moment drawn, has passed."
)

WATCH = """(() => {
  const marks = window.__marks = { longest: 0, tasks: 0 }
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) {
      marks.longest = Math.max(marks.longest, one.duration)
      marks.tasks += 1
    }
  }).observe({ type: 'longtask', buffered: true })
  const real = window.fetch
  window.fetch = async (...asked) => {
    const answer = await real(...asked)
    if (!String(asked[0]).startsWith('/live/')) return answer
    const reader = answer.body.getReader(), decoder = new TextDecoder()
    const passed = new ReadableStream({
      async pull(way) {
        const { done, value } = await reader.read()
        if (done) return way.close()
        way.enqueue(value)
        if (decoder.decode(value, { stream: true }).includes('event: caught_up')) marks.came ??= performance.now()
      },
      cancel: reason => reader.cancel(reason),
    })
    return new Response(passed, { status: answer.status, headers: answer.headers })
  }
})()"""

SHOWN = """events => {
  const task = document.querySelector('.run'), frame = document.querySelector('.timeline')
  if (!task || !frame || Number(task.dataset.received) < events) return false
  const bottom = frame.getBoundingClientRect().bottom
  const last = [...frame.querySelectorAll('.call')].filter(call => call.getBoundingClientRect().top < bottom).at(-1)
  if (!last || !last.querySelector('.call-preview')) return false
  window.__marks.shown ??= performance.now()
  return true
}"""

SCROLL = """() => new Promise(done => {
  const frame = document.querySelector('.timeline'), times = []
  let before = performance.now(), empty = 0
  window.__marks.longest = window.__marks.tasks = 0
  const step = now => {
    times.push(now - before)
    before = now
    const box = frame.getBoundingClientRect()
    const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)
    if (!at?.closest('.timeline-line')) empty += 1
    frame.scrollTop -= 150
    if (times.length < 400) requestAnimationFrame(step)
    else done({ times: times.slice(1), empty, longest: window.__marks.longest, tasks: window.__marks.tasks })
  }
  requestAnimationFrame(step)
})"""

SEEK = """async () => {
  const range = document.querySelector('.scrubber-range'), times = []
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set
  for (let at = 1; at <= 10; at++) {
    const began = performance.now()
    set.call(range, String((Number(range.max) * ((at * 7) % 11)) / 11))
    range.dispatchEvent(new Event('input', { bubbles: true }))
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)))
    times.push(performance.now() - began)
  }
  return times
}"""


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds."""
    program = find_chromium()
    if program is None or find_bundle() is None:
        raise ConfigError(
            "there is no Chromium: apt-get install chromium-headless-shell" if program is None else "run: make ui"
        )
    rounds, events = (1, 500) if quick else (5, EVENTS)
    steps.expect(rounds)
    found: list[dict[str, float]] = []
    async with open_folder() as folder, Stack(folder / "stack", look_for_ollama=False, durable=False) as stack:
        url = (await stack.start_web()).url
        session = await _session(stack)
        task = await fill(stack, session, events)
        async with async_playwright() as playwright:
            for _ in range(rounds):
                browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                found.append(await opened(browser, f"{url}/tasks/{task}", session, events))
                await browser.close()
                steps.done()
    return Report("the timeline of a long task", HOW.format(events=events), _lines(found))


async def opened(browser: Browser, url: str, session: dict[str, Any], events: int) -> dict[str, float]:
    """One visit."""
    context = await browser.new_context(locale="en-US", viewport={"width": 1360, "height": 860})
    try:
        kept = json.dumps(json.dumps(session))
        await context.add_init_script(f"localStorage.setItem('agent-runtime.session', {kept})")
        await context.add_init_script(WATCH)
        page = await context.new_page()
        await page.goto(url)
        await page.wait_for_function(SHOWN, arg=events, polling="raf", timeout=120_000)
        marks = await page.evaluate("window.__marks")
        scrolled = await page.evaluate(SCROLL)
        times = sorted(scrolled["times"])
        await page.goto(f"{url}/replay")
        # The step of the first moment stands there when the whole run was read.
        await page.locator(".player-where", has_text="0").wait_for(timeout=120_000)
        sought = sorted(await page.evaluate(SEEK))
        return {
            "came": marks["came"],
            "shown": max(0.0, marks["shown"] - marks["came"]),
            "long_opening": marks["longest"],
            "frame": times[len(times) // 2],
            "frame95": times[int(0.95 * len(times))],
            "long_scrolling": scrolled["longest"],
            "empty": float(scrolled["empty"]),
            "sought": sought[len(sought) // 2],
            "sought_longest": sought[-1],
        }
    finally:
        await context.close()


def _lines(found: list[dict[str, float]]) -> list[Line]:
    def line(what: str, key: str, unit: Literal["ms", ""] = "ms", limit: float | None = None) -> Line:
        return Line(what, unit, [one[key] for one in found], limit=limit)

    return [
        line("came", "came"),
        line("shown after that", "shown", limit=OPEN_MS),
        line("longest task of the page while opening", "long_opening"),
        line("scrolled: a frame, median", "frame"),
        line("scrolled: a frame, p95", "frame95", limit=FRAME_MS),
        line("scrolled: longest task of the page", "long_scrolling"),
        line("scrolled: frames without a row in the middle, of 400", "empty", ""),
        line("replay: to any moment, median", "sought", limit=SEEK_MS),
        line("replay: to any moment, longest", "sought_longest"),
    ]


async def _session(stack: Stack) -> dict[str, Any]:
    url, key = stack.supabase_url, stack.publishable_key
    await sign_in_first_user(stack.folder.first_user, supabase_url=url, publishable_key=key)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(
            f"{url}/auth/v1/token?grant_type=password",
            json=read_state(stack.folder.first_user),
            headers={"apikey": key},
        )
    session: dict[str, Any] = answer.raise_for_status().json()
    return session


async def fill(stack: Stack, session: dict[str, Any], events: int) -> UUID:
    """A task of the session's person with so many events, put in by plain SQL: five events are a step."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(
            f"{stack.supabase_url}/rest/v1/rpc/submit_task",
            json={"p_prompt": "Work through two thousand files"},
            headers={"apikey": stack.publishable_key, "Authorization": f"Bearer {session['access_token']}"},
        )
    row = answer.raise_for_status().json()
    task = UUID((row[0] if isinstance(row, list) else row)["id"])
    superuser = make_conninfo(stack.postgres.superuser_conninfo, dbname=DATABASE)
    async with await psycopg.AsyncConnection.connect(superuser) as connection:
        begun = await (
            await connection.execute("select count(*) from task_events where task_id = %s", [task])
        ).fetchone()
        assert begun is not None
        # Triggers would make the events one by one; what they make is written here.
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(_FILL, {"task": task, "steps": -(-(events - begun[0]) // 5)})
    return task


_FILL = """
with t as (select * from tasks where id = %(task)s),
n as (select n, gen_random_uuid() as said, gen_random_uuid() as execution, gen_random_uuid() as result
      from generate_series(1, %(steps)s) n),
said as (
  insert into messages (id, conversation_id, task_id, tenant_id, owner_id, role, content, metadata, seq)
  select n.said, t.conversation_id, t.id, t.tenant_id, t.user_id, 'assistant',
         case when n.n %% 5 = 0 then 'I look at file ' || n.n || ', **then** I go on with the next one.' else '' end,
         jsonb_build_object('step', n.n), 1000 + 2 * n.n
  from t, n
),
results as (
  insert into messages (id, conversation_id, task_id, tenant_id, owner_id, role, content, metadata, seq)
  select n.result, t.conversation_id, t.id, t.tenant_id, t.user_id, 'tool',
         'exit code 0' || E'\\nstdout:\\n' || repeat('line of output ' || n.n || E'\\n', 1 + n.n %% 20),
         jsonb_build_object('step', n.n, 'execution_id', n.execution), 1001 + 2 * n.n
  from t, n
),
executions as (
  insert into tool_executions (id, task_id, tool_id, message_id, input_parameters, output_result, status,
                               execution_time_ms, completed_at, tenant_id, owner_id, tool_call_id, step, call_index,
                               input_digest)
  select n.execution, t.id, o.id, n.said, jsonb_build_object('command', 'wc -l files/' || n.n || '.csv'),
         '{"exit_code": 0}', 'completed', 7 * n.n %% 4000, now(), t.tenant_id, t.user_id, 'call_0', n.n, 0,
         md5(n.n::text)
  from t, n, tools o where o.name = 'shell_exec'
)
insert into task_events (task_id, tenant_id, owner_id, kind, payload)
select t.id, t.tenant_id, t.user_id, k.kind, k.payload
from t, n, lateral (values
  (1, 'message.created', jsonb_build_object('message_id', n.said, 'seq', 1000 + 2 * n.n, 'role', 'assistant',
                                            'step', n.n)),
  (2, 'execution.status', jsonb_build_object('execution_id', n.execution, 'tool', 'shell_exec', 'status', 'pending',
                                             'step', n.n, 'call_index', 0)),
  (3, 'execution.status', jsonb_build_object('execution_id', n.execution, 'tool', 'shell_exec', 'status', 'running',
                                             'step', n.n, 'call_index', 0)),
  (4, 'execution.status', jsonb_build_object('execution_id', n.execution, 'tool', 'shell_exec', 'status', 'completed',
                                             'step', n.n, 'call_index', 0, 'execution_time_ms', 7 * n.n %% 4000)),
  (5, 'message.created', jsonb_build_object('message_id', n.result, 'seq', 1001 + 2 * n.n, 'role', 'tool', 'step', n.n))
) as k (part, kind, payload)
order by n.n, k.part
"""
