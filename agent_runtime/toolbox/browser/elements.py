"""Reads what a page shows, frames included, and finds its elements again by their numbers."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import ElementHandle, Error, Frame, JSHandle, Page

_SCRIPT = Path(__file__).with_name("elements.js").read_text(encoding="utf-8")
_FRAME_LIMITS = {"nodes": 50_000, "characters": 300_000, "milliseconds": 1_500}
_FRAMES_LIMIT = 30
_FRAMES_DEPTH = 5
_LINES_LIMIT = 8_000
_PAGE_SECONDS = 20.0
_FRAME_SECONDS = 5.0


class Unusable(Exception):
    """An action that cannot be done as asked; the text says why, and the model gets the present view with it."""


@dataclass
class Seen:
    """What a page shows. `lines` are in its order; `first` is the first of them that is in the window."""

    lines: list[str] = field(default_factory=list)
    first: int | None = None
    controls: int = 0
    cut: bool = False
    """There was more than the limits let through."""
    status: int = 0
    """What the server answered; 0 where that is not known."""
    top: int = 0
    window: int = 0
    height: int = 0
    """Of the window's upper edge, its height, and the height of the page, in pixels."""


@dataclass
class Found:
    """An element, in the frame that it is in."""

    handle: ElementHandle
    frame: Frame
    what: str
    tag: str
    type: str
    address: str
    is_editable: bool
    is_disabled: bool
    options: list[tuple[str, str]]
    """Of a select: label and value of each."""


class Elements:
    """The numbered elements of one browser: a number is given once, whatever page is open."""

    def __init__(self) -> None:
        self._next = 1
        self._registries: dict[Frame, JSHandle] = {}
        self._of: dict[Page, set[Frame]] = {}

    async def see(self, page: Page) -> Seen:
        """What the page shows now. Raises `TimeoutError` when it does not answer."""
        seen = Seen()
        self._of[page] = set()
        count = itertools.count(1)
        top = await self._collect(page, page.main_frame, seen, "", count, 0)
        seen.status, seen.top, seen.window, seen.height = top["status"], top["top"], top["window"], top["height"]
        return seen

    async def find(self, page: Page, number: int) -> Found:
        """The element of that number in the page. Raises `Unusable` when there is none or it became another."""
        for frame in self._of.get(page, ()):
            registry = self._registries.get(frame)
            if registry is None:
                continue
            # A frame that went elsewhere took its elements along.
            with suppress(Error):
                async with asyncio.timeout(_PAGE_SECONDS):
                    means = await registry.evaluate("(registry, number) => registry.means(number)", number)
                    if means is False:
                        raise Unusable(f"[{number}] is stale: it is gone or became something else since it was shown")
                    if means:
                        return await _found(registry, frame, number)
        raise Unusable(f"[{number}] is stale or was never shown: there is no such element on the page as it is now")

    def forget(self, page: Page) -> None:
        """The page was closed."""
        for frame in self._of.pop(page, ()):
            self._registries.pop(frame, None)

    async def _collect(
        self, page: Page, frame: Frame, seen: Seen, indent: str, count: itertools.count[int], depth: int
    ) -> dict[str, Any]:
        async with asyncio.timeout(_FRAME_SECONDS if depth else _PAGE_SECONDS):
            registry, answer = await self._read(frame)
        self._of[page].add(frame)
        self._next = answer["next"]
        seen.controls += answer["controls"]
        seen.cut = seen.cut or answer["cut"]
        for text, what in answer["lines"]:
            if len(seen.lines) >= _LINES_LIMIT:
                seen.cut = True
                break
            if text is None:
                await self._collect_inner(page, registry, what, seen, indent, count, depth)
                continue
            if what and seen.first is None and not depth:
                seen.first = len(seen.lines)
            seen.lines.append(indent + text)
        return answer

    async def _collect_inner(
        self, page: Page, outer: JSHandle, index: int, seen: Seen, indent: str, count: itertools.count[int], depth: int
    ) -> None:
        if next(count) > _FRAMES_LIMIT or depth >= _FRAMES_DEPTH:
            seen.lines.append(f"{indent}(a frame that is not shown: there are too many)")
            return
        frame = None
        with suppress(Error):
            handle = (await outer.evaluate_handle("(registry, n) => registry.frame(n)", index)).as_element()
            frame = await handle.content_frame() if handle else None
        if frame is None:
            return
        seen.lines.append(f"{indent}frame of {host_of(frame.url) or 'the page'}:")
        try:
            await self._collect(page, frame, seen, indent + "  ", count, depth + 1)
        except (Error, TimeoutError):
            seen.lines.append(f"{indent}  (it does not answer)")
        seen.lines.append(f"{indent}end of the frame")

    async def _read(self, frame: Frame) -> tuple[JSHandle, dict[str, Any]]:
        registry = self._registries.get(frame)
        if registry is not None:
            with suppress(Error):
                return registry, await self._ask(registry)
        # The document is another one, or was left while it was read.
        for attempt in range(3):
            try:
                registry = await frame.evaluate_handle(_SCRIPT)
                self._registries[frame] = registry
                return registry, await self._ask(registry)
            except Error:
                if attempt == 2 or frame.is_detached():
                    raise
                await frame.wait_for_load_state("domcontentloaded")
        raise AssertionError("unreachable")

    async def _ask(self, registry: JSHandle) -> dict[str, Any]:
        limits = {**_FRAME_LIMITS, "next": self._next}
        answer: dict[str, Any] = await registry.evaluate("(registry, limits) => registry.collect(limits)", limits)
        return answer


async def _found(registry: JSHandle, frame: Frame, number: int) -> Found:
    about = await registry.evaluate("(registry, number) => registry.about(number)", number)
    handle = (await registry.evaluate_handle("(registry, number) => registry.element(number)", number)).as_element()
    if handle is None:
        raise Unusable(f"[{number}] is stale: it is gone")
    return Found(
        handle=handle,
        frame=frame,
        what=about["what"],
        tag=about["tag"],
        type=about["type"],
        address=about["address"],
        is_editable=about["isEditable"],
        is_disabled=about["isDisabled"],
        options=[(label, value) for label, value in about["options"]],
    )


def host_of(url: str) -> str:
    """`host` or `host:port` of a web address; nothing of any other."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return name if port in (None, 443 if parts.scheme == "https" else 80) else f"{name}:{port}"


def host_of_frame(frame: Frame) -> str:
    """The host that a frame belongs to; one without an address of its own belongs to what is around it."""
    around: Frame | None = frame
    while around is not None:
        if host := host_of(around.url):
            return host
        around = around.parent_frame
    return ""
