"""The tabs of one browser, and what happens in them unasked: windows, dialogs, downloads, crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Literal

from playwright.async_api import BrowserContext, Dialog, Error, FileChooser, Page

from agent_runtime.toolbox.browser.downloads import Downloads
from agent_runtime.toolbox.browser.elements import Elements
from agent_runtime.toolbox.browser.traffic import Traffic

TABS_LIMIT = 10
_DIALOGS_LIMIT = 10
_NOTES_LIMIT = 30
CLOSE_SECONDS = 8.0
_NEW_TAB = "a new tab was opened and is the current one"

DialogAnswer = Literal["dismiss", "accept"]


class Tabs:
    """Open pages, one of them the current one. What happens in them is noted until it is told."""

    def __init__(self, context: BrowserContext, downloads: Downloads, elements: Elements) -> None:
        self._context = context
        self._downloads = downloads
        self._elements = elements
        self._traffic: dict[Page, Traffic] = {}
        self._notes: list[str] = []
        self._dialogs = 0
        self._answer: tuple[DialogAnswer, str] = ("dismiss", "")
        self._work: set[asyncio.Task[None]] = set()
        self.current: Page | None = None
        self.chooser: tuple[Page, FileChooser] | None = None
        """A page asks for files, and nobody has given it any yet."""
        context.on("page", self._add)

    @property
    def pages(self) -> list[Page]:
        """In the order in which they were opened."""
        return list(self._traffic)

    def traffic(self, page: Page) -> Traffic:
        """What the page loads."""
        return self._traffic[page]

    def begin_action(self, answer: DialogAnswer = "dismiss", text: str = "") -> None:
        """What happens from now on is this action's; `answer` is what dialogs get."""
        self._dialogs = 0
        self._answer = (answer, text)
        for traffic in self._traffic.values():
            traffic.begin_action()

    def note(self, text: str) -> None:
        """Tell this with the next answer."""
        if len(self._notes) < _NOTES_LIMIT:
            self._notes.append(text)

    def take_notes(self) -> list[str]:
        """What there is to tell, once."""
        told, self._notes = self._notes, []
        return told

    async def page(self) -> Page:
        """The current page; a new empty one where all were closed."""
        if self.current is None:
            await self._context.new_page()
            self._forget_new_tabs()
        assert self.current is not None
        return self.current

    async def show(self, page: Page) -> None:
        """Make it the current one."""
        self.current = page
        await page.bring_to_front()

    async def close(self, page: Page, why: str = "") -> None:
        """Close a page, whatever it does against it, and note why. Raises `TimeoutError` when it stays."""
        if why:
            self.note(why)
        self._remove(page)
        closing = asyncio.ensure_future(_close_quietly(page))
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS / 2)
        if not closing.done():
            # One whose script never ends does not hear that it is to close.
            self._start(_kill(self._context, page))
            async with asyncio.timeout(CLOSE_SECONDS / 2):
                await closing

    async def leave(self, page: Page, back_to: Page) -> None:
        """Close a page that only a download was fetched in, without a word about it."""
        self._forget_new_tabs()
        told = list(self._notes)
        self._remove(page)
        self.current = back_to
        async with asyncio.timeout(CLOSE_SECONDS):
            await _close_quietly(page)
        self._notes = told

    def _forget_new_tabs(self) -> None:
        # What was opened for the model is no news to it.
        self._notes = [note for note in self._notes if not note.startswith(_NEW_TAB)]

    def _add(self, page: Page) -> None:
        if len(self._traffic) >= TABS_LIMIT:
            self.note(f"the page opened another window; it was closed, because {TABS_LIMIT} tabs are open")
            self._start(_close_quietly(page))
            return
        self._traffic[page] = Traffic(page)
        page.on("dialog", lambda dialog: self._start(self._answer_dialog(page, dialog)))
        page.on("download", self._downloads.begin)
        page.on("close", lambda _: self._closed(page))
        page.on("crash", lambda _: self._start(self._crashed(page)))
        page.on("filechooser", lambda chooser: self._choose(page, chooser))
        self.current = page
        self.note(f"{_NEW_TAB}: tab {len(self._traffic)}")

    def _closed(self, page: Page) -> None:
        if page in self._traffic:
            was_current = page is self.current
            self._remove(page)
            if was_current:
                self.note(
                    "the tab closed itself" + ("; the newest of the others is the current one" if self.current else "")
                )

    def _remove(self, page: Page) -> None:
        self._traffic.pop(page, None)
        self._elements.forget(page)
        if self.chooser and self.chooser[0] is page:
            self.chooser = None
        if page is self.current:
            self.current = self.pages[-1] if self._traffic else None

    async def _crashed(self, page: Page) -> None:
        if page not in self._traffic:
            return
        with suppress(TimeoutError):
            await self.close(page, "the page crashed, perhaps for want of memory, and its tab was closed")

    def _choose(self, page: Page, chooser: FileChooser) -> None:
        self.chooser = (page, chooser)
        self.note("the page asks for a file: give it one of the workspace with browser_upload")

    async def _answer_dialog(self, page: Page, dialog: Dialog) -> None:
        self._dialogs += 1
        if self._dialogs > _DIALOGS_LIMIT:
            if self._dialogs == _DIALOGS_LIMIT + 1:
                # Unanswered, it holds the page's scripts until the page is gone.
                with suppress(TimeoutError):
                    await self.close(page, f"the page opened over {_DIALOGS_LIMIT} dialogs, and its tab was closed")
            return
        text = " ".join(dialog.message.split())[:500]
        with suppress(Error):
            if dialog.type == "beforeunload":
                self.note("the page asked whether to leave it, and was left")
                await dialog.accept()
            elif self._answer[0] == "accept":
                given = f', with "{self._answer[1]}"' if dialog.type == "prompt" else ""
                self.note(f'the page opened a dialog ({dialog.type}): "{text}"; it was accepted{given}')
                await dialog.accept(self._answer[1] if dialog.type == "prompt" else None)
            else:
                self.note(f'the page opened a dialog ({dialog.type}): "{text}"; it was dismissed')
                await dialog.dismiss()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


async def _kill(context: BrowserContext, page: Page) -> None:
    """End the process that the page runs in."""
    with suppress(Error):
        session = await context.new_cdp_session(page)
        await session.send("Page.crash")


async def _close_quietly(page: Page) -> None:
    with suppress(Error):
        await page.close(run_before_unload=False)
