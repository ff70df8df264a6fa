"""The browser of one run, as the worker holds it: a process of its own below a supervisor, spoken to in JSON lines.

A browser is a family of processes that would outlive a cancelled call one by one; the supervisor ends them together.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.beneath import open_beneath
from agent_runtime.toolbox.browser.chromium import REMEDY, find_chromium
from agent_runtime.toolbox.definition import ToolContext
from agent_runtime.toolbox.sandbox.identity import is_root
from agent_runtime.toolbox.sandbox.launch import Launch
from agent_runtime.toolbox.sandbox.running import Running, start_process
from agent_runtime.toolbox.web.egress import EgressGuard

KEY = "browser"
GONE = (
    "no page is open in the browser. It is closed when the task waits, stops or goes on elsewhere, with its tabs and "
    "logins; open the page again with browser_navigate"
)
CRASHED = "the browser crashed and was closed, with its tabs and logins; open the page again with browser_navigate"

_ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
# What it takes to start and end Chromium under another id: CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID and SETUID.
_CAPABILITIES = (0, 1, 3, 5, 6, 7)
_SPARE_SECONDS = 2.0
"""Between the time that the browser has for an action and the time after which it is taken for dead."""


class BrowserGone(Exception):
    """The process is no more, or does not answer."""


class Browser:
    """A running browser with its folder. One action at a time."""

    def __init__(self, running: Running, home: Path) -> None:
        self._running = running
        self._home = home
        self._lines = asyncio.Lock()
        self._read = bytearray()
        self._asked = 0
        self.confinement = ""
        """Under which id, and in which sandbox of its own, Chromium runs."""

    @classmethod
    async def start(cls, *, egress: EgressGuard, download_limit_bytes: int, timeout_seconds: float) -> Browser:
        """A new one, without a page. Raises `ToolRefused` with the reason and the remedy."""
        program = find_chromium()
        if program is None:
            raise ToolRefused(
                f"there is no browser on this machine. The operator can {REMEDY}. Use web_search meanwhile"
            )
        home = Path(tempfile.mkdtemp(prefix="agent-runtime-browser-"))
        settings = {
            "program": str(program),
            "home": str(home),
            "egress": egress.to_json(),
            "download_limit_bytes": download_limit_bytes,
            "seconds": timeout_seconds,
        }
        environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)}
        module = [sys.executable, "-I", "-m", "agent_runtime.toolbox.browser.process", json.dumps(settings)]
        launch = Launch(
            argv=module,
            folder=str(home),
            limits={"CORE": 0},
            environment=environment,
            capabilities=list(_CAPABILITIES) if is_root() else [],
        )
        try:
            running = await _started(start_process(launch))
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
        browser = cls(running, home)
        try:
            async with asyncio.timeout(timeout_seconds):
                first = await browser._answer()
            if "error" in first:
                raise ToolRefused(str(first["error"]))
            browser.confinement = first["ready"]
        except TimeoutError:
            await browser.close()
            raise ToolRefused(
                f"the browser did not start within {timeout_seconds:g} seconds; try again later"
            ) from None
        except BrowserGone as gone:
            await browser.close()
            raise ToolRefused(f"the browser did not start: {gone}") from None
        except BaseException:
            await browser.close()
            raise
        return browser

    async def do(self, action: str, timeout_seconds: float, **arguments: Any) -> dict[str, Any]:
        """Do an action of `actions.py`. Raises `BrowserGone`; after that or a cancellation it is to be closed."""
        async with self._lines:
            self._asked += 1
            seconds = max(timeout_seconds - _SPARE_SECONDS, 0.5)
            request = {"id": self._asked, "do": action, "seconds": seconds, **arguments}
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._running.write(json.dumps(request).encode() + b"\n")
                    while (answer := await self._answer()).get("id") != self._asked:
                        if "error" in answer:
                            raise BrowserGone(answer["error"])
                    return answer
            except TimeoutError:
                raise BrowserGone(f"it did not answer within {timeout_seconds:g} seconds") from None
            except BrokenPipeError:
                raise BrowserGone("it ended between two calls") from None

    def put_upload(self, name: str, content: bytes) -> str:
        """Lay a file where Chromium can read it; its path for the action `upload`."""
        folder = Path(tempfile.mkdtemp(dir=self._home / "uploads"))
        folder.chmod(0o711)
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o644)
        return str(path.relative_to(self._home / "uploads"))

    def take_download(self, name: str, limit_bytes: int) -> bytes:
        """The bytes of a finished download; there it is removed. Raises `OSError`, and `ValueError` over the limit."""
        # Chromium's id owns the folder, and what lies there could be a link by now.
        descriptor = open_beneath(self._home / "downloads", name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(limit_bytes + 1)
        with suppress(OSError):
            (self._home / "downloads" / name).unlink()
        if len(content) > limit_bytes:
            raise ValueError(f"it is over {limit_bytes} bytes")
        return content

    async def close(self) -> None:
        """End it with every process of it, and remove its folder."""
        await self._running.close()
        await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)

    async def _answer(self) -> dict[str, Any]:
        while (end := self._read.find(b"\n")) < 0:
            chunk = await self._running.read()
            if not chunk or len(self._read) > _ANSWER_LIMIT_BYTES:
                last = (self._running.errors.strip().splitlines() or ["it gave no reason"])[-1]
                raise BrowserGone(last[:300])
            self._read += chunk
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        answer: dict[str, Any] = json.loads(line)
        return answer


async def _started(starting: Coroutine[Any, Any, Running]) -> Running:
    """What was started; when this task is cancelled meanwhile, it is ended in order first."""
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await (await task).close()
        raise


async def act(context: ToolContext, action: str, *, opens: bool = False, **arguments: Any) -> dict[str, Any]:
    """Do an action with the run's browser. `opens`: where there is none, start one.

    Raises `ToolRefused` when there is none, and when it is gone; then the next call that opens starts a new one.
    """
    # The action's own limit comes first, so that what the page showed until then is not lost.
    deadline = asyncio.get_running_loop().time() + max(context.timeout_seconds - 2, 1)

    async def start() -> Browser:
        return await Browser.start(
            egress=context.egress.allowing(context.config.get("allow_hosts")),
            download_limit_bytes=context.file_limit_bytes,
            timeout_seconds=max(deadline - asyncio.get_running_loop().time(), 1),
        )

    browser = await context.sessions.get(KEY, Browser, start) if opens else context.sessions.find(KEY, Browser)
    if browser is None:
        raise ToolRefused(GONE)
    try:
        seconds = max(deadline - asyncio.get_running_loop().time(), 1)
        return await browser.do(action, seconds, picture=context.vision, **arguments)
    except BrowserGone as gone:
        await context.sessions.close(KEY)
        raise ToolRefused(f"{CRASHED} ({gone})") from None
    except asyncio.CancelledError:
        # Half an action has no answer, and the next call must not get it.
        await context.sessions.close(KEY)
        raise


def bring_uploads(context: ToolContext, paths: Sequence[str]) -> list[str]:
    """Copy files of the workspace to where the browser can read them; their paths for the action `upload`.

    Raises `ToolRefused` for a file that cannot be read, and when there is no browser.
    """
    browser = context.sessions.find(KEY, Browser)
    if browser is None:
        raise ToolRefused(GONE)
    contents = [(Path(path).name, context.workspace.read_bytes(path)) for path in paths]
    return [browser.put_upload(name, content) for name, content in contents]
