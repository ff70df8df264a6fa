"""Makes of the browser's answer what the model reads, with its downloads in the workspace and its picture as a file."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import PurePosixPath
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.browser.session import KEY, Browser
from agent_runtime.toolbox.definition import ToolContext, ToolResult

DOWNLOADS = "downloads"
SCREENSHOTS = "screenshots"
_NAME_LIMIT_BYTES = 120
_HEAD_BYTES = 3_000
"""Kept of a tool's output for what is around the page's lines."""


async def result_of(
    context: ToolContext, answer: dict[str, Any], part: int | None = None, *, fails_by_status: bool = False
) -> ToolResult:
    """What a call gave: what happened, then the page, or the part of it that is in the window or was asked for.

    `fails_by_status`: a page that the server answers with 400 or more is a failure.
    """
    told = [f"note: {note}" for note in answer["notes"]]
    saved = [await _saved(context, download) for download in answer["downloads"]]
    told += [text for text, _ in saved]
    data: dict[str, Any] = {}
    if files := [path for _, path in saved if path]:
        data["downloads"] = files
    images = []
    if "picture" in answer:
        path = await _keep_picture(context, base64.b64decode(answer["picture"]))
        images.append(path)
        data["picture"] = path
        told.insert(0, f"the picture is in {path}")
    sources = [download["url"] for download in answer["downloads"] if download["url"].startswith("http")]
    error = answer.get("error")
    blocks = [error] if error else []
    if told:
        blocks.append("\n".join(told))
    view = answer.get("view")
    if view is not None:
        sources.insert(0, view["url"])
        page, shown = _page(view, context.output_limit_bytes - _HEAD_BYTES, part)
        blocks.append(page)
        data |= {"url": view["url"], "title": view["title"], "status": view["status"], "elements": view["controls"]}
        # A page may show again what was typed into it, so what it shows is not only what others wrote.
        data |= {"typed": answer["typed"]}
        data |= {"tab": view["tab"], "tabs": len(view["tabs"]), **shown}
    is_bad = fails_by_status and view is not None and view["status"] >= 400
    return ToolResult(
        content="\n\n".join(blocks),
        data=data,
        failed=error is not None or is_bad,
        images=images,
        sources=list(dict.fromkeys(sources)),
    )


def _page(view: dict[str, Any], limit_bytes: int, part: int | None) -> tuple[str, dict[str, Any]]:
    """The page for the model, and for the record which part of it that is."""
    head = [
        f"URL: {view['url']}",
        f"title: {view['title']}",
        f"status: {view['status']}",
    ]
    if len(view["tabs"]) > 1:
        others = [f"{number} {url[:200]}" for number, url in enumerate(view["tabs"], 1) if number != view["tab"]]
        head.append(f"tab: {view['tab']} of {len(view['tabs'])}; the others: {', '.join(others)}")
    if view["height"] > view["window"]:
        last = min(view["top"] + view["window"], view["height"])
        head.append(f"window: pixels {view['top']} to {last} of {view['height']}")
    parts = _parts(view["lines"], limit_bytes)
    if part is not None and part > len(parts):
        raise ToolRefused(f"the page has {len(parts)} part{'s' if len(parts) != 1 else ''}; there is no part {part}")
    number = part or _part_of(parts, view["first"])
    body = parts[number - 1]
    if len(parts) > 1:
        head.append(f"part: {number} of {len(parts)}; for another call browser_view with its number, or scroll there")
    if view["cut"]:
        body = [*body, "[the page is too large to be shown whole; what comes after is left out]"]
    shown = {"part": number, "parts": len(parts)} if len(parts) > 1 else {}
    return "\n".join([*head, "", *(body or ["(nothing is shown)"])]), shown


def _parts(lines: list[str], limit_bytes: int) -> list[list[str]]:
    """The lines in pieces of at most so many bytes."""
    parts: list[list[str]] = [[]]
    size = 0
    for line in lines:
        cut = line.encode()[:limit_bytes].decode(errors="ignore")
        needed = len(cut.encode()) + 1
        if parts[-1] and size + needed > limit_bytes:
            parts.append([])
            size = 0
        parts[-1].append(cut)
        size += needed
    return parts


def _part_of(parts: list[list[str]], line: int | None) -> int:
    before = 0
    for number, part in enumerate(parts, 1):
        before += len(part)
        if line is not None and line < before:
            return number
    return 1


async def _saved(context: ToolContext, download: dict[str, Any]) -> tuple[str, str | None]:
    """What became of a download, in words, and its path in the workspace where it has one."""
    name = download["name"]
    if "bytes_so_far" in download:
        return f"the download of {name!r} goes on ({download['bytes_so_far']} bytes so far); call browser_wait", None
    if "error" in download:
        return f"the download of {name!r} failed: {download['error']}", None
    browser = context.sessions.find(KEY, Browser)
    if browser is None:
        return f"the download of {name!r} was lost with the browser", None
    path = _free(context, DOWNLOADS, safe_name(name))
    limit = context.file_limit_bytes
    try:
        content = await asyncio.to_thread(browser.take_download, download["file"], limit)
        await asyncio.to_thread(context.workspace.write_bytes, path, content, limit)
    except (OSError, ValueError, ToolRefused) as problem:
        return f"the download of {name!r} was not kept: {problem}", None
    return f"downloaded: {path} ({download['bytes']} bytes)", path


async def _keep_picture(context: ToolContext, content: bytes) -> str:
    path = _free(context, SCREENSHOTS, "page.jpg")
    await asyncio.to_thread(context.workspace.write_bytes, path, content)
    return path


def safe_name(name: str) -> str:
    """A file name of any page's making as one that is harmless: no folders, no hidden file, no tricks of direction."""
    plain = "".join(letter if letter.isalnum() or letter in " ._-()+,@" else "_" for letter in name)
    plain = re.sub(r"\s+", " ", re.sub(r"\.{2,}", ".", plain)).strip(" .").lstrip(" ._-")
    path = PurePosixPath(plain or "download")
    ending = path.suffix.encode()[:20].decode(errors="ignore")
    return path.stem.encode()[: _NAME_LIMIT_BYTES - len(ending)].decode(errors="ignore") + ending


def _free(context: ToolContext, folder: str, name: str) -> str:
    """A path where no file is yet."""
    path = PurePosixPath(name)
    for number in range(1, 1_000):
        tried = f"{folder}/{path.stem}{f'-{number}' if number > 1 else ''}{path.suffix}"
        if not context.workspace.is_file(tried):
            return tried
    return f"{folder}/{context.execution_id}{path.suffix}"
