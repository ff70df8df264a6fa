"""What a page loads: when it has fallen quiet, where its navigations went, and what became of them."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from playwright.async_api import Error, Page, Request, Response

_QUIET_SECONDS = 0.25
# What changes a page. Pictures and media come late, streams never end.
_COUNTED = frozenset({"document", "stylesheet", "script", "xhr", "fetch"})

_REASONS = (
    (r"ERR_CERT_\w+|ERR_SSL_\w+", "its certificate is not valid ({})"),
    (r"ERR_INVALID_AUTH_CREDENTIALS", "its server asks for a user name and password, and the browser gives none"),
    (r"ERR_TOO_MANY_REDIRECTS", "it redirects in a circle"),
    (r"ERR_(UNSAFE_PORT|BLOCKED_BY_CLIENT|ACCESS_DENIED)", "the browser does not open it ({})"),
    (r"ERR_\w*TIMED_OUT", "it did not answer in time; try again later or another source"),
    (r"ERR_(EMPTY_RESPONSE|CONNECTION_\w+|TUNNEL_CONNECTION_FAILED)", "its server broke off the connection ({})"),
)


class Traffic:
    """Of one page, from its beginning on."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open: set[Request] = set()
        self._changed = asyncio.Event()
        self.last_address = ""
        """Where the last navigation of the page itself went, reached or not."""
        self.failure: str | None = None
        """Why that navigation failed, in the browser's words."""
        self.status = 0
        """What the server answered to it; 0 where none did."""
        page.on("request", self._begin)
        page.on("response", self._answered)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._fail)
        page.on("framenavigated", lambda _: self._changed.set())

    def begin_action(self) -> None:
        """What happens from now on is the next action's."""
        self.failure = None

    async def quiet(self, seconds: float) -> bool:
        """Wait until nothing that counts has been loading for a moment, at most so long; whether it came to that."""
        deadline = asyncio.get_running_loop().time() + seconds
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(min(_QUIET_SECONDS, left)):
                    await self._changed.wait()
            except TimeoutError:
                if not self._open:
                    return True
        return False

    def _begin(self, request: Request) -> None:
        if request.resource_type in _COUNTED:
            self._open.add(request)
        if self._is_own_navigation(request):
            self.last_address, self.failure, self.status = request.url, None, 0
        self._changed.set()

    def _answered(self, response: Response) -> None:
        if self._is_own_navigation(response.request):
            self.status = response.status
            if response.status == 401 and "www-authenticate" in response.headers:
                # A Chromium without a window shows the answer's text; one with a window fails so.
                self.failure = "net::ERR_INVALID_AUTH_CREDENTIALS"

    def _end(self, request: Request) -> None:
        self._open.discard(request)
        self._changed.set()

    def _fail(self, request: Request) -> None:
        # A navigation that another one overtook has not failed.
        if self._is_own_navigation(request) and request.url == self.last_address:
            self.failure = request.failure
        self._end(request)

    def _is_own_navigation(self, request: Request) -> bool:
        # A service worker's request has no frame, nor has a window's first one before the window is there.
        with suppress(Error):
            return request.is_navigation_request() and request.frame == self._page.main_frame
        return False


def reason_of(failure: str) -> str:
    """Why a page cannot be opened, in plain words, from what the browser said."""
    code = re.search(r"ERR_\w+", failure)
    if code is None:
        return (failure.splitlines() or ["no reason given"])[0][:200]
    for pattern, words in _REASONS:
        if re.fullmatch(pattern, code[0]):
            return words.format(code[0])
    return code[0]
