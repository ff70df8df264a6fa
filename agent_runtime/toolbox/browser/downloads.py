"""Files that pages give: kept in a folder of the browser's until the worker takes them, stopped when too big."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Download, Error

_LOOK_SECONDS = 0.05
_AT_ONCE_LIMIT = 10


@dataclass
class _Running:
    download: Download
    task: asyncio.Task[None]


class Downloads:
    """Those of one browser. Together, those that run may take `limit_bytes`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._running: list[_Running] = []
        self._ended: list[dict[str, Any]] = []
        self._watch: asyncio.Task[None] | None = None
        self._stopped: set[Download] = set()
        self._refused = 0
        self._dropping: asyncio.Future[None] | None = None
        self.begun = asyncio.Event()
        """Set by each that begins."""

    @property
    def are_running(self) -> bool:
        return bool(self._running)

    def begin(self, download: Download) -> None:
        """A page began one."""
        self.begun.set()
        if len(self._running) >= _AT_ONCE_LIMIT:
            self._refused += 1
            self._dropping = asyncio.ensure_future(_drop(download))
            return
        self._running.append(_Running(download, asyncio.create_task(self._follow(download))))
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._stop_what_is_too_big())

    async def finish(self, seconds: float) -> None:
        """Wait for those that run, at most so long."""
        if self._running:
            await asyncio.wait([running.task for running in self._running], timeout=seconds)

    def take(self) -> list[dict[str, Any]]:
        """What became of downloads since the last time: `name` and `url`, with `file` (its name in the folder) and
        `bytes`, or with `error`, or with `bytes_so_far` where one goes on."""
        told, self._ended = self._ended, []
        if self._refused:
            told.append({"name": f"{self._refused} more", "url": "", "error": f"over {_AT_ONCE_LIMIT} at once"})
            self._refused = 0
        so_far = self._size_of_running()
        told += [{**_named(running.download), "bytes_so_far": so_far} for running in self._running]
        return told

    async def _follow(self, download: Download) -> None:
        named = _named(download)
        try:
            failure = await download.failure()
            path = None if failure else await download.path()
        except Error as error:
            failure, path = (error.message.splitlines() or ["it broke off"])[0], None
        self._running = [running for running in self._running if running.download is not download]
        if path is not None:
            self._ended.append({**named, "file": path.name, "bytes": path.stat().st_size})
            return
        if download in self._stopped:
            failure = f"limit file_upload_max_size reached: it is over {self._limit_bytes} bytes and was stopped"
        self._ended.append({**named, "error": failure or "it broke off"})

    async def _stop_what_is_too_big(self) -> None:
        while self._running:
            if self._size_of_running() > self._limit_bytes:
                for running in self._running:
                    self._stopped.add(running.download)
                    with suppress(Error):
                        await running.download.cancel()
            await asyncio.sleep(_LOOK_SECONDS)

    def _size_of_running(self) -> int:
        done = {told["file"] for told in self._ended if "file" in told}
        total = 0
        for entry in os.scandir(self._folder):
            with suppress(OSError):
                if entry.name not in done:
                    total += entry.stat(follow_symlinks=False).st_size
        return total


def _named(download: Download) -> dict[str, str]:
    return {"name": download.suggested_filename[:300], "url": download.url[:2_000]}


async def _drop(download: Download) -> None:
    with suppress(Error):
        await download.cancel()
