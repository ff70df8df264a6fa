"""Actions on the elements of a page: click, type, choose, upload. Each names the host that it means to act on."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Error, Frame, Page
from playwright.async_api import TimeoutError as TookTooLong

from agent_runtime.toolbox.browser.elements import Found, Unusable, host_of_frame
from agent_runtime.toolbox.browser.stage import Stage, first_line

_ELEMENT_MILLISECONDS = 10_000
_FORMS = {
    "date": "2026-01-31",
    "time": "13:45",
    "datetime-local": "2026-01-31T13:45",
    "month": "2026-01",
    "week": "2026-W05",
    "number": "a number such as 12.5",
}
_NOT_TYPED = frozenset({"checkbox", "radio", "file", "submit", "button", "reset", "image"})


async def click(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    found = await _find(stage, page, request)
    if found.tag == "SELECT":
        raise Unusable(f"{shown(request, found)} is a list: choose from it with browser_select")
    if found.type == "file":
        raise Unusable(f"{shown(request, found)} takes files: give it one with browser_upload")
    try:
        await _press(found, clicks=2 if request["double"] else 1)
    except Error as error:
        raise Unusable(f"{shown(request, found)} was not clicked: {hindrance(error)}") from None
    await stage.settle()
    return stage.after()


async def type_text(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    found = await _find(stage, page, request)
    text, key = request["text"], request["press"]
    is_field = found.is_editable or found.tag == "TEXTAREA" or found.tag == "INPUT"
    if text is not None and (not is_field or found.type in _NOT_TYPED):
        raise Unusable(f"{shown(request, found)} takes no text; click it instead")
    try:
        if text is not None and request["clear"]:
            await found.handle.fill(text, timeout=_ELEMENT_MILLISECONDS)
            if found.type in _FORMS and not await found.handle.input_value():
                raise Unusable(f"{shown(request, found)} did not take it: it wants {_FORMS[found.type]}")
        elif text is not None:
            await found.handle.focus()
            await page.keyboard.press("End")
            await page.keyboard.insert_text(text)
        if key is not None:
            await found.handle.press(key, timeout=_ELEMENT_MILLISECONDS, no_wait_after=True)
    except Error as error:
        raise Unusable(f"{shown(request, found)} did not take it: {hindrance(error)}") from None
    await stage.settle()
    return stage.after()


async def select(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    found = await _find(stage, page, request)
    if found.tag != "SELECT":
        raise Unusable(f"{shown(request, found)} is no list of the browser's: click it, then click what it offers")
    try:
        indexes = [_option(found.options, wanted) for wanted in request["options"]]
        await found.handle.select_option(index=indexes, timeout=_ELEMENT_MILLISECONDS)
    except Error as error:
        raise Unusable(f"{shown(request, found)} did not take it: {hindrance(error)}") from None
    await stage.settle()
    return stage.after()


async def upload(stage: Stage, page: Page, request: dict[str, Any]) -> dict[str, Any]:
    files = [stage.uploads / name for name in request["files"]]
    if request["element"] is None:
        if stage.tabs.chooser is None or stage.tabs.chooser[0] is not page:
            raise Unusable("the page asks for no file now: name the element that takes it")
        chooser = stage.tabs.chooser[1]
        _check_host(await chooser.element.owner_frame() or page.main_frame, request["on"])
    else:
        found = await _find(stage, page, request)
        if found.type == "file":
            try:
                await found.handle.set_input_files(files, timeout=_ELEMENT_MILLISECONDS)
            except Error as error:
                raise Unusable(f"{shown(request, found)} did not take it: {hindrance(error)}") from None
            await stage.settle()
            return stage.after()
        try:
            async with page.expect_file_chooser(timeout=_ELEMENT_MILLISECONDS) as choosing:
                await _press(found)
            chooser = await choosing.value
        except Error:
            raise Unusable(f"{shown(request, found)} did not ask for a file") from None
    stage.tabs.chooser = None
    if len(files) > 1 and not chooser.is_multiple():
        raise Unusable("the page takes one file only")
    await chooser.set_files(files, timeout=_ELEMENT_MILLISECONDS)
    await stage.settle()
    return stage.after()


async def _find(stage: Stage, page: Page, request: dict[str, Any]) -> Found:
    found = await stage.elements.find(page, request["element"])
    _check_host(found.frame, request["on"])
    if found.is_disabled:
        raise Unusable(f"{shown(request, found)} is disabled as the page is now")
    return found


async def _press(found: Found, clicks: int = 1) -> None:
    try:
        await found.handle.click(timeout=_ELEMENT_MILLISECONDS, click_count=clicks, no_wait_after=True)
    except TookTooLong:
        if found.type not in ("checkbox", "radio"):
            raise
        # Many pages draw their own box over the real one, and its label is what people click.
        await found.handle.evaluate("field => (field.labels?.[0] ?? field).click()")


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


def shown(request: dict[str, Any], found: Found) -> str:
    return f"[{request['element']}] {found.what}"


def hindrance(error: Error) -> str:
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
    return first_line(error)
