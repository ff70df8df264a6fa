"""The browser tools with a real Chromium on a local site: what they do, what pages do to them, what they never reach.

One browser for all of it, as a run has one; what must begin without one has its own.
"""

from __future__ import annotations

import asyncio
import re
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.browser.chromium import REMEDY, find_chromium
from agent_runtime.toolbox.browser.confined import BROWSER_UID, ways
from agent_runtime.toolbox.browser.session import KEY, Browser
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.sandbox.identity import is_root
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.workspace import Workspace
from tests.hostile.browser_pages import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMIT_BYTES = 3_000_000


class Hands:
    """A run that calls browser tools as the executor does."""

    def __init__(self, site: Site, workspace: Workspace, *, allowed: bool = True) -> None:
        self.site = site
        self.sessions = Sessions()
        self.workspace = workspace
        self.config = {"allow_hosts": [site.host, site.other_host, site.secure]} if allowed else {}
        self.registry = Registry.load()
        self.vision = False

    async def call(self, tool: str, limit_seconds: float = 60, **arguments: Any) -> Outcome:
        """What `browser_<tool>` gave."""
        found = self.registry.get(f"browser_{tool}")
        assert found is not None
        context = ToolContext(
            task_id=uuid.uuid4(),
            execution_id=uuid.uuid4(),
            workspace=self.workspace,
            sandbox=Refused("not needed"),
            timeout_seconds=limit_seconds,
            output_limit_bytes=found.output_limit_bytes,
            config=self.config,
            vision=self.vision,
            sessions=self.sessions,
            file_limit_bytes=LIMIT_BYTES,
        )
        return await execute(found, arguments, context)

    async def open(self, path: str, **more: Any) -> str:
        outcome = await self.call("navigate", url=path if ":" in path else f"http://{self.site.host}{path}", **more)
        assert outcome.status == "completed", outcome.content
        return outcome.content

    async def act(self, tool: str, seen: str, what: str, *, on: str | None = None, **arguments: Any) -> str:
        """Do it with the element that `seen` describes so; what the page shows then."""
        outcome = await self.call(tool, element=number(seen, what), on=on or self.site.host, **arguments)
        assert outcome.status == "completed", outcome.content
        return outcome.content

    async def until(self, text: str, seen: str) -> str:
        """All that is shown until the text is there: what a page starts may come after the call's answer."""
        last = seen
        for _ in range(100):
            if text in seen:
                return seen
            last = (await self.call("wait", seconds=0.3)).content
            seen += last
        raise AssertionError(f"no {text} in:\n{last}")

    @property
    def browser(self) -> Browser:
        found = self.sessions.find(KEY, Browser)
        assert found is not None
        return found


