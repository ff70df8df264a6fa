"""What the workbench shows of each kind of tool: real runs of harbour/run.yaml and of examples/wide-research.yaml."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import yaml
from psycopg.types.json import Jsonb

from agent_runtime.cli.watch import follow_as
from agent_runtime.person.client import Person
from agent_runtime.person.session import Session
from tests.e2e.desk import new_person
from tests.ui.conftest import Site, open_site

ROOT = Path(__file__).parents[1]
HARBOUR = Path(__file__).with_name("harbour")
"""A small made-up site and the model's script."""

SCRIPTS = (HARBOUR / "run.yaml", ROOT / "examples" / "wide-research.yaml")
TOOLS = (
    "web_fetch", "http_request", "browser_navigate", "browser_type", "browser_screenshot", "shell_exec", "python_exec",
    "file_grep", "file_write", "spawn_tasks", "retry_tasks", "task_complete",
)  # fmt: skip
# A picture's name, the call it is of (the last of that tool), and what has to be on it.
VIEWS = (
    ("tool-web-page", "web_fetch", "text=## Berths for guests"),
    ("tool-http", "http_request", "text=tides"),
    ("tool-browser", "browser_screenshot", "role=img"),
    ("tool-terminal", "shell_exec", "text=Publish the figures"),
    ("tool-python", "python_exec", "role=img"),
    ("tool-search", "file_grep", "text=tides.json"),
    ("tool-children", "retry_tasks", "role=table"),
)


@dataclass(frozen=True)
class Toolbox:
    """Where the runs are: the screen of each view, by its picture's name, with what it shows."""

    site: Site
    person: Session
    screens: dict[str, tuple[str, str]]


@asynccontextmanager
async def open_toolbox(folder: Path) -> AsyncIterator[Toolbox]:
    """A stack of its own with a worker, in which the runs have ended."""
    turns = [turn for script in SCRIPTS for turn in yaml.safe_load(script.read_text("utf-8"))["turns"]]
    models = yaml.safe_load(SCRIPTS[0].read_text("utf-8"))["models"]
    both = folder / "toolbox.yaml"
    both.write_text(yaml.safe_dump({"models": models, "turns": turns}, allow_unicode=True), "utf-8")
    with _harbour() as address:
        async with open_site(folder / "toolbox", script=both, worker=True) as site:
            session = await new_person(site.stack, "ana")
            _permit(site, session, address)
            async with Person(session, keep=False) as person:
                tasks = [
                    await person.submit(prompt, agent="Harbour master")
                    for prompt in (f"When can we enter the harbour at http://{address}", "Look into these 25 cities")
                ]
                with contextlib.redirect_stdout(io.StringIO()):
                    for task in tasks:
                        await follow_as(person, task.id, as_json=True)
            calls = _calls(site, [task.id for task in tasks])
            yield Toolbox(
                site,
                session,
                {
                    name: (f"/tasks/{calls[tool][0]}?call={calls[tool][1]}&part=workbench", shows)
                    for name, tool, shows in VIEWS
                },
            )


def _permit(site: Site, session: Session, address: str) -> None:
    """An agent with these tools that may reach the made-up site, which is on this machine."""
    permissions = [
        {"tool": tool, "destination": address} for tool in ("http_request", "browser_navigate", "browser_type")
    ]
    with psycopg.connect(site.stack.database_url) as owner:
        owner.execute(
            "update tools set is_enabled = true, requires_confirmation = false where name = any(%s)", [list(TOOLS)]
        )
        owner.execute(
            "insert into agents"
            " (name, system_prompt, model_name, tools_enabled, standing_permissions, outward_permissions, is_public)"
            " values ('Harbour master', 'Help those who come by sea.', 'default', %s, %s, %s, true)",
            [list(TOOLS), ["shell_exec", "python_exec"], Jsonb(permissions)],
        )
        owner.execute(
            "update tenants set settings = settings || %s where id = (select tenant_id from users where id = %s)",
            [Jsonb({"allow_hosts": [address]}), session.user_id],
        )


def _calls(site: Site, tasks: list[UUID]) -> dict[str, tuple[UUID, UUID]]:
    """Task and execution of the last call of each tool."""
    with psycopg.connect(site.stack.database_url) as owner:
        rows = owner.execute(
            "select t.name, e.task_id, e.id from tool_executions e join tools t on t.id = e.tool_id"
            " where e.task_id = any(%s) order by e.started_at",
            [tasks],
        ).fetchall()
    return {tool: (task, call) for tool, task, call in rows}


@contextmanager
def _harbour() -> Iterator[str]:
    """The made-up site; its host and port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Pages, directory=str(HARBOUR))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


class _Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return
