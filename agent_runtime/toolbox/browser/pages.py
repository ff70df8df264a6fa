"""Actions on pages: open, go back, scroll, wait, take a picture, download."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Any

from playwright.async_api import Error, Frame, Page
from playwright.async_api import TimeoutError as TookTooLong

from agent_runtime.toolbox.browser.controls import hindrance, shown
from agent_runtime.toolbox.browser.elements import Unusable
from agent_runtime.toolbox.browser.fetching import fetch_as_file
from agent_runtime.toolbox.browser.stage import VIEW_SECONDS, CannotOpen, Stage

_ELEMENT_MILLISECONDS = 10_000
_PICTURE_HEIGHT_LIMIT = 8_000
_PICTURE_QUALITY = 75
WINDOW_ONLY: dict[str, Any] = {"element": None, "full_page": False}
"""What a request for a picture says of what is in the window."""

# Scrolls what an element is in or, without one, the page: some never scroll, and have a box in them that does.
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


async def navigate(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    url = request["url"]
    stage.downloads.begun.clear()
    try:
        await _go(stage, page, url)
    except TookTooLong:
        raise CannotOpen(f"{url} cannot be opened: it did not answer in time; try another source") from None
    except Error as error:
        if "ERR_ABORTED" in error.message or "Download is starting" in error.message:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await stage.downloads.begun.wait()
            if stage.downloads.begun.is_set():
                await stage.downloads.finish(stage.left(1))
                return {"is_without_view": True}
        raise CannotOpen(f"{url} cannot be opened: {stage.why(page, error.message)}") from None
    await stage.settle()
    if page is stage.tabs.current and (trouble := stage.trouble(page)):
        raise CannotOpen(f"{url} cannot be opened: {trouble}")
    return {}


async def _go(stage: Stage, page: Page, url: str) -> None:
    # A page that was on its way when this one was asked for may come in between, once; a page that leads on by itself
    # has come to where it leads.
    for _ in range(2):
        try:
            await page.goto(url, wait_until="commit", timeout=stage.left(VIEW_SECONDS / 2) * 1000)
            return
        except Error as error:
            if "interrupted by another navigation" not in error.message:
                raise


async def back(stage: Stage, page: Page, _: dict[str, Any]) -> dict[str, Any]:
    before = page.url
    try:
        await page.go_back(wait_until="commit", timeout=stage.left(VIEW_SECONDS / 2) * 1000)
    except TookTooLong:
        raise Unusable("the page before did not answer in time") from None
    await stage.settle()
    if page.url == before or page.url == "about:blank":
        raise Unusable("there is no page before this one in this tab")
    return stage.after()


async def choose_tab(stage: Stage, _: Page, request: dict[str, Any]) -> dict[str, Any]:
    number, pages = request["tab"], stage.tabs.pages
    if number > len(pages):
        raise Unusable(f"there is no tab {number}; there are {len(pages)}")
    if request["close"]:
        await stage.tabs.close(pages[number - 1], f"tab {number} was closed")
    else:
        await stage.tabs.show(pages[number - 1])
    return {}


async def wait(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    seconds = min(request["wait_seconds"], stage.left(VIEW_SECONDS / 2))
    text = request["text"]
    if text is None:
        await (stage.downloads.finish(seconds) if stage.downloads.are_running else asyncio.sleep(seconds))
        return {}
    if not await _appears(page.frames, text, seconds):
        raise Unusable(f"the text did not appear within {seconds:g} seconds")
    return {}


async def scroll(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    wanted = [request["direction"], request["screens"]]
    if request["element"] is None:
        moved = await page.evaluate(f"wanted => ({_SCROLL})(null, wanted)", wanted)
    else:
        found = await stage.elements.find(page, request["element"])
        moved = await found.handle.evaluate(_SCROLL, wanted)
    await stage.settle()
    if not moved:
        stage.tabs.note(f"it does not scroll further {request['direction']}")
    return {}


async def screenshot(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    return {"picture": base64.b64encode(await _picture(stage, page, request)).decode()}


async def _picture(stage: Stage, page: Page, request: dict[str, Any]) -> bytes:
    form: dict[str, Any] = {"type": "jpeg", "quality": _PICTURE_QUALITY, "animations": "disabled"}
    milliseconds = stage.left(VIEW_SECONDS / 2) * 1000
    if request["element"] is not None:
        found = await stage.elements.find(page, request["element"])
        try:
            return await found.handle.screenshot(**form, timeout=_ELEMENT_MILLISECONDS)
        except Error as error:
            raise Unusable(f"{shown(request, found)} cannot be seen: {hindrance(error)}") from None
    if request["full_page"]:
        width, height = await page.evaluate(
            "[document.documentElement.clientWidth, document.documentElement.scrollHeight]"
        )
        form["clip"] = {"x": 0, "y": 0, "width": width, "height": min(height, _PICTURE_HEIGHT_LIMIT)}
        return await page.screenshot(**form, full_page=True, timeout=milliseconds)
    return await page.screenshot(**form, timeout=milliseconds)


async def download(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    url = request["url"]
    stage.downloads.begun.clear()
    trouble = await fetch_as_file(stage.tabs, page, url, stage.downloads, stage.left(2))
    if trouble:
        # To what it was led on, if that is what was refused: by the proxy, which then answers in the server's place.
        is_proxys = "403" in trouble or "broke" in trouble
        refused = next(reversed(stage.proxy.refusals.values()), None) if is_proxys else None
        raise CannotOpen(f"{url} cannot be downloaded: {stage.refusal(url) or refused or trouble}")
    await stage.downloads.finish(stage.left(1))
    return {"is_without_view": True}


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
