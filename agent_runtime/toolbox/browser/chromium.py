"""Finds a Chromium and reads a page with it.

The visit happens in a process of its own (page.py) below a supervisor, because a browser is a family of processes that
would outlive a cancelled call one by one.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.isolated import run_isolated

REMEDY = "run `playwright install chromium` or install the system's package (`apt install chromium`)"

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC_PROGRAMS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_PLAYWRIGHT_PROGRAMS = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium_headless_shell-*/*/*headless*shell",
)


def find_chromium() -> Path | None:
    """The person's Playwright browser if there is one, else Chromium or Chrome of the system, else None."""
    for pattern in _PLAYWRIGHT_PROGRAMS:
        # The highest build number is the newest.
        found = sorted(_playwright_folder().glob(pattern), key=lambda path: (len(path.parts[-3]), str(path)))
        if found:
            return found[-1]
    for name in _PROGRAMS:
        if program := shutil.which(name):
            return Path(program)
    return next((Path(program) for program in _MAC_PROGRAMS if Path(program).exists()), None)


async def read_page(url: str, *, allow_hosts: Sequence[str], timeout_seconds: float) -> dict[str, Any]:
    """What a page shows: `url` (where it ended up), `status`, `title`, `text`, `links` as pairs of address and label.

    Raises `ToolRefused` with the remedy when there is no Chromium, and with the reason when the page cannot be opened.
    """
    program = find_chromium()
    if program is None:
        raise ToolRefused(f"there is no browser on this machine. The operator can {REMEDY}. Use web_search meanwhile")
    request = {
        "url": url,
        "program": str(program),
        "allow_hosts": list(allow_hosts),
        "timeout_seconds": timeout_seconds / 2,
    }
    with tempfile.TemporaryDirectory(prefix="agent-runtime-browser-", ignore_cleanup_errors=True) as home:
        return await run_isolated(
            "agent_runtime.toolbox.browser.page",
            request,
            timeout_seconds=timeout_seconds,
            folder=home,
            environment={"HOME": home, "TMPDIR": home},
            limits={"CORE": 0},
        )


def _playwright_folder() -> Path:
    chosen = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if chosen and chosen != "0":
        return Path(chosen)
    cache = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / cache / "ms-playwright"
