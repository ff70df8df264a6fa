"""Finds a Chromium."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

REMEDY = "run `playwright install chromium` or install the system's package (`apt install chromium-headless-shell`)"

# Chromium without a window: it starts in two thirds of the time and takes two thirds of the memory.
_SHELL = "chromium-headless-shell"
# What Debian has on PATH is a script that would stay between us and the browser.
_SHELL_ITSELF = Path("/usr/lib/chromium/chromium-headless-shell")
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC_PROGRAMS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_PLAYWRIGHT_PROGRAMS = (
    "chromium_headless_shell-*/*/*headless*shell",
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)


def find_chromium() -> Path | None:
    """The person's Playwright browser if there is one, else Chromium or Chrome of the system, else None."""
    for pattern in _PLAYWRIGHT_PROGRAMS:
        # The highest build number is the newest.
        found = sorted(_playwright_folder().glob(pattern), key=lambda path: (len(path.parts[-3]), str(path)))
        if found:
            return found[-1]
    if shell := shutil.which(_SHELL):
        return _SHELL_ITSELF if os.access(_SHELL_ITSELF, os.X_OK) else Path(shell)
    for name in _PROGRAMS:
        if program := shutil.which(name):
            return Path(program)
    return next((Path(program) for program in _MAC_PROGRAMS if Path(program).exists()), None)


def _playwright_folder() -> Path:
    chosen = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if chosen and chosen != "0":
        return Path(chosen)
    cache = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / cache / "ms-playwright"