def number(seen: str, what: str) -> int:
    """Of the element that is described so."""
    found = re.search(rf"\[(\d+)\] {re.escape(what)}", seen)
    assert found, f"no {what} in:\n{seen}"
    return int(found[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if find_chromium() is None:
        pytest.fail(f"these tests need a Chromium: {REMEDY}", pytrace=False)
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hands(site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hands]:
    made = Hands(site, Workspace.create(tmp_path_factory.mktemp("run") / "workspace"))
    yield made
    await made.sessions.close_all()
    assert processes() == {}


async def test_a_page_is_shown_in_its_order_with_numbered_elements(hands: Hands) -> None:
    seen = await hands.open("/")
    assert f"URL: http://{hands.site.host}/\ntitle: First & only\nstatus: 200\n" in seen
    for line in ("# Hello", "made by a script", "City | Rides", "Madrid | 12", "- one"):
        assert line in seen.splitlines()
    # What looks like a number of ours is none.
    assert f'See [1] link "the next page" <http://{hands.site.host}/next> , (99) of them.' in seen
    assert "unseen" not in seen
    assert seen.index("Hello") < seen.index("[1]") < seen.index('[2] link "no"') < seen.index("Madrid")
    await hands.act("click", seen, "link", dialogs="dismiss")
    again = await hands.call("back")
    # Another document: other numbers, so that none of the old ones can be mistaken.
    assert number(again.content, 'link "the next page"') > 2
    assert (await hands.call("view")).data["elements"] == 2
    missing = await hands.call("navigate", url=f"http://{hands.site.host}/nowhere")
    assert (missing.status, "status: 404" in missing.content) == ("failed", True)


async def test_a_form_is_filled_in_and_sent(hands: Hands) -> None:
    site = hands.site
    hands.workspace.write_bytes("my paper.txt", b"the paper")
    seen = await hands.open("/form")
    assert 'password "secret" (7 characters, not shown)' in seen
    assert "hunter2" not in seen
    assert 'button "Later" (disabled)' in seen
    seen = await hands.act("type", seen, 'textbox "E-mail"', text="ana@example.org")
    seen = await hands.act("type", seen, 'textbox "words"', text=" there", clear=False)
    seen = await hands.act("type", seen, 'date "day"', text="2026-01-31")
    seen = await hands.act("select", seen, 'select "size"', options=["l"])
    seen = await hands.act("select", seen, 'select "tags"', options=["red", "Green"])
    seen = await hands.act("click", seen, 'checkbox "I agree"')
    assert 'select "size" = "L" (options: S, M, L)' in seen
    assert 'select "tags" = "red, green"' in seen
    assert 'checkbox "I agree" (checked' in seen
    for tool, what, arguments, problem in (
        ("select", 'select "size"', {"options": ["XL"]}, "'XL' is not in the list; it offers 'S', 'M', 'L'"),
        ("type", 'select "size"', {"text": "M"}, "takes no text"),
        ("click", 'select "size"', {}, "browser_select"),
        ("click", 'button "Later"', {}, "is disabled as the page is now"),
        ("click", 'file "paper"', {}, "browser_upload"),
        ("type", 'date "day"', {"text": "tomorrow"}, "it wants 2026-01-31"),
    ):
        refused = await hands.call(tool, element=number(seen, what), on=site.host, **arguments)
        assert (refused.status, problem in refused.content) == ("failed", True), refused.content
        assert 'checkbox "I agree"' in refused.content
    seen = await hands.act("type", seen, 'date "day"', text="2026-01-31")
    # By the field, by the button that asks, and after the page has asked.
    seen = await hands.act("upload", seen, 'file "paper"', files=["my paper.txt"])
    assert 'file "paper" = "my paper.txt"' in seen
    seen = await hands.act("upload", seen, 'button "Choose a paper"', files=["my paper.txt"])
    asked = await hands.act("click", seen, 'button "Choose a paper"')
    assert await hands.until("note: the page asks for a file", asked)
    seen = (await hands.call("upload", files=["my paper.txt"], on=site.host)).content
    for path, problem in (("/etc/passwd", "outside the workspace"), ("none.txt", "does not exist")):
        assert problem in (await hands.call("upload", files=[path], on=site.host, element=1)).content
    seen = await hands.act("type", seen, 'textbox "E-mail"', press="Enter")
    assert await hands.until("thank you", seen)
    body = site.sent[-1]
    for value in (b"ana@example.org", b"hi there", b"2026-01-31", b"\r\nl\r\n", b"green", b"agrees", b"the paper"):
        assert value in body, value


async def test_a_number_that_is_stale_or_on_another_host_is_refused_with_the_present_view(hands: Hands) -> None:
    site = hands.site
    old = await hands.open("/form")
    seen = await hands.open("/list")
    cancel = number(seen, 'button "Cancel"')
    seen = await hands.act("click", seen, 'button "Swap"')
    assert number(seen, 'button "Delete all"') == cancel
    seen = await hands.act("click", seen, 'button "Vanish"')
    for stale in (number(old, 'button "Send"'), 9_999, number(seen, 'button "Swap"') + 1):
        refused = await hands.call("click", element=stale, on=site.host)
        assert refused.status == "failed"
        assert f"[{stale}] is stale" in refused.content
        assert 'button "Delete all"' in refused.content
    # A node that became another thing after it was shown.
    cancel = number(await hands.open("/list"), 'button "Cancel"')
    site.go.set()
    assert await asyncio.to_thread(site.swapped.wait, 60)
    refused = await hands.call("click", element=cancel, on=site.host)
    assert f"[{cancel}] is stale: it is gone or became something else" in refused.content
    assert f'[{cancel}] button "Delete all"' in refused.content
    refused = await hands.call("click", element=cancel, on="example.com")
    assert f"the element is on {site.host}, not on example.com; nothing was done" in refused.content
    frames = await hands.open("/frames")
    order = ["above", f"frame of {site.other_host}:", 'button "Pay"', "end of the frame", 'button "Inside"', "below"]
    assert [frames.index(piece) for piece in order] == sorted(frames.index(piece) for piece in order)
    refused = await hands.call("click", element=number(frames, 'button "Pay"'), on=site.host)
    assert f"is on {site.other_host}" in refused.content
    paid = await hands.act("click", frames, 'button "Pay"', on=site.other_host)
    assert 'button "paid"' in paid
    # A frame without an address belongs to the page around it.
    assert "title: pressed" in await hands.act("click", paid, 'button "Inside"')


async def test_dialogs_are_answered_and_told(hands: Hands) -> None:
    seen = await hands.open("/dialogs")
    assert 'a dialog (alert): "Hi there"; it was dismissed' in await hands.act("click", seen, 'button "Alert"')
    assert "refused" in await hands.act("click", seen, 'button "Confirm"')
    assert "agreed" in await hands.act("click", seen, 'button "Confirm"', dialogs="accept")
    named = await hands.act("click", seen, 'button "Prompt"', dialogs="accept", prompt_text="Ana")
    assert "name Ana" in named
    await hands.act("click", seen, 'button "Hold"')
    left = await hands.act("click", seen, 'link "away"')
    assert "note: the page asked whether to leave it, and was left" in left
    assert "title: Next" in left
    seen = await hands.open("/dialogs")
    storm = await hands.call("click", element=number(seen, 'button "Storm"'), on=hands.site.host)
    assert await hands.until("over 10 dialogs, and its tab was closed", storm.content)
    assert "title: Next" in await hands.open("/next")


async def test_windows_become_the_current_tab(hands: Hands) -> None:
    seen = await hands.open("/windows")
    opened = await hands.until("tab: 2 of 2", await hands.act("click", seen, 'link "new tab"'))
    assert "note: a new tab was opened and is the current one: tab 2" in opened
    assert f"tab: 2 of 2; the others: 1 http://{hands.site.host}/windows" in opened
    assert "title: Windows" in (await hands.call("tabs", tab=1)).content
    seen = await hands.until("title: Closes", await hands.act("click", seen, 'button "Closes"'))
    closed = await hands.until("title: Next", await hands.act("click", seen, 'button "Close me"'))
    assert "note: the tab closed itself; the newest of the others is the current one" in closed
    assert "there is no tab 7; there are 2" in (await hands.call("tabs", tab=7)).content
    await hands.call("tabs", tab=1)
    flooded = await hands.call("click", element=number(seen := (await hands.call("view")).content, 'button "Flood"'),
                               on=hands.site.host)  # fmt: skip
    assert "10 tabs are open" in await hands.until("10 tabs are open", flooded.content)
    for _ in range(9):
        last = await hands.call("tabs", tab=2, close=True)
    assert last.data["tabs"] == 1
    assert "title: Windows" in last.content


async def test_downloads_land_in_the_workspace(hands: Hands) -> None:
    site, read = hands.site, hands.workspace.read_bytes
    seen = await hands.open("/files")
    saved = "downloaded: downloads/my file.bin (5 bytes)"
    assert saved in await hands.until(saved, await hands.act("click", seen, 'link "a file"'))
    assert read("downloads/my file.bin") == b"bytes"
    assert await hands.until("downloaded: downloads/made.txt", await hands.act("click", seen, 'button "Make"'))
    assert read("downloads/made.txt") == b"made here"
    direct = await hands.call("navigate", url=f"http://{site.host}/file")
    assert (direct.status, direct.data["downloads"]) == ("completed", ["downloads/my file-2.bin"])
    # Saved, though the browser would show it.
    picture = await hands.call("download", url=f"http://{site.host}/picture")
    assert picture.data["downloads"] == ["downloads/picture.png"], picture.content
    assert read("downloads/picture.png").startswith(b"\x89PNG")
    document = await hands.call("navigate", url=f"http://{site.host}/document.pdf")
    assert document.data["downloads"] == ["downloads/document.pdf"]
    page = await hands.call("download", url=f"http://{site.host}/next")
    assert b"<h1>Next" in read(page.data["downloads"][0])
    endless = await hands.call("download", url=f"http://{site.host}/endless-file")
    assert f"limit file_upload_max_size reached: it is over {LIMIT_BYTES} bytes and was stopped" in endless.content
    for path, problem in (
        ("/nowhere", "the server answered with status 404"),
        ("/redirect", "is not a public address"),
        ("/loop", "it redirects in a circle"),
    ):
        refused = await hands.call("download", url=f"http://{site.host}{path}")
        assert (refused.status, problem in refused.content) == ("failed", True), refused.content
    assert "title: Files" in (await hands.call("view")).content
    assert site.visits == []


async def test_long_late_and_huge_pages(hands: Hands) -> None:
    seen = await hands.open("/long")
    assert "row 20" in seen
    assert "row 21" not in seen
    scrolled = await hands.call("scroll", direction="bottom")
    assert "row 40" in scrolled.content
    assert re.search(r"window: pixels [1-9]\d* to \d+ of \d+", scrolled.content)
    assert (
        "it does not scroll further up"
        in (await hands.call("scroll", direction="top")).content + (await hands.call("scroll", direction="up")).content
    )
    box = await hands.open("/box")
    inside = number(box, 'button "top"')
    assert "does not scroll" not in (await hands.call("scroll", direction="bottom", element=inside)).content
    await hands.open("/late")
    assert "now it is" in (await hands.call("wait", text="now it is", seconds=30)).content
    never = await hands.call("wait", text="never", seconds=0.5)
    assert (never.status, "did not appear within 0.5 seconds" in never.content) == ("failed", True)
    huge = await hands.call("navigate", url=f"http://{hands.site.host}/huge")
    assert len(huge.content.encode()) < 32_768
    assert "part: 1 of " in huge.content
    assert huge.data["elements"] < 6_000
    assert "too large to be shown whole" in huge.content
    assert "part: 2 of " in (await hands.call("view", part=2)).content
    assert "there is no part 999" in (await hands.call("view", part=999)).content
    assert "bottom" in await hands.open("/deep")


async def test_pages_that_do_not_open_are_said_with_the_reason(hands: Hands) -> None:
    site = hands.site
    for url, problem in (
        (f"http://{site.host}/loop", "it redirects in a circle"),
        (f"http://{site.host}/redirect", "is not a public address"),
        (f"http://{site.host}/script-redirect", "is not a public address"),
        (f"http://{site.host}/locked", "its server asks for a user name and password, and the browser gives none"),
        (f"https://{site.secure}/", "its certificate is not valid (ERR_CERT_AUTHORITY_INVALID)"),
        (f"http://{site.private}/", "is refused: 127.0.0.1 is not a public address"),
        ("http://169.254.169.254/latest/meta-data/", "not a public address"),
        ("http://[::ffff:127.0.0.1]/", "not a public address"),
        ("https://no-such-host.invalid/", "cannot be resolved"),
        ("file:///etc/passwd", "must begin with http"),
        ("javascript:alert(1)", "must begin with http"),
        ("http://", "name a host"),
        ("http://user:secret@example.com/", "user name or password"),
    ):
        outcome = await hands.call("navigate", url=url)
        assert (outcome.status, problem in outcome.content) == ("failed", True), outcome.content
        assert "\n" not in outcome.content
        assert "hunter2" not in outcome.content
    assert "before" in await hands.open("/endless")
    silent = await hands.call("navigate", url=f"http://{site.host}/silent", limit_seconds=24)
    assert "it did not answer in time" in silent.content
    assert "\x1b" not in await hands.open("/control")
    assert site.visits == []


async def test_nothing_private_is_reached_from_a_page(hands: Hands) -> None:
    site = hands.site
    await hands.open("/loads")
    seen = (await hands.call("wait", text="worker answered", seconds=30)).content
    # Each was tried. Of plain HTTP a page cannot tell whether the site answered it or the proxy.
    for word in ("socket refused", "worker answered", "outer"):
        assert word in seen
    assert "waiting" not in seen
    assert "hunter2" not in seen
    assert site.visits == []
    with pytest.raises(BlockingIOError):
        site.datagrams.recv(100)


async def test_a_picture_of_the_page_is_a_file(hands: Hands) -> None:
    await hands.open("/form")
    for n, arguments in enumerate(({}, {"full_page": True}), 1):
        outcome = await hands.call("screenshot", **arguments)
        path = f"screenshots/page{'-2' if n == 2 else ''}.jpg"
        assert outcome.data["picture"] == path
        assert hands.workspace.read_bytes(path).startswith(b"\xff\xd8\xff")
    # A model that sees gets one with each view.
    hands.vision = True
    seen = await hands.call("view")
    hands.vision = False
    assert seen.data["picture"] == "screenshots/page-3.jpg"


async def test_a_page_that_hangs_and_one_that_crashes_are_closed_and_told(hands: Hands) -> None:
    seen = await hands.open("/hangs")
    stuck = await hands.call("click", element=number(seen, 'button "Hang"'), on=hands.site.host, limit_seconds=18)
    assert "the page does not answer; its tab was closed" in stuck.content
    await hands.open("/next")
    # This browser's alone, whatever became of the processes' environment.
    (ours,) = browsers()
    for process in ours.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "--type=renderer" in " ".join(process.cmdline()):
                process.send_signal(signal.SIGKILL)
    crashed = await hands.call("wait", seconds=0.5)
    assert await hands.until("the page crashed", crashed.content)
    await hands.open("/next")


async def test_chromium_has_few_rights_and_its_crash_is_told_and_mended(hands: Hands) -> None:
    await hands.open("/next")
    program = find_chromium()
    assert program is not None
    if is_root() and ways(program)[0].own_id:
        ids = {process.uids().real for process in processes().values() if "--type=" in " ".join(process.cmdline())}
        assert ids == {BROWSER_UID}
    assert hands.browser.confinement in [way.describe() for way in ways(program)]
    (running,) = browsers()
    running.kill()
    gone = await hands.call("view")
    assert (gone.status, "the browser crashed and was closed" in gone.content) == ("failed", True), gone.content
    assert processes() == {}
    assert "no page is open in the browser" in (await hands.call("view")).content
    assert "title: Next" in await hands.open("/next")


async def test_without_permission_loopback_is_refused(site: Site, tmp_path: Path) -> None:
    hands = Hands(site, Workspace.create(tmp_path / "workspace"), allowed=False)
    before = len(processes())
    try:
        for host in (site.host, site.other_host):
            outcome = await hands.call("navigate", url=f"http://{host}/")
            assert "not a public address" in outcome.content, outcome.content
    finally:
        await hands.sessions.close_all()
    assert len(processes()) == before


async def test_a_call_cancelled_at_any_moment_leaves_no_process(site: Site, tmp_path: Path) -> None:
    hands = Hands(site, Workspace.create(tmp_path / "workspace"))
    before = set(processes())
    for seconds in (0.05, 0.4, 1.2):
        running = asyncio.ensure_future(hands.call("navigate", url=f"http://{site.host}/silent"))
        await asyncio.sleep(seconds)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert set(processes()) == before
        assert hands.sessions.keys() == []


def browsers() -> list[psutil.Process]:
    """The first process of each browser that was started by this process's calls."""
    commands = {process: " ".join(process.cmdline()) for process in processes().values()}
    return [p for p, command in commands.items() if "--remote-debugging-pipe" in command and "--type=" not in command]


def processes() -> dict[int, psutil.Process]:
    """Those of browsers and their drivers that were started by this process's calls, zombies included."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, OSError):
            marked = b"agent-runtime-browser-" in Path(f"/proc/{process.pid}/environ").read_bytes()
            # Chromium's own children write over their environment; and the tests of screens have a browser, too.
            if marked or process.ppid() in found or process.uids().real == BROWSER_UID:
                found[process.pid] = process
    return found
