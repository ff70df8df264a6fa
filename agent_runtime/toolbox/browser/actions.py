"""What can be done with the browser: each action ends with the view of the page as it is then."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Frame, Page
from playwright.async_api import TimeoutError as TookTooLong

from agent_runtime.toolbox.browser.downloads import Downloads
from agent_runtime.toolbox.browser.elements import Elements, Found, Unusable, host_of_frame
from agent_runtime.toolbox.browser.fetching import fetch_as_file
from agent_runtime.toolbox.browser.tabs import Tabs
from agent_runtime.toolbox.browser.traffic import reason_of
from agent_runtime.toolbox.web.egress_proxy import EgressProxy

_ELEMENT_MILLISECONDS = 5_000
_QUIET_SECONDS = 3.0
_VIEW_SECONDS = 16.0
"""Kept of a call's time for reading the page at its end."""
_PICTURE_HEIGHT_LIMIT = 8_000
_PICTURE_QUALITY = 75

# Scrolls what an element is in or, without one, the page; pages that never scroll keep their text in a box of their own.
_SCROLL = """(element, [direction, screens]) => {
  const scrolls = (box) => box.scrollHeight > box.clientHeight + 1
    && (box === document.scrollingElement || /auto|scroll/.test(getComputedStyle(box).overflowY))
  let box = element ?? document.elementFromPoint(innerWidth / 2, innerHeight / 2)
  if (!element && document.scrollingElement && scrolls(document.scrollingElement)) box = document.scrollingElement
  while (box && !scrolls(box)) box = box.parentElement ?? box.getRootNode().host
  box ??= document.scrollingElement
  if (!box) return false
  const before = box.scrollTop
  const step = Math.round((box === document.scrollingElement ? innerHeight : box.clientHeight) * 0.9 * screens)
  const to = { up: before - step, down: before + step, top: 0, bottom: box.scrollHeight }[direction]
  box.scrollTo({ top: to, behavior: 'instant' })
  return box.scrollTop !== before
}"""


class CannotOpen(Exception):
    """A page that cannot be opened; the text says why. There is no view of it."""


