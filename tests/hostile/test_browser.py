"""The browser tool with a real Chromium: it reads pages, and reaches nothing that it must not."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.browser.chromium import REMEDY, find_chromium
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.workspace import Workspace

PAGES = {
    "/": """<title>First &amp; only</title><body><h1>Hello</h1><p id=a>static</p><p hidden>unseen</p>
        <a href="/next">Next page</a><a href="javascript:alert(1)">no</a>
        <script>document.getElementById('a').textContent = 'made by a script'</script>""",
    "/loads": """<body><p id=fetch>waiting</p><p id=socket>waiting</p>outer
        <iframe src='http://127.0.0.1:PRIVATE/secret'></iframe><script>
        const say = (id, word) => () => document.getElementById(id).textContent = `${id} ${word}`;
        fetch('http://127.0.0.1:PRIVATE/secret', {mode: 'no-cors'})
            .then(say('fetch', 'answered'), say('fetch', 'refused'));
        const s = new WebSocket('ws://127.0.0.1:PRIVATE/secret');
        s.onerror = say('socket', 'refused')</script>""",
    "/script-redirect": "<body>here<script>location = 'http://127.0.0.1:PRIVATE/secret'</script>",
    "/endless": "<body>before",
    "/control": "<body>a&#0;b\x1b[31mc",
    "/secret": "<body>hunter2",
}


class Site:
    """Two servers on loopback: one that the tests allow, and one that they do not; the second counts its visitors."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        self.private = self._serve(private=True)
        self.allowed = self._serve(private=False)

    def _serve(self, private: bool) -> ThreadingHTTPServer:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if private:
                    site.visits.append(self.path)
                if self.path == "/redirect":
                    self.send_response(302)
                    self.send_header("Location", f"http://127.0.0.1:{site.private.server_port}/secret")
                    self.end_headers()
                    return
                if self.path == "/download":
                    self.send_response(200)
                    self.send_header("Content-Disposition", "attachment; filename=a.bin")
                    self.end_headers()
                    self.wfile.write(b"bytes")
                    return
                page = PAGES.get(self.path)
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((page or "<body>gone").replace("PRIVATE", str(site.private.server_port)).encode())
                if self.path == "/endless":
                    self.wfile.flush()
                    closing.wait(20)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server


closing = threading.Event()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    closing.set()
    for server in (made.allowed, made.private):
        server.shutdown()
        server.server_close()


Open = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def visit(site: Site, tmp_path: Path) -> Open:
    tool = Registry.load().get("browser_navigate")
    assert tool is not None

    async def go(path: str, *, timeout_seconds: float = 30, allowed: bool = True) -> Outcome:
        host = f"127.0.0.1:{site.allowed.server_port}"
        context = ToolContext(
            task_id=uuid.uuid4(),
            execution_id=uuid.uuid4(),
            workspace=Workspace.create(tmp_path / "workspace"),
            sandbox=Refused("not needed"),
            timeout_seconds=timeout_seconds,
            output_limit_bytes=32_768,
            config={"allow_hosts": [host]} if allowed else {},
        )
        url = path if ":" in path else f"http://{host}{path}"
        return await execute(tool, {"url": url}, context)

    return go


@pytest.fixture(autouse=True)
def chromium() -> None:
    if find_chromium() is None:
        pytest.fail(f"these tests need a Chromium: {REMEDY}", pytrace=False)


async def test_a_page_is_read_as_a_person_sees_it_with_its_links(visit: Open, site: Site) -> None:
    outcome = await visit("/")
    assert outcome.status == "completed", outcome.content
    base = f"http://127.0.0.1:{site.allowed.server_port}"
    assert f"URL: {base}/\n" in outcome.content
    assert "title: First & only" in outcome.content
    assert "made by a script" in outcome.content
    assert "unseen" not in outcome.content
    assert f"- Next page: {base}/next" in outcome.content
    assert "javascript:" not in outcome.content
    assert outcome.data == {"url": f"{base}/", "status": 200, "links": 1}


async def test_a_missing_page_is_a_failure_with_its_status(visit: Open) -> None:
    outcome = await visit("/nowhere")
    assert outcome.status == "failed"
    assert "status: 404" in outcome.content


async def test_loopback_is_refused_unless_allowed_by_name_and_port(visit: Open, site: Site) -> None:
    site.visits.clear()
    for path in ("/", f"http://127.0.0.1:{site.private.server_port}/", f"http://localhost:{site.private.server_port}/"):
        outcome = await visit(path, allowed=path != "/")
        assert outcome.status == "failed"
        assert "is refused: 127.0.0.1 is not a public address" in outcome.content or "::1" in outcome.content
    assert site.visits == []


@pytest.mark.parametrize("path", ["/redirect", "/script-redirect"])
async def test_a_redirect_to_a_private_address_is_refused(visit: Open, site: Site, path: str) -> None:
    site.visits.clear()
    outcome = await visit(path)
    assert "hunter2" not in outcome.content
    assert outcome.status == "failed"
    assert "is not a public address" in outcome.content
    assert site.visits == []


async def test_what_a_page_loads_from_a_private_address_is_refused(visit: Open, site: Site) -> None:
    site.visits.clear()
    outcome = await visit("/loads")
    # All three were tried. Chromium hides from a page whether it was the site that answered or what refused it.
    assert "waiting" not in outcome.content
    assert "socket refused" in outcome.content
    assert "outer" in outcome.content
    assert "hunter2" not in outcome.content
    assert site.visits == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///etc/passwd", "must begin with http"),
        ("javascript:alert(1)", "must begin with http"),
        ("http://", "name a host"),
        ("http://user:secret@example.com/", "user name or password"),
        ("https://no-such-host.invalid/", "cannot be resolved"),
        ("http://169.254.169.254/latest/meta-data/", "not a public address"),
        ("http://[::ffff:127.0.0.1]/", "not a public address"),
        ("http://0x7f.1:22/", "not a public address|ERR_UNSAFE_PORT"),
    ],
)
async def test_an_address_that_cannot_be_opened_is_said_with_the_reason(visit: Open, url: str, problem: str) -> None:
    outcome = await visit(url)
    assert outcome.status == "failed"
    assert any(part in outcome.content for part in problem.split("|")), outcome.content
    assert "\n" not in outcome.content


async def test_a_download_is_said_to_be_one(visit: Open) -> None:
    outcome = await visit("/download")
    assert outcome.status == "failed"
    assert "download" in outcome.content


async def test_control_characters_of_a_page_reach_nobody(visit: Open) -> None:
    outcome = await visit("/control")
    assert "\x1b" not in outcome.content
    assert "\0" not in outcome.content


async def test_of_a_page_that_never_ends_what_is_there_is_read(visit: Open) -> None:
    outcome = await visit("/endless", timeout_seconds=16)
    assert outcome.status == "completed"
    assert "before" in outcome.content


async def test_a_visit_stopped_or_cancelled_at_any_moment_leaves_no_process(visit: Open) -> None:
    for seconds in (0.05, 0.4, 1.2):
        running = asyncio.ensure_future(visit("/endless"))
        await asyncio.sleep(seconds)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert _processes() == set()
    outcome = await visit("/endless", timeout_seconds=3)
    assert outcome.status == "failed"
    assert "longer than 1 seconds" in outcome.content
    assert _processes() == set()


def _processes() -> set[int]:
    """Processes of a browser or its driver that this test's calls started, zombies included."""
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and b"agent-runtime-browser-" in (entry / "environ").read_bytes():
                found.add(int(entry.name))
    return found
