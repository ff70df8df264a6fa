"""Pictures of each screen of the web UI for docs/images/ui: light, dark and as on a phone. `make screenshots` runs it.

Brings up a stack of its own in a temporary folder, lets the stand-in do real work there, leads a few tasks by hand into
the states that do not last (an approval that waits, a question, a running step), and looks at every screen in Chromium.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console
from rich.progress import Progress

from agent_runtime.cli.watch import follow_as
from agent_runtime.local.stack import Stack
from agent_runtime.person.client import Person
from agent_runtime.person.session import Session
from agent_runtime.toolbox.browser import find_chromium
from tests.e2e.desk import new_person, take, worker_connection
from tests.ui.conftest import DESKTOP, FLAGS, PHONE, Site, serving

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images" / "ui"
Connection = psycopg.AsyncConnection[dict[str, Any]]


@dataclass(frozen=True)
class Scene:
    """What there is to be seen."""

    site: Site
    person: Session
    finished: UUID
    running: UUID
    approval: UUID
    report: str


@dataclass(frozen=True)
class Shot:
    """One screen: where it is, and what has to be on it before the picture is taken."""

    name: str
    path: Callable[[Scene], str]
    shows: str
    signed_in: bool = True
    do: Callable[[Page], Awaitable[object]] | None = None


async def main() -> int:
    """Take them all. 0 when each screen showed what it had to."""
    program = find_chromium()
    if program is None:
        print("there is no Chromium: apt-get install chromium", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="agent-runtime-screenshots-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # noqa: ASYNC240 - one call, before anything runs
        async with (
            Stack(folder / "stack", look_for_ollama=False, durable=False) as stack,
            serving(stack) as (url, server),
        ):
            scene = await _prepare(Site(stack, url, server))
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
                missing = await _take_all(browser, scene)
                await browser.close()
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0


async def _prepare(site: Site) -> Scene:
    stack = site.stack
    session = await new_person(stack, "ana")
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(
            "update users set role = 'admin', is_operator = true, full_name = 'Ana Ruiz' where id = %s",
            [session.user_id],
        )
        owner.execute(
            "insert into agents (name, description, system_prompt, model_name, tools_enabled, is_public) values"
            " ('Careful', 'Asks before it runs a command', 'Ask first.', 'default', '{shell_exec,file_read}', true)"
        )
    async with Person(session, keep=False) as ana:
        worker = await stack.start_worker()
        finished = await ana.submit("What do these rentals show?", [ROOT / "examples" / "bike-rentals.csv"])
        summary = await ana.submit("Summarise how durable a task is", [ROOT / "docs" / "durability.md"])
        for task in (finished, summary):
            await follow_as(ana, task.id, as_json=True)
        await worker.stop()
        async with await worker_connection(stack) as connection:
            approval = await _an_approval(ana, connection)
            await _a_question(ana, connection)
            await _what_ended_otherwise(ana, connection)
            running = await _a_running_step(ana, connection)
        files = await ana.files(finished.id)
    report = next(str(file.id) for file in files if file.filename == "report.md")
    return Scene(site, session, finished.id, running, approval, report)


async def _an_approval(person: Person, worker: Connection) -> UUID:
    task = await person.submit("Publish the report on our server", agent="Careful", priority=4)
    work = await take(worker, task.id)
    await work.do("plan_set", effect=_plan("Check the report", "Copy it to the server", "Confirm"))
    await work.turn(
        _call("shell_exec", command="rsync -av report.md deploy@server.example:/srv/www/reports/"),
        content="The report is checked. I would now copy it to the server, which replaces the one of last month.",
    )
    await work.suspend("approval")
    return task.id


async def _a_question(person: Person, worker: Connection) -> None:
    task = await person.submit("Compare the two offers and recommend one", priority=3)
    work = await take(worker, task.id)
    await work.do("message_ask", {"question": "Does the price matter more to you than the delivery time?"})
    await work.suspend("answer")


async def _what_ended_otherwise(person: Person, worker: Connection) -> None:
    task = await person.submit("Fetch yesterday's exchange rates", priority=2)
    work = await take(worker, task.id)
    await work.settle("failed", error="limit steps reached: 100 of 100 used")
    await person.cancel((await person.submit("Translate the whole archive")).id)


async def _a_running_step(person: Person, worker: Connection) -> UUID:
    task = await person.submit("Profile the log files of this week and chart the errors per hour")
    work = await take(worker, task.id)
    await work.do("plan_set", effect=_plan("Read the logs", "Count errors", "Draw the chart", "Write the report"))
    await work.do("file_list", {"path": "."})
    await work.do("plan_advance", effect={"kind": "plan_advance"})
    (execution,) = await work.turn(
        _call("shell_exec", command="python3 count_errors.py logs/ --per hour"), content="Now the errors of each hour."
    )
    await work.start(execution)
    return task.id


def _plan(*phases: str) -> dict[str, Any]:
    return {"kind": "plan", "phases": list(phases)}


def _call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


SHOTS = [
    Shot("sign-in", lambda _: "/tasks", "h1", signed_in=False),
    Shot("tasks", lambda _: "/tasks", "text=Publish the report"),
    Shot("task-live", lambda scene: f"/tasks/{scene.running}", "text=count_errors"),
    Shot("task-finished", lambda scene: f"/tasks/{scene.finished}", "text=report.md"),
    Shot("replay", lambda scene: f"/tasks/{scene.finished}/replay", "role=slider"),
    Shot("approvals", lambda _: "/approvals", "text=rsync"),
    Shot("files", lambda _: "/files", "text=report.md"),
    Shot("file", lambda scene: f"/tasks/{scene.finished}/files/{scene.report}", "text=revenue_eur"),
    Shot("admin-agents", lambda _: "/admin/agents", "text=Careful"),
    Shot("admin-tools", lambda _: "/admin/tools", "text=shell_exec"),
    Shot("admin-people", lambda _: "/admin/people", "text=ana-"),
    Shot("admin-configuration", lambda _: "/admin/configuration", "text=default_model"),
    Shot("admin-audit", lambda _: "/admin/audit", "text=tasks"),
    Shot("admin-health", lambda _: "/admin/health", "role=heading"),
]

LOOKS = [("light", "light", DESKTOP), ("dark", "dark", DESKTOP), ("phone", "light", PHONE)]


async def _take_all(browser: Browser, scene: Scene) -> list[str]:
    missing = []
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("Screens", total=len(SHOTS) * len(LOOKS))
        for look, theme, viewport in LOOKS:
            for shot in SHOTS:
                person = scene.person if shot.signed_in else None
                page = await scene.site.open(browser, person, shot.path(scene), theme=theme, viewport=viewport)
                try:
                    await page.locator(shot.shows).first.wait_for()
                    await page.wait_for_load_state("networkidle", timeout=3_000)
                except Exception as error:  # the page lacks what it has to show, or is never quiet
                    if "networkidle" not in str(error):
                        missing.append(f"{shot.name} ({look}): {str(error).splitlines()[0]}")
                await page.screenshot(path=IMAGES / f"{shot.name}-{look}.png", animations="disabled")
                await page.context.close()
                progress.advance(bar)
    return missing


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    sys.exit(asyncio.run(main()))
