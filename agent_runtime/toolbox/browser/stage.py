"""The open browser, as the actions on it share it."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Page

from agent_runtime.toolbox.browser.downloads import Downloads
from agent_runtime.toolbox.browser.elements import Elements
from agent_runtime.toolbox.browser.tabs import Tabs
from agent_runtime.toolbox.browser.traffic import reason_of
from agent_runtime.toolbox.web.egress_proxy import EgressProxy

VIEW_SECONDS = 20.0
"""Kept of a call's time for reading the page at its end."""
_QUIET_SECONDS = 3.0


class CannotOpen(Exception):
    """A page that cannot be opened; the text says why. There is no view of it."""


@dataclass
class Stage:
    """One browser and the action that is under way. `uploads` is the folder with the files that the worker brings."""

    tabs: Tabs
    elements: Elements
    downloads: Downloads
    proxy: EgressProxy
    uploads: Path
    deadline: float = 0.0
    """When the action has to be over, by the loop's clock."""

    def left(self, reserved_seconds: float) -> float:
        """Seconds that are left of the call's, less what is to be kept; never nothing at all."""
        return max(self.deadline - asyncio.get_running_loop().time() - reserved_seconds, 0.5)

    async def settle(self) -> None:
        """Wait until the page that is the current one by then has fallen quiet; some never do."""
        page = await self.tabs.page()
        with suppress(KeyError, Error):
            await self.tabs.traffic(page).quiet(min(_QUIET_SECONDS, self.left(VIEW_SECONDS / 2)))
            if self.tabs.current is page:
                await page.wait_for_load_state("domcontentloaded", timeout=min(3.0, self.left(VIEW_SECONDS / 2)) * 1000)

    async def present(self) -> dict[str, Any]:
        """The view of the current page."""
        page = await self.tabs.page()
        seen = await self.elements.see(page)
        tabs = self.tabs.pages
        view: dict[str, Any] = {
            "url": page.url,
            "title": await page.title(),
            "status": self.tabs.traffic(page).status or seen.status,
            "tab": tabs.index(page) + 1,
            "tabs": [other.url for other in tabs],
        }
        return {**vars(seen), **view}

    def after(self) -> dict[str, Any]:
        """The answer to an action that may have led elsewhere."""
        current = self.tabs.current
        if current is None or not (trouble := self.trouble(current)):
            return {}
        address = self.tabs.traffic(current).last_address or current.url
        return {
            "error": f"it led to {address}, which cannot be opened: {trouble}. Go back with browser_back",
            "is_without_view": True,
        }

    def trouble(self, page: Page) -> str | None:
        """Why the page is not what was to be opened, if so."""
        traffic = self.tabs.traffic(page)
        if refusal := self.refusal(traffic.last_address or page.url):
            return refusal
        if traffic.failure is not None and "ERR_ABORTED" not in traffic.failure:
            return reason_of(traffic.failure)
        return None

    def why(self, page: Page, message: str) -> str:
        """Why an address cannot be opened: in the guard's words or, if it is not its doing, the browser's."""
        return self.refusal(self.tabs.traffic(page).last_address) or reason_of(message)

    def refusal(self, address: str) -> str | None:
        """What the guard said of the address during this action."""
        try:
            parts = urlsplit(address)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return None
        return self.proxy.refusals.get(f"{parts.hostname}:{port}")


def first_line(error: Error) -> str:
    first = (error.message.splitlines() or ["no reason given"])[0]
    return re.sub(r"^\w+\.\w+: ", "", first)[:300]
