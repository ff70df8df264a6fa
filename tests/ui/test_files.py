"""The screens of files: every kind is shown, none of it is run, and bytes that differ from the record are called so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from agent_runtime.person.client import Person
from agent_runtime.storage import Storage
from tests.e2e.desk import Work, new_person, take, worker_connection
from tests.loopback import LOOPBACK
from tests.ui.conftest import PHONE, go, no_wider, violations_in_both_themes
from tests.ui.injection import ELSEWHERE, EVERYTHING, FILENAMES, MARK, TEXTS
from tests.ui.workspaces import as_json, pdf, png, rows_of, write

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

    from agent_runtime.person.session import Session
    from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")
# A slow machine is slow, not wrong.

PYTHON = b"import json\n\n\nclass Total:\n    def of(self, rows):\n        return sum(rows) * 2.5\n"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="90" height="50">'
    f'<script>{MARK}</script><style>@import "{ELSEWHERE}/s.css";</style>'
    f'<rect width="90" height="50" fill="teal" onload="{MARK}"/>'
    f'<image href="{ELSEWHERE}/i.png" width="9" height="9"/><use xlink:href="{ELSEWHERE}/u.svg#a"/>'
    f'<a href="javascript:{MARK}"><text>x</text></a><foreignObject><iframe src="{ELSEWHERE}/f"/></foreignObject></svg>'
)
HTML = (
    f'<!doctype html><html><head><base href="{ELSEWHERE}/"><meta http-equiv="refresh" content="0;url={ELSEWHERE}/r">'
    f'<link rel="stylesheet" href="{ELSEWHERE}/l.css"><link rel="prefetch" href="{ELSEWHERE}/p">'
    "<style>h1{color:rgb(200,0,0);background:url(//attacker.invalid/bg.png)}</style></head>"
    f'<body onload="{MARK}" style="background:url({ELSEWHERE}/b.png)">'
    '<h1 style="letter-spacing:3px">Hostile report</h1>'
    f'<a id="way" href="{ELSEWHERE}/a" target="_top" ping="{ELSEWHERE}/ping">a way out</a>'
    f'<script src="{ELSEWHERE}/x.js"></script><script>parent.postMessage(1, "*"); top.location = "{ELSEWHERE}"</script>'
    f'<object data="{ELSEWHERE}/o"></object><embed src="{ELSEWHERE}/e"><video src="{ELSEWHERE}/v" autoplay></video>'
    f'<form action="{ELSEWHERE}/f"><input name="a"><button>Send</button></form>'
    '<iframe srcdoc="&lt;script&gt;parent.parent.alert(1)&lt;/script&gt;"></iframe>'
)
CSV = "city,kind,revenue\n" + "".join(f"City {row},bike,{row * 1.5}\n" for row in range(1, 301))
FILES: dict[str, bytes | None] = {
    "report.md": b"# Revenue\n\nIt is **up**. [data](https://example.org/)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "analysis.py": PYTHON,
    "rentals.csv": CSV.encode(),
    "tabs.tsv": "á\tb\n1\t2\n".encode("windows-1252"),
    "data.json": as_json({"total": 12, "cities": ["Madrid", {"name": "Porto"}]}),
    "broken.json": b'{"total": ',
    "out/picture.png": png(),
    "out/chart.svg": SVG.encode(),
    "out/page.html": HTML.encode(),
    "out/doc.pdf": pdf("First page here", "Second", script="app.alert(1)"),
    "false.png": b"<script>no picture</script>",
    "false.pdf": b"\0\1\2 no document",
    "model.bin": bytes(range(256)),
    "empty.txt": b"",
    "old.txt": b"to be removed\n",
}
HOSTILE: dict[str, bytes | None] = {
    **{name: EVERYTHING.encode("utf-8", "replace") for name in FILENAMES},
    "hostile.md": EVERYTHING.encode(),
    "hostile.csv": "\n".join(",".join(json.dumps(text) for text in TEXTS.values()) for _ in range(3)).encode(),
    "hostile.json": as_json(TEXTS),
    "hostile.html": (HTML + EVERYTHING).encode(),
    "hostile.svg": f'<svg xmlns="http://www.w3.org/2000/svg">{TEXTS["svg"]}{TEXTS["script"]}</svg>'.encode(),
    "hostile.py": EVERYTHING.encode(),
}


@dataclass
class Shelf:
    """A task with files of every kind, and whose it is."""

    person: Session
    task_id: UUID
    execution: str
    ids: dict[str, str] = field(default_factory=dict)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    person = await new_person(site.stack, "shelf")
    given = tmp_path_factory.mktemp("given") / "given.csv"
    given.write_text("a,b\n1,2\n", encoding="utf-8")
    async with led(site, person, [given]) as work:
        execution = await write(site.stack, work, FILES)
        changed = {"old.txt": None, "analysis.py": PYTHON.replace(b"2.5", b"3.5"), "report.md": b"# Final\n"}
        await write(site.stack, work, changed)
        await write(site.stack, work, HOSTILE)
        await work.settle(answer="Done.")
    made = Shelf(person, work.task_id, execution)
    with psycopg.connect(site.stack.database_url) as owner:
        for name, version, file_id in owner.execute(
            "select filename, version, id::text from files where task_id = %s order by version", [work.task_id]
        ):
            made.ids[name] = made.ids[f"{name} {version}"] = file_id
    return made


@asynccontextmanager
async def led(site: Site, person: Session, files: Sequence[Path] = (), title: str = "Shelf") -> AsyncIterator[Work]:
    """A task in the hands of the test."""
    async with Person(person) as client:
        task = await client.submit("Make files.", files, title=title)
    async with await worker_connection(site.stack) as connection:
        yield await take(connection, task.id)


@asynccontextmanager
async def watched(site: Site, browser: Browser, person: Session, path: str, **how: Any) -> AsyncIterator[Page]:
    """A page that may ask no host but ours, open no dialog, and leave no mark."""
    page = await site.open(browser, person, path, **how)
    allowed = {urlsplit(site.url).netloc, urlsplit(site.stack.supabase_url).netloc}
    asked: list[str] = []
    seen: list[str] = page.complaints  # type: ignore[attr-defined]
    listeners: dict[Any, Callable[[Any], None]] = {
        "request": lambda request: asked.append(request.url),
        "dialog": lambda dialog: seen.append(f"dialog: {dialog.message}"),
        "popup": lambda popup: seen.append(f"popup: {popup.url}"),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        yield page
        outside = [
            url for url in asked if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc not in allowed
        ]
        assert outside == []
        assert seen == []
        assert await page.evaluate("window.__injected === undefined && {}.injected === undefined")
    finally:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        await site.leave(page)


def pane(page: Page) -> Locator:
    return page.get_by_role("region", name="Open file")


async def open_file(page: Page, name: str) -> Locator:
    await page.get_by_role("navigation", name="Files of this task").get_by_title(name, exact=True).click()
    await expect(pane(page).locator(".pane-head")).to_contain_text(name.rsplit("/", 1)[-1])
    return pane(page)


async def test_every_kind_of_file_is_shown_and_what_is_saved_is_what_was_recorded(
    site: Site, browser: Browser, shelf: Shelf
) -> None:
    async with watched(site, browser, shelf.person, f"/tasks/{shelf.task_id}/files") as page:
        await expect(page.get_by_role("heading", name="Files of Shelf")).to_be_visible()
        assert await violations_in_both_themes(page) == []

        shown = await open_file(page, "report.md")
        await expect(shown.get_by_role("heading", name="Final")).to_be_visible()
        await expect(shown.get_by_text("What was recorded, byte for byte")).to_be_visible()
        await shown.get_by_role("button", name="Source").click()
        await expect(shown.get_by_role("region")).to_contain_text("# Final")
        await shown.get_by_label("Version").select_option(shelf.ids["report.md 1"])
        await expect(shown.get_by_role("cell", name="2")).to_be_visible()
        await expect(shown.get_by_role("link", name="data")).to_have_attribute("href", "https://example.org/")

        # The list stays as it was when a file is opened beside it.
        await page.get_by_role("navigation", name="Files of this task").get_by_label("Search names").fill("analysis")
        shown = await open_file(page, "analysis.py")
        await expect(page.locator(".tree-file")).to_have_count(1)
        await page.get_by_role("navigation", name="Files of this task").get_by_label("Search names").fill("")
        await expect(shown.locator(".hl-keyword").first).to_have_text("import")
        assert await violations_in_both_themes(page) == []

        shown = await open_file(page, "rentals.csv")
        await expect(shown.get_by_text("300 rows, 3 columns")).to_be_visible()
        await expect(shown.get_by_role("cell", name="City 1", exact=True)).to_be_visible()
        await expect(shown.get_by_role("table")).to_have_attribute("aria-rowcount", "301")
        await shown.get_by_role("region").evaluate("frame => frame.scrollTo(0, frame.scrollHeight)")
        await expect(shown.get_by_role("cell", name="City 300")).to_be_visible()
        assert await violations_in_both_themes(page) == []

        shown = await open_file(page, "tabs.tsv")
        await expect(shown.get_by_role("columnheader", name="á")).to_be_visible()

        shown = await open_file(page, "data.json")
        await expect(shown.get_by_text("Madrid")).to_be_visible()
        await expect(await open_file(page, "broken.json")).to_contain_text("This is not valid JSON")

        shown = await open_file(page, "out/picture.png")
        await expect(shown.get_by_text("60 × 40 pixels")).to_be_visible()

        shown = await open_file(page, "out/doc.pdf")
        await expect(shown.get_by_text("2 pages")).to_be_visible()
        # The text of a page is there for those who read and select it.
        await expect(shown.get_by_role("group", name="Page 1")).to_contain_text("First page here")
        assert await violations_in_both_themes(page) == []

        await expect(await open_file(page, "false.png")).to_contain_text("<script>no picture</script>")
        await expect(await open_file(page, "false.pdf")).to_contain_text("No preview of this kind of file")
        await expect(await open_file(page, "empty.txt")).to_contain_text("The file is empty")

        shown = await open_file(page, "model.bin")
        await expect(shown).to_contain_text("No preview of this kind of file")
        async with page.expect_download() as begun_download:
            await shown.get_by_role("button", name="Download").first.click()
        saved = await begun_download.value
        assert saved.suggested_filename == "model.bin"
        assert (await saved.path()).read_bytes() == FILES["model.bin"]

        # What was removed can still be seen, and says so.
        await page.get_by_text("Removed", exact=False).first.click()
        shown = await open_file(page, "old.txt")
        await expect(shown).to_contain_text("to be removed")
        await expect(shown.locator(".pane-facts")).to_contain_text("removed")

        # Which call wrote it.
        shown = await open_file(page, "data.json")
        await shown.get_by_role("link", name="written by file_write in step 1").click()
        await expect(page).to_have_url(f"{site.url}/tasks/{shelf.task_id}?call={shelf.execution}")


async def test_versions_are_compared_line_by_line(site: Site, browser: Browser, shelf: Shelf) -> None:
    path = f"/tasks/{shelf.task_id}/files/{shelf.ids['analysis.py']}?tab=changes"
    async with watched(site, browser, shelf.person, path, viewport=PHONE) as page:
        changes = page.get_by_role("region", name="Differences")
        await expect(changes.locator(".diff-removed")).to_contain_text("sum(rows) * 2.5")
        await expect(changes.locator(".diff-added")).to_contain_text("sum(rows) * 3.5")
        assert await violations_in_both_themes(page) == []
        await page.get_by_role("button", name="Two columns").click()
        await expect(changes.locator(".diff-pair", has_text="2.5")).to_contain_text("3.5")
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        # Back to the list, on a phone a screen of its own.
        await page.get_by_role("link", name="All files of the task").click()
        await expect(page.get_by_role("navigation", name="Files of this task")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_nothing_in_a_file_or_its_name_is_run_or_fetched(site: Site, browser: Browser, shelf: Shelf) -> None:
    async with watched(site, browser, shelf.person, f"/tasks/{shelf.task_id}/files") as page:
        for name in ("out/page.html", "hostile.html", "out/chart.svg", "hostile.svg"):
            await go(page, f"/tasks/{shelf.task_id}/files/{shelf.ids[name]}")
            frame = pane(page).locator("iframe")
            await expect(frame).to_have_attribute("sandbox", "")
            inside = frame.content_frame
            if name.endswith("html"):
                await expect(inside.locator("h1")).to_have_text("Hostile report")
                assert await inside.locator("script, iframe, object, embed, video, base, link, [onload]").count() == 0
                # One of them hides itself altogether, and nothing but itself.
                for action in (inside.get_by_text("a way out"), inside.get_by_role("button", name="Send")):
                    if await action.is_visible():
                        await action.click()
                assert await inside.locator(":root").evaluate("() => self.origin") == "null"
            else:
                assert await inside.locator("img").count() == 1
            await pane(page).get_by_role("button", name="Source").click()
            await expect(pane(page).locator(".code-line").first).to_be_visible()
        for name in [*FILENAMES, "hostile.md", "hostile.csv", "hostile.json", "hostile.py"]:
            await go(page, f"/tasks/{shelf.task_id}/files/{shelf.ids[name]}")
            await expect(pane(page).get_by_text("What was recorded, byte for byte")).to_be_visible()
            await expect(
                pane(page).locator(".prose, .code-line, [role=cell], .json-branch, iframe").first
            ).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert await page.title() == "agent-runtime"
        # What turns a name round is spelled out, and what is saved has none of it.
        turned = next(name for name in FILENAMES if "\u202e" in name)
        await go(page, f"/tasks/{shelf.task_id}/files/{shelf.ids[turned]}")
        await expect(pane(page).locator(".pane-head h2")).to_have_text(r"report\u{202E}gnp.html")
        async with page.expect_download() as begun_download:
            await pane(page).get_by_role("button", name="Download").click()
        assert (await begun_download.value).suggested_filename == "reportgnp.html"


async def test_what_is_gone_changed_foreign_or_out_of_reach_is_called_so(
    site: Site, browser: Browser, shelf: Shelf
) -> None:
    async with led(site, shelf.person) as work:
        task_id = work.task_id
        await write(site.stack, work, {"gone.txt": b"gone", "changed.txt": b"as recorded", "fine.txt": b"fine"})
        rows = await rows_of(site.stack, task_id, {"late.txt": b"late"})
        await work.do("file_write", {"path": "late.txt"}, files=[{**rows[0], "is_stored": False}])
        await work.settle()
    with psycopg.connect(site.stack.database_url) as owner:
        found = owner.execute(
            "select filename, id::text, file_path from files where task_id = %s", [task_id]
        ).fetchall()
    ids = {name: file_id for name, file_id, _ in found}
    paths = {name: path for name, _, path in found}
    async with Storage(site.stack.supabase_url, site.stack.secret_key) as storage:
        await storage.remove([paths["gone.txt"]])
        await storage.remove([paths["changed.txt"]])
    _put(site, paths["changed.txt"], b"something else")
    async with watched(site, browser, shelf.person, f"/tasks/{task_id}/files/{ids['gone.txt']}") as page:
        await expect(pane(page).get_by_role("heading", name="The content is gone")).to_be_visible()
        await open_file(page, "changed.txt")
        alert = pane(page).get_by_role("alert")
        await expect(alert).to_contain_text("This is not what was recorded")
        await expect(alert).to_contain_text(hashlib.sha256(b"something else").hexdigest())
        await expect(pane(page).get_by_text("something else")).to_have_count(0)
        assert await violations_in_both_themes(page) == []
        await pane(page).get_by_role("button", name="Show it anyway").click()
        await expect(pane(page).get_by_text("something else")).to_be_visible()
        async with page.expect_download() as begun_download:
            await pane(page).get_by_role("button", name="Download it anyway").click()
        assert (await begun_download.value).suggested_filename == "unverified-changed.txt"
        await pane(page).get_by_role("button", name="Download", exact=True).click()
        await expect(page.get_by_text("The bytes that Storage has are not those").last).to_be_visible()
        await expect(await open_file(page, "late.txt")).to_contain_text("Not stored yet")
        # Cut off in between, and back.
        await page.context.set_offline(True)
        await open_file(page, "fine.txt")
        await expect(pane(page).get_by_role("heading", name="No connection")).to_be_visible()
        await page.context.set_offline(False)
        await pane(page).get_by_role("button", name="Try again").click()
        await expect(pane(page).get_by_text("fine", exact=True)).to_be_visible()
    stranger = await new_person(site.stack, "stranger")
    for path in (f"/tasks/{task_id}/files/{ids['fine.txt']}", f"/tasks/{task_id}/files", "/tasks/no-id/files"):
        async with watched(site, browser, stranger, path) as page:
            await expect(page.get_by_role("alert")).to_contain_text("Not here")
    async with watched(site, browser, stranger, "/files") as page:
        await expect(page.get_by_role("heading", name="No files yet")).to_be_visible()
        assert await violations_in_both_themes(page) == []
    # A file of one task under the address of another is not here either.
    async with watched(site, browser, shelf.person, f"/tasks/{shelf.task_id}/files/{ids['fine.txt']}") as page:
        await expect(page.get_by_role("alert")).to_contain_text("Not here")


def _put(site: Site, path: str, content: bytes) -> None:
    """Bytes where others were recorded: what no way of ours allows, straight through Storage's own door."""
    import httpx

    key = site.stack.secret_key
    headers = {"authorization": f"Bearer {key}", "apikey": key, "content-type": "text/plain", "x-upsert": "true"}
    url = f"{site.stack.supabase_url}/storage/v1/object/agent-files/{path}"
    httpx.post(url, content=content, headers=headers, timeout=30, **LOOPBACK).raise_for_status()


