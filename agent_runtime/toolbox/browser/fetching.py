"""Downloads what an address holds as a file, also what the browser would rather show."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from playwright.async_api import CDPSession, Error, Page

from agent_runtime.toolbox.browser.downloads import Downloads
from agent_runtime.toolbox.browser.tabs import Tabs
from agent_runtime.toolbox.browser.traffic import reason_of

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def fetch_as_file(tabs: Tabs, page: Page, url: str, downloads: Downloads, seconds: float) -> str | None:
    """Begin the download of `url`, with the cookies of the browser, in a tab of its own. None, or why it did not begin.

    The answer's head is changed on its way so that the browser saves the body instead of showing it.
    """
    tab = await page.context.new_page()
    failed: list[str] = []
    try:
        session = await page.context.new_cdp_session(tab)
        session.on("Fetch.requestPaused", lambda event: asyncio.ensure_future(_save(session, event, failed)))
        await session.send("Fetch.enable", {"patterns": [{"resourceType": "Document", "requestStage": "Response"}]})
        going = asyncio.ensure_future(tab.goto(url, wait_until="commit", timeout=seconds * 1000, referer=page.url))
        begun = asyncio.ensure_future(downloads.begun.wait())
        try:
            await asyncio.wait({going, begun}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            # The two are told independently of each other.
            if not begun.done():
                await asyncio.wait({begun}, timeout=1)
        finally:
            begun.cancel()
            going.cancel()
            done = await asyncio.gather(going, return_exceptions=True)
        if downloads.begun.is_set():
            return None
        if failed:
            return failed[0]
        return reason_of(done[0].message) if isinstance(done[0], Error) else "it did not answer in time"
    finally:
        with suppress(TimeoutError):
            await tabs.leave(tab, page)


async def _save(session: CDPSession, event: dict[str, Any], failed: list[str]) -> None:
    status = event.get("responseStatusCode", 0)
    answer: dict[str, Any] = {"requestId": event["requestId"]}
    with suppress(Error):
        if "responseErrorReason" in event or status in _REDIRECTS:
            await session.send("Fetch.continueRequest", answer)
        elif status >= 400:
            failed.append(f"the server answered with status {status}")
            await session.send("Fetch.failRequest", {**answer, "errorReason": "Aborted"})
        else:
            given = event.get("responseHeaders", [])
            headers = [header for header in given if header["name"].lower() != "content-disposition"]
            named = (header["value"].partition(";")[2] for header in given if header not in headers)
            headers.append({"name": "Content-Disposition", "value": f"attachment;{next(named, '')}".rstrip(";")})
            await session.send("Fetch.continueResponse", {**answer, "responseCode": status, "responseHeaders": headers})