class Actions:
    """The actions of one browser, one at a time. `uploads` is the folder with the files that the worker brings."""

    def __init__(
        self, tabs: Tabs, elements: Elements, downloads: Downloads, proxy: EgressProxy, uploads: Path
    ) -> None:
        self._tabs = tabs
        self._elements = elements
        self._downloads = downloads
        self._proxy = proxy
        self._uploads = uploads
        self._actions: dict[str, Callable[[Page, dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "navigate": self._navigate,
            "view": self._view,
            "click": self._click,
            "type": self._type,
            "select": self._select,
            "upload": self._upload,
            "scroll": self._scroll,
            "back": self._back,
            "screenshot": self._screenshot,
            "download": self._download,
            "wait": self._wait,
            "tabs": self._choose_tab,
        }

    async def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do `request["do"]` within `request["seconds"]`.

        The answer holds `notes` and `downloads`; `view` unless there is none; and `error` where it was not done.
        """
        self._proxy.refusals.clear()
        self._tabs.begin_action(request.get("dialogs", "dismiss"), request.get("prompt_text") or "")
        self._deadline = asyncio.get_running_loop().time() + request["seconds"]
        answer: dict[str, Any] = {}
        page = await self._tabs.page()
        try:
            async with asyncio.timeout_at(self._deadline):
                try:
                    answer = await self._actions[request["do"]](page, request)
                except Unusable as problem:
                    answer = {"error": str(problem)}
                if not answer.pop("is_without_view", False):
                    answer["view"] = await self._present()
        except CannotOpen as problem:
            answer = {"error": str(problem)}
        except (TimeoutError, TookTooLong):
            answer = {"error": "the page does not answer; its tab was closed. Open it again or try another source"}
            await self._tabs.close(await self._tabs.page(), "the tab was closed, because its page did not answer")
        except Error as error:
            answer = {"error": f"the browser could not do it: {_first_line(error)}"}
        return {**answer, "notes": self._tabs.take_notes(), "downloads": self._downloads.take()}

    # -- pages ---------------------------------------------------------------------------------------------------

    async def _navigate(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        url = request["url"]
        self._downloads.begun.clear()
        try:
            await page.goto(url, wait_until="commit", timeout=self._left(_VIEW_SECONDS / 2) * 1000)
        except TookTooLong:
            raise CannotOpen(f"{url} cannot be opened: it did not answer in time; try another source") from None
        except Error as error:
            if "ERR_ABORTED" in error.message or "Download is starting" in error.message:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await self._downloads.begun.wait()
                if self._downloads.begun.is_set():
                    await self._downloads.finish(self._left(1))
                    return {"is_without_view": True}
            raise CannotOpen(f"{url} cannot be opened: {self._why(page, error.message)}") from None
        await self._settle()
        if page is self._tabs.current and (trouble := self._trouble(page)):
            raise CannotOpen(f"{url} cannot be opened: {trouble}")
        return {}

    async def _view(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        return {}

    async def _back(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        before = page.url
        try:
            await page.go_back(wait_until="commit", timeout=self._left(_VIEW_SECONDS / 2) * 1000)
        except TookTooLong:
            raise Unusable("the page before did not answer in time") from None
        await self._settle()
        if page.url == before or page.url == "about:blank":
            raise Unusable("there is no page before this one in this tab")
        return self._after(page)

    async def _choose_tab(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        number, pages = request["tab"], self._tabs.pages
        if number is None:
            return {}
        if number > len(pages):
            raise Unusable(f"there is no tab {number}; there are {len(pages)}")
        if request["close"]:
            await self._tabs.close(pages[number - 1], f"tab {number} was closed")
        else:
            await self._tabs.show(pages[number - 1])
        return {}

    async def _wait(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        seconds = min(request["wait_seconds"], self._left(_VIEW_SECONDS / 2))
        text = request["text"]
        if text is None:
            await (self._downloads.finish(seconds) if self._downloads.are_running else asyncio.sleep(seconds))
            return {}
        if not await _appears(page.frames, text, seconds):
            raise Unusable(f"the text did not appear within {seconds:g} seconds")
        return {}

    # -- elements ------------------------------------------------------------------------------------------------

    async def _click(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        found = await self._find(page, request)
        if found.tag == "SELECT":
            raise Unusable(f"{_shown(request, found)} is a list: choose from it with browser_select")
        if found.type == "file":
            raise Unusable(f"{_shown(request, found)} takes files: give it one with browser_upload")
        try:
            await self._press(found, clicks=2 if request["double"] else 1)
        except Error as error:
            raise Unusable(f"{_shown(request, found)} was not clicked: {_hindrance(error)}") from None
        await self._settle()
        return self._after(page)

    async def _type(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        found = await self._find(page, request)
        text, key = request["text"], request["press"]
        is_field = found.is_editable or found.tag == "TEXTAREA" or found.tag == "INPUT"
        if text is not None and (not is_field or found.type in _NOT_TYPED):
            raise Unusable(f"{_shown(request, found)} takes no text; click it instead")
        try:
            if text is not None and request["clear"]:
                await found.handle.fill(text, timeout=_ELEMENT_MILLISECONDS)
            elif text is not None:
                await found.handle.focus()
                await page.keyboard.press("End")
                await page.keyboard.insert_text(text)
            if key is not None:
                await found.handle.press(key, timeout=_ELEMENT_MILLISECONDS, no_wait_after=True)
        except Error as error:
            raise Unusable(f"{_shown(request, found)} did not take it: {_hindrance(error)}") from None
        await self._settle()
        return self._after(page)

    async def _select(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        found = await self._find(page, request)
        if found.tag != "SELECT":
            raise Unusable(f"{_shown(request, found)} is no list of the browser's: click it, then click what it offers")
        try:
            indexes = [_option(found.options, wanted) for wanted in request["options"]]
            await found.handle.select_option(index=indexes, timeout=_ELEMENT_MILLISECONDS)
        except Error as error:
            raise Unusable(f"{_shown(request, found)} did not take it: {_hindrance(error)}") from None
        await self._settle()
        return self._after(page)

    async def _upload(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        files = [self._uploads / name for name in request["files"]]
        if request["element"] is None:
            if self._tabs.chooser is None or self._tabs.chooser[0] is not page:
                raise Unusable("the page asks for no file now: name the element that takes it")
            chooser = self._tabs.chooser[1]
            _check_host(chooser.page.main_frame, request["on"])
        else:
            found = await self._find(page, request)
            if found.type == "file":
                try:
                    await found.handle.set_input_files(files, timeout=_ELEMENT_MILLISECONDS)
                except Error as error:
                    raise Unusable(f"{_shown(request, found)} did not take it: {_hindrance(error)}") from None
                await self._settle()
                return self._after(page)
            try:
                async with page.expect_file_chooser(timeout=_ELEMENT_MILLISECONDS) as choosing:
                    await self._press(found)
                chooser = await choosing.value
            except Error:
                raise Unusable(f"{_shown(request, found)} did not ask for a file") from None
        self._tabs.chooser = None
        if len(files) > 1 and not chooser.is_multiple():
            raise Unusable("the page takes one file only")
        await chooser.set_files(files, timeout=_ELEMENT_MILLISECONDS)
        await self._settle()
        return self._after(page)

    async def _scroll(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        wanted = [request["direction"], request["screens"]]
        if request["element"] is None:
            moved = await page.evaluate(f"wanted => ({_SCROLL})(null, wanted)", wanted)
        else:
            found = await self._elements.find(page, request["element"])
            moved = await found.handle.evaluate(_SCROLL, wanted)
        await self._settle()
        if not moved:
            self._tabs.note(f"it does not scroll further {request['direction']}")
        return {}

    async def _screenshot(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        return {"picture": base64.b64encode(await self._picture(page, request)).decode()}

    async def _picture(self, page: Page, request: dict[str, Any]) -> bytes:
        form: dict[str, Any] = {"type": "jpeg", "quality": _PICTURE_QUALITY, "animations": "disabled"}
        milliseconds = self._left(_VIEW_SECONDS / 2) * 1000
        if request["element"] is not None:
            found = await self._elements.find(page, request["element"])
            try:
                return await found.handle.screenshot(**form, timeout=_ELEMENT_MILLISECONDS)
            except Error as error:
                raise Unusable(f"{_shown(request, found)} cannot be seen: {_hindrance(error)}") from None
        if request["full_page"]:
            width, height = await page.evaluate(
                "[document.documentElement.clientWidth, document.documentElement.scrollHeight]"
            )
            clip = {"x": 0, "y": 0, "width": width, "height": min(height, _PICTURE_HEIGHT_LIMIT)}
            return await page.screenshot(**form, full_page=True, clip=clip, timeout=milliseconds)
        return await page.screenshot(**form, timeout=milliseconds)

    async def _download(self, page: Page, request: dict[str, Any]) -> dict[str, Any]:
        url, found = request["url"], None
        self._downloads.begun.clear()
        if request["element"] is not None:
            found = await self._elements.find(page, request["element"])
            url = found.address if re.match(r"https?:", found.address) else None
        if url is not None:
            trouble = await fetch_as_file(self._tabs, page, url, self._downloads, self._left(2))
            if trouble:
                raise Unusable(f"{url} cannot be downloaded: {self._refusal(url) or trouble}")
        elif found is not None:
            try:
                await self._press(found)
                async with asyncio.timeout(self._left(_VIEW_SECONDS / 2)):
                    await self._downloads.begun.wait()
            except (Error, TimeoutError) as error:
                why = _hindrance(error) if isinstance(error, Error) else "nothing was sent"
                raise Unusable(f"{_shown(request, found)} gave no download: {why}") from None
        await self._downloads.finish(self._left(_VIEW_SECONDS / 2))
        return {}

    # -- what they share -----------------------------------------------------------------------------------------

    async def _find(self, page: Page, request: dict[str, Any]) -> Found:
        found = await self._elements.find(page, request["element"])
        _check_host(found.frame, request["on"])
        return found

    async def _press(self, found: Found, clicks: int = 1) -> None:
        try:
            await found.handle.click(timeout=_ELEMENT_MILLISECONDS, click_count=clicks, no_wait_after=True)
        except TookTooLong:
            if found.type not in ("checkbox", "radio"):
                raise
            # Many pages draw their own box over the real one, and its label is what people click.
            await found.handle.evaluate("field => (field.labels?.[0] ?? field).click()")

    async def _settle(self) -> None:
        """Wait until the page that is the current one by then has fallen quiet; some never do."""
        page = await self._tabs.page()
        with suppress(KeyError, Error):
            await self._tabs.traffic(page).quiet(min(_QUIET_SECONDS, self._left(_VIEW_SECONDS / 2)))
            if self._tabs.current is page:
                await page.wait_for_load_state("domcontentloaded", timeout=min(3.0, self._left(_VIEW_SECONDS / 2)) * 1000)

    def _after(self, page: Page) -> dict[str, Any]:
        """The answer to an action that may have led elsewhere."""
        current = self._tabs.current
        if current is None or not (trouble := self._trouble(current)):
            return {}
        address = self._tabs.traffic(current).last_address
        return {
            "error": f"it led to {address}, which cannot be opened: {trouble}. Go back with browser_back",
            "is_without_view": True,
        }

    def _trouble(self, page: Page) -> str | None:
        traffic = self._tabs.traffic(page)
        if refusal := self._refusal(traffic.last_address):
            return refusal
        if traffic.failure is not None and "ERR_ABORTED" not in traffic.failure:
            return reason_of(traffic.failure)
        return None

    def _why(self, page: Page, message: str) -> str:
        refusal = self._refusal(self._tabs.traffic(page).last_address)
        return refusal or next(reversed(self._proxy.refusals.values()), None) or reason_of(message)

    def _refusal(self, address: str) -> str | None:
        try:
            parts = urlsplit(address)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return None
        return self._proxy.refusals.get(f"{parts.hostname}:{port}")

    async def _present(self) -> dict[str, Any]:
        page = await self._tabs.page()
        seen = await self._elements.see(page)
        tabs = self._tabs.pages
        view: dict[str, Any] = {
            "url": page.url,
            "title": await page.title(),
            "status": self._tabs.traffic(page).status,
            "tab": tabs.index(page) + 1,
            "tabs": [other.url for other in tabs],
        }
        return {**view, **vars(seen)}

    def _left(self, reserved_seconds: float) -> float:
        """Seconds that are left of the call's, less what is to be kept; never nothing at all."""
        return max(self._deadline - asyncio.get_running_loop().time() - reserved_seconds, 0.5)


_NOT_TYPED = frozenset({"checkbox", "radio", "file", "submit", "button", "reset", "image"})


def _check_host(frame: Frame, stated: str) -> None:
    host = host_of_frame(frame)
    if stated.strip().lower() != host:
        raise Unusable(f"the element is on {host or 'a page without a host'}, not on {stated}; nothing was done")


def _option(options: list[tuple[str, str]], wanted: str) -> int:
    plain = [(" ".join(label.split()), value) for label, value in options]
    key = " ".join(wanted.split())
    for matches in (
        [n for n, (label, _) in enumerate(plain) if label == key],
        [n for n, (_, value) in enumerate(plain) if value == wanted],
        [n for n, (label, _) in enumerate(plain) if label.lower() == key.lower()],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Unusable(f"{wanted!r} stands more than once in the list; name it by its value: {_values(plain, key)}")
    offered = ", ".join(repr(label) for label, _ in plain[:50])
    raise Unusable(f"{wanted!r} is not in the list; it offers {offered}")


def _values(options: list[tuple[str, str]], label: str) -> str:
    return ", ".join(repr(value) for name, value in options if name.lower() == label.lower())


async def _appears(frames: list[Frame], text: str, seconds: float) -> bool:
    script = "text => (document.body?.innerText ?? '').includes(text)"
    waiting = [
        asyncio.ensure_future(frame.wait_for_function(script, arg=text, timeout=seconds * 1000, polling=200))
        for frame in frames
    ]
    try:
        async with asyncio.timeout(seconds):
            for first in asyncio.as_completed(waiting):
                with suppress(Error):
                    await first
                    return True
    except TimeoutError:
        pass
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return False


def _shown(request: dict[str, Any], found: Found) -> str:
    return f"[{request['element']}] {found.what}"


def _hindrance(error: Error) -> str:
    """Why an element could not be acted on, out of Playwright's log."""
    message = error.message
    if covered := re.search(r"(<[^\n]{1,200}?>).{0,200}? intercepts pointer events", message):
        return f"it is covered by {covered[1]}; close or scroll away what lies over it"
    for sign, words in (
        ("element is not enabled", "it is disabled"),
        ("element is not visible", "it is not visible"),
        ("not stable", "it keeps moving"),
        ("outside of the viewport", "it is out of reach"),
        ("not attached", "it is gone"),
        ("Execution context was destroyed", "the page was left meanwhile"),
        ("not editable", "it is read-only"),
    ):
        if sign in message:
            return words
    return _first_line(error)


def _first_line(error: Error) -> str:
    first = (error.message.splitlines() or ["no reason given"])[0]
    return re.sub(r"^\w+\.\w+: ", "", first)[:300]