async def test_large_files_are_asked_for_first_and_shown_in_part(site: Site, browser: Browser, shelf: Shelf) -> None:
    line = b"2026-01-01 12:00:00 a line of a long log that goes on and on\n"
    large = line * (50_000_000 // len(line))
    table = b"id,name\n" + b"".join(b"%d,n\n" % row for row in range(100_500))
    async with led(site, shelf.person) as work:
        task_id = work.task_id
        await write(site.stack, work, {"large.log": large, "rows.csv": table, "one-line.js": b"x" * 400_000})
        await work.settle()
    async with watched(site, browser, shelf.person, f"/tasks/{task_id}/files") as page:
        shown = await open_file(page, "large.log")
        await expect(shown.get_by_role("heading", name="A large file")).to_be_visible()
        await shown.get_by_role("button", name="Show it anyway").click()
        await expect(shown.get_by_text("2,000 of 819,672 lines are shown.")).to_be_visible(timeout=60_000)
        await shown.get_by_role("button", name="Show more lines").click()
        await expect(shown.get_by_text("12,000 of 819,672 lines are shown.")).to_be_visible()
        shown = await open_file(page, "rows.csv")
        await expect(shown.get_by_text("The first 99,999 rows of more")).to_be_visible(timeout=60_000)
        shown = await open_file(page, "one-line.js")
        await expect(shown.locator(".code-cut")).to_have_text("… 396,000")


async def test_all_files_are_found_filtered_and_paged(site: Site, browser: Browser) -> None:
    person = await new_person(site.stack, "many")
    async with led(site, person, title="Many files") as work:
        task_id = work.task_id
        await write(site.stack, work, {f"part/{index:03}.txt": b"same" for index in range(60)})
        await write(site.stack, work, {"plot.png": png(), "100%_done.csv": b"a\n1\n"})
        await work.settle()
    async with watched(site, browser, person, "/files", language="es-ES") as page:
        lines = page.locator(".file-line")
        await expect(lines).to_have_count(50)
        await expect(lines.first).to_contain_text("Many files")
        assert await violations_in_both_themes(page) == []
        await page.get_by_role("button", name="Mostrar más").click()
        await expect(lines).to_have_count(62)
        await page.get_by_label("Tipo").select_option("images")
        await expect(lines).to_have_count(1)
        await expect(page).to_have_url(f"{site.url}/files?kind=images")
        await page.get_by_label("Tipo").select_option("")
        # Signs that a search could take for wildcards are letters.
        await page.get_by_label("Buscar por nombre").fill("100%_")
        await expect(lines).to_have_count(1)
        await page.get_by_label("Procedencia").select_option("given")
        await expect(page.get_by_role("heading", name="No hay coincidencias")).to_be_visible()
        await page.get_by_role("button", name="Quitar los filtros").click()
        # What was fetched before stays.
        await expect(lines).to_have_count(62)
        await page.set_viewport_size(PHONE)
        await no_wider(page)
        await lines.first.get_by_role("link").first.click()
        await expect(page).to_have_url(f"{site.url}/tasks/{task_id}/files/" + await _newest(site, task_id))


async def _newest(site: Site, task_id: UUID) -> str:
    with psycopg.connect(site.stack.database_url) as owner:
        row = owner.execute(
            "select id::text from files where task_id = %s order by created_at desc, id desc limit 1", [task_id]
        ).fetchone()
    assert row
    return str(row[0])
