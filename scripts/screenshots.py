"""Pictures of each screen of the web UI for docs/images/ui: light, dark and as on a phone. `make screenshots` runs it.

Brings up a stack of its own in a temporary folder, lets the stand-in do real work there, leads a few tasks by hand into
the states that do not last (an approval that waits, a question, a running step), and looks at every screen in Chromium;
then another stack, where toolbox_pictures.py has each kind of tool used. With names, only these: `… tool-python`.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from playwright.async_api import Browser, async_playwright
from playwright.async_api import Error as BrowserError
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.progress import Progress

from agent_runtime.cli.watch import follow_as
from agent_runtime.local.stack import Stack
from agent_runtime.person.client import Person
from agent_runtime.person.session import Session
from agent_runtime.toolbox.browser.chromium import find_chromium
from scripts.toolbox_pictures import VIEWS, open_toolbox
from tests.e2e.desk import new_person, take, worker_connection
from tests.ui.conftest import DESKTOP, FLAGS, PHONE, Site, serving
from tests.ui.telling import advanced, planned, told

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images" / "ui"
Connection = psycopg.AsyncConnection[dict[str, Any]]


PERMISSIONS = [
    {"tool": "http_request", "destination": "api.example.org"},
    {"tool": "http_request", "destination": "named by the person", "bound": ["json_body"]},
]


@dataclass(frozen=True)
class Scene:
    """What there is to be seen."""

    site: Site
    person: Session
    finished: UUID
    running: UUID
    approval: UUID
    """The call that waits."""
    agent: UUID
    report: str
    moment: int
    """An event in the middle of the finished run."""


@dataclass(frozen=True)
class Shot:
    """One screen: where it is, and what has to be on it before the picture is taken."""

    name: str
    path: Callable[[Scene], str]
    shows: str
    signed_in: bool = True


async def main() -> int:
    """Take them all. 0 when each screen showed what it had to."""
    program = find_chromium()
    if program is None:
        print("there is no Chromium: apt-get install chromium-headless-shell", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="agent-runtime-screenshots-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # noqa: ASYNC240 - one call, before anything runs
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
            missing = await _of_the_screens(browser, folder) + await _of_the_toolbox(browser, folder)
            await browser.close()
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0


async def _of_the_screens(browser: Browser, folder: Path) -> list[str]:
    shots = [shot for shot in SHOTS if _wanted(shot.name)]
    if not shots:
        return []
    async with (
        Stack(folder / "stack", look_for_ollama=False, durable=False) as stack,
        serving(stack) as (url, server),
    ):
        scene = await _prepare(Site(stack, url, server))
        screens = [
            Screen(shot.name, shot.path(scene), shot.shows, scene.person if shot.signed_in else None) for shot in shots
        ]
        return await _take_all(browser, scene.site, screens)


async def _of_the_toolbox(browser: Browser, folder: Path) -> list[str]:
    if not any(_wanted(name) for name, _, _ in VIEWS):
        return []
    async with open_toolbox(folder) as toolbox:
        screens = [
            Screen(name, path, shows, toolbox.person)
            for name, (path, shows) in toolbox.screens.items()
            if _wanted(name)
        ]
        return await _take_all(browser, toolbox.site, screens)


def _wanted(name: str) -> bool:
    return not sys.argv[1:] or name in sys.argv[1:]


async def _prepare(site: Site) -> Scene:
    stack = site.stack
    session = await new_person(stack, "ana")
    with psycopg.connect(stack.database_url) as owner:
        owner.execute(
            "update users set role = 'admin', is_operator = true, full_name = 'Ana Ruiz' where id = %s",
            [session.user_id],
        )
        owner.execute(
            "insert into agents (name, description, system_prompt, model_name, tools_enabled, outward_permissions,"
            " is_public) values ('Careful', 'Asks before it runs a command', 'Ask first.', 'default',"
            " '{shell_exec,file_read,http_request,web_fetch}', %s, true)",
            [Jsonb(PERMISSIONS)],
        )
    async with Person(session, keep=False) as ana:
        worker = await stack.start_worker()
        finished = await ana.submit("What do these rentals show?", [ROOT / "examples" / "bike-rentals.csv"])
        summary = await ana.submit("Summarise how durable a task is", [ROOT / "docs" / "durability.md"])
        with contextlib.redirect_stdout(io.StringIO()):
            for task in (finished, summary):
                await follow_as(ana, task.id, as_json=True)
        await worker.stop()
        async with await worker_connection(stack) as connection:
            approval = await _an_approval(ana, connection)
            await _a_question(ana, connection)
            await _what_ended_otherwise(ana, connection)
            running = await _a_running_step(ana, connection)
        # In place of the hands that led those tasks, a worker that says how it is.
        with psycopg.connect(stack.database_url) as owner:
            owner.execute("delete from workers where host = 'test'")
        await stack.start_worker()
        files = await ana.files(finished.id)
        events = await ana.events(finished.id)
    with psycopg.connect(stack.database_url) as owner:
        (agent,) = owner.execute("select id from agents where name = 'Careful'").fetchone() or (None,)
    assert agent is not None
    report = next(str(file.id) for file in files if file.filename == "report.md")
    moment = events[len(events) // 2].id
    return Scene(site, session, finished.id, running, approval, agent, report, moment)


async def _an_approval(person: Person, worker: Connection) -> UUID:
    """The call's id."""
    task = await person.submit("Publish the report on our server", agent="Careful", priority=4)
    work = await take(worker, task.id)
    await planned(work, "Check the report", "Copy it to the server", "Confirm")
    (execution,) = await work.turn(
        {"name": "shell_exec", "arguments": {"command": "rsync -av report.md deploy@server.example:/srv/www/reports/"}},
        content="The report is checked. I would now copy it to the server, which replaces the one of last month.",
    )
    await work.suspend("approval")
    return UUID(execution)


