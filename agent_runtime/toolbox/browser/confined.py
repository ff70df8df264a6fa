"""Starts Chromium with as few rights as this machine lets it have.

A worker that is root starts it under an id of its own, with Chromium's own sandbox below that; any other worker has no
id to give away, and Chromium's sandbox is never switched off for it.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import BrowserContext, Error, Playwright
from playwright.async_api import TimeoutError as TookTooLong

from agent_runtime.toolbox.sandbox.identity import is_root
from agent_runtime.toolbox.web.egress_proxy import EgressProxy

# In the same range as the commands' id (identity.py), and another one: neither can touch the other's processes.
BROWSER_UID = 61_001

_FEW_RIGHTS = Path(__file__).with_name("few_rights.py")

WINDOW = {"width": 1280, "height": 720}

# Chromium talks to its maker unasked, and WebRTC and QUIC would go around the proxy.
_OPTIONS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-quic",
    "--disable-breakpad",
    "--disable-dev-shm-usage",
    "--disable-features=AsyncDns,AutofillServerCommunication,DnsOverHttps,MediaRouter,OptimizationHints,Translate",
    "--dns-prefetch-disable",
    # Where it would ask who is signed in to it. Nobody is.
    "--gaia-url=http://127.0.0.1:9/",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    # Without it, loopback would bypass the proxy.
    "--proxy-bypass-list=<-loopback>",
)
_PREFERENCES = {
    # A document that only a viewer could show is a file to the model.
    "plugins": {"always_open_pdf_externally": True},
    # What follows would tell Chromium's maker of forms, passwords and visits.
    "autofill": {"enabled": False, "profile_enabled": False, "credit_card_enabled": False},
    "credentials_enable_service": False,
    "profile": {"password_manager_enabled": False, "password_manager_leak_detection": False},
    "safebrowsing": {"enabled": False},
    "search": {"suggest_enabled": False},
    "webrtc": {"ip_handling_policy": "disable_non_proxied_udp"},
    "signin": {"allowed": False, "allowed_on_next_startup": False},
}


@dataclass(frozen=True)
class Way:
    """One way to start Chromium."""

    own_id: bool
    sandbox: bool
    """Chromium's own."""

    def describe(self) -> str:
        """What holds, in words."""
        sandbox = "Chromium's own sandbox" if self.sandbox else "without Chromium's own sandbox"
        return f"id {BROWSER_UID}, {sandbox}" if self.own_id else f"the worker's own user, {sandbox}"


def ways(program: Path) -> list[Way]:
    """Those that may be tried here, the best first."""
    if not is_root():
        return [Way(own_id=False, sandbox=True)]
    # Root's Chromium has no sandbox of its own; it does not start with one.
    if not others_can_run(program):
        return [Way(own_id=False, sandbox=False)]
    return [Way(own_id=True, sandbox=True), Way(own_id=True, sandbox=False), Way(own_id=False, sandbox=False)]


def others_can_run(program: Path) -> bool:
    """Whether an id that owns nothing reaches the program."""
    found = program.resolve()
    return all(path.stat().st_mode & 0o001 for path in (found, *found.parents, *program.absolute().parents))


async def start(
    playwright: Playwright, program: Path, home: Path, proxy: EgressProxy, seconds: float
) -> tuple[BrowserContext, Way]:
    """A browser in `home`, whose every connection goes through the proxy. Raises Playwright's `Error`."""
    *others, last = ways(program)
    for way in others:
        try:
            return await _start(playwright, program, home, proxy, seconds / 2, way), way
        except TookTooLong:
            raise
        except Error:
            # A container that forbids namespaces forbids Chromium's sandbox.
            continue
    return await _start(playwright, program, home, proxy, seconds, last), last


async def _start(
    playwright: Playwright, program: Path, home: Path, proxy: EgressProxy, seconds: float, way: Way
) -> BrowserContext:
    own = home / "own"
    environment = {"PATH": os.environ["PATH"], "LANG": os.environ["LANG"], "HOME": str(own), "TMPDIR": str(own)}
    folders(home, way)
    if way.own_id:
        program = _under_own_id(program, home)
    started = await playwright.chromium.launch_persistent_context(
        own / "profile",
        executable_path=program,
        chromium_sandbox=way.sandbox,
        args=list(_OPTIONS),
        env={**environment},
        proxy={"server": f"http://127.0.0.1:{proxy.port}", "username": "egress", "password": proxy.password},
        downloads_path=home / "downloads",
        timeout=seconds * 1000,
    )
    assert started.browser is not None
    # Not the profile's own pages: what Chromium does for those, such as filling in forms, it does not do for a guest's.
    return await started.browser.new_context(
        accept_downloads=True, viewport={"width": WINDOW["width"], "height": WINDOW["height"]}
    )


def folders(home: Path, way: Way) -> None:
    """Make what the browser writes to and reads from: `own`, `downloads` and `uploads`, its id's alone."""
    # To be entered by the browser's id, which can then open its own folders only.
    home.chmod(0o711)
    preferences = home / "own" / "profile" / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True, exist_ok=True)
    preferences.write_text(json.dumps(_PREFERENCES), encoding="utf-8")
    for name in ("downloads", "uploads"):
        (home / name).mkdir(exist_ok=True)
    if way.own_id:
        for path in [home / "downloads", home / "own", *(home / "own").rglob("*")]:
            os.chown(path, BROWSER_UID, BROWSER_UID, follow_symlinks=False)
    for name in ("own", "downloads"):
        (home / name).chmod(0o700)


def _under_own_id(program: Path, home: Path) -> Path:
    """A program that starts this one under the browser's id."""
    words = [sys.executable, "-I", "-S", str(_FEW_RIGHTS), str(BROWSER_UID), str(program)]
    script = home / "chromium"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return script
