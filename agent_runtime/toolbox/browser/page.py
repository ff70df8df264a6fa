"""One visit to one page with a Chromium of its own; run by browser.py in a process of its own.

Every connection goes through the egress proxy, which checks it and says why it was refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Error, Page, Playwright, Request, TimeoutError, async_playwright

from agent_runtime.toolbox.sandbox.identity import is_root
from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.web.egress_proxy import EgressProxy, egress_proxy

_TEXT_LIMIT_CHARACTERS = 1_000_000
_LINKS_LIMIT = 50
_SETTLE_MILLISECONDS = 3_000
_LINKS_SCRIPT = "links => links.slice(0, 500).map(link => [link.href, link.innerText.trim().slice(0, 120)])"

# Chromium talks to its maker unasked, and WebRTC and QUIC would go around the proxy.
_OPTIONS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-quic",
    "--disable-breakpad",
    "--disable-dev-shm-usage",
    "--disable-features=AsyncDns,DnsOverHttps,OptimizationHints,MediaRouter,Translate",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    # Without it, loopback would bypass the proxy.
    "--proxy-bypass-list=<-loopback>",
)


class CannotOpen(Exception):
    """The page cannot be opened; the text says why."""


async def visit(request: dict[str, Any]) -> dict[str, Any]:
    """See `read_page`; a page that cannot be opened is a dict with `error`."""
    async with egress_proxy(EgressGuard(request["allow_hosts"])) as proxy, async_playwright() as playwright:
        browser = await _launch(playwright, proxy, request)
        try:
            page = await browser.new_page(accept_downloads=False, service_workers="block")
            return await _read(page, proxy, request["url"], request["timeout_seconds"] * 1000)
        except CannotOpen as problem:
            return {"error": f"{request['url']} cannot be opened: {problem}"}
        finally:
            await browser.close()


async def _launch(playwright: Playwright, proxy: EgressProxy, request: dict[str, Any]) -> Browser:
    return await playwright.chromium.launch(
        executable_path=request["program"],
        # Chromium's own sandbox does not start for root.
        chromium_sandbox=not is_root(),
        args=list(_OPTIONS),
        env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG")},
        proxy={"server": f"http://127.0.0.1:{proxy.port}", "username": "egress", "password": proxy.password},
        timeout=request["timeout_seconds"] * 1000,
    )


async def _read(page: Page, proxy: EgressProxy, url: str, timeout_milliseconds: float) -> dict[str, Any]:
    visited: list[str] = []
    statuses: list[int] = []

    def note(made: Request) -> None:
        if made.is_navigation_request() and made.frame == page.main_frame:
            visited.append(made.url)

    page.on("request", note)
    page.on("response", lambda response: statuses.append(response.status) if response.url == page.url else None)
    try:
        response = await page.goto(url, wait_until="commit", timeout=timeout_milliseconds)
    except Error as error:
        raise CannotOpen(_reason(error, proxy)) from None
    # Some pages never finish or never fall silent; what they show by then is what there is.
    with suppress(TimeoutError):
        await page.wait_for_load_state("domcontentloaded", timeout=timeout_milliseconds / 4)
    with suppress(TimeoutError):
        await page.wait_for_load_state("networkidle", timeout=min(_SETTLE_MILLISECONDS, timeout_milliseconds / 4))
    last = urlsplit(visited[-1] if visited else url)
    refused = proxy.refusals.get(f"{last.hostname}:{last.port or (443 if last.scheme == 'https' else 80)}")
    if refused:
        raise CannotOpen(refused)
    return {
        "url": page.url,
        "status": statuses[-1] if statuses else response.status if response else 0,
        "title": await page.title(),
        "text": (await page.inner_text("body"))[:_TEXT_LIMIT_CHARACTERS],
        "links": await _links(page),
    }


async def _links(page: Page) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for target, label in await page.locator("a[href]").evaluate_all(_LINKS_SCRIPT):
        if target.startswith(("http://", "https://")):
            found.setdefault(target, " ".join(label.split()))
    return list(found.items())[:_LINKS_LIMIT]


def _reason(error: Error, proxy: EgressProxy) -> str:
    if proxy.refusals:
        return next(reversed(proxy.refusals.values()))
    if isinstance(error, TimeoutError):
        return "it did not answer in time; try again later or another source"
    code = re.search(r"net::(ERR_\w+)", error.message)
    reason = code[1] if code else error.message.splitlines()[0][:200]
    return "it is a download, not a page" if reason == "ERR_ABORTED" else reason


if __name__ == "__main__":
    try:
        answer = asyncio.run(visit(json.loads(sys.argv[1])))
    except Error as problem:
        answer = {"error": f"the browser failed: {(problem.message.splitlines() or ['no reason given'])[0][:300]}"}
    sys.stdout.write(json.dumps(answer))