async def _a_question(person: Person, worker: Connection) -> None:
    task = await person.submit("Compare the two offers and recommend one", priority=3)
    work = await take(worker, task.id)
    await told(work, "message_ask", {"question": "Does the price matter more to you than the delivery time?"}, "asked")
    await work.suspend("answer")


async def _what_ended_otherwise(person: Person, worker: Connection) -> None:
    task = await person.submit("Fetch yesterday's exchange rates", priority=2)
    work = await take(worker, task.id)
    await work.settle("failed", error="limit steps reached: 100 of 100 used")
    await person.cancel((await person.submit("Translate the whole archive")).id)


async def _a_running_step(person: Person, worker: Connection) -> UUID:
    task = await person.submit("Chart this week's errors per hour from the log files")
    work = await take(worker, task.id)
    await planned(work, "Read the logs", "Count the errors", "Draw the chart", "Write the report")
    listing = "logs/api.log 4.1 MB\nlogs/worker.log 2.7 MB\nlogs/web.log 1.2 MB"
    await told(work, "file_list", {"path": "logs"}, listing, says="I see what is there first.")
    await advanced(work)
    counted = "exit code 0\nstdout:\n" + "\n".join(f"{hour:02}:00 {count:5}" for hour, count in _ERRORS)
    command = {"command": "python3 count_errors.py logs/ --per hour"}
    await told(work, "shell_exec", command, counted, {"exit_code": 0}, says="Now the errors of **each hour**.")
    await advanced(work)
    script = "import csv\n\nfrom chart import bars\n\nbars(csv.DictReader(open('errors.csv')), 'errors.svg')\n"
    arguments = {"path": "draw.py", "content": script}
    (execution,) = await work.turn(
        {"name": "file_write", "arguments": arguments}, content="Most errors fall between 9 and 11. I draw them."
    )
    await work.start(execution)
    return task.id


_ERRORS = [(7, 12), (8, 31), (9, 240), (10, 388), (11, 197), (12, 44), (13, 29), (14, 18)]


SHOTS = [
    Shot("sign-in", lambda _: "/tasks", "h1", signed_in=False),
    Shot("tasks", lambda _: "/tasks", "text=Publish the report"),
    Shot("task-live", lambda scene: f"/tasks/{scene.running}", "text=draw.py"),
    Shot("task-finished", lambda scene: f"/tasks/{scene.finished}", "text=report.md"),
    Shot("replay", lambda scene: f"/tasks/{scene.finished}/replay?at={scene.moment}", "role=slider"),
    Shot("approvals", lambda scene: f"/approvals/{scene.approval}", "text=rsync"),
    Shot("files", lambda _: "/files", "text=report.md"),
    Shot("file", lambda scene: f"/tasks/{scene.finished}/files/{scene.report}", "text=revenue_eur"),
    Shot("admin-agents", lambda _: "/admin/agents", "text=Careful"),
    Shot("admin-agent", lambda scene: f"/admin/agents/{scene.agent}", "text=named by the person"),
    Shot("admin-tools", lambda _: "/admin/tools", "text=shell_exec"),
    Shot("admin-people", lambda _: "/admin/people", "text=ana-"),
    Shot("admin-configuration", lambda _: "/admin/configuration", "text=default_model"),
    Shot("admin-audit", lambda _: "/admin/audit", "text=tasks"),
    Shot("admin-health", lambda _: "/admin/health", "role=heading"),
]

LOOKS = [("light", "light", DESKTOP), ("dark", "dark", DESKTOP), ("phone", "light", PHONE)]


@dataclass(frozen=True)
class Screen:
    """A shot that is ready to be taken."""

    name: str
    path: str
    shows: str
    person: Session | None


async def _take_all(browser: Browser, site: Site, screens: list[Screen]) -> list[str]:
    missing = []
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("Screens", total=len(screens) * len(LOOKS))
        for look, theme, viewport in LOOKS:
            for screen in screens:
                page = await site.open(browser, screen.person, screen.path, theme=theme, viewport=viewport)
                try:
                    await page.locator(screen.shows).first.wait_for()
                    await page.locator(screen.shows).first.scroll_into_view_if_needed()
                except BrowserError as error:
                    missing.append(f"{screen.name} ({look}): {str(error).splitlines()[0]}")
                # A screen with a live stream is never quiet.
                with contextlib.suppress(BrowserError):
                    await page.wait_for_load_state("networkidle", timeout=1_500)
                await page.screenshot(path=IMAGES / f"{screen.name}-{look}.png", animations="disabled")
                await page.context.close()
                progress.advance(bar)
    return missing


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    sys.exit(asyncio.run(main()))
