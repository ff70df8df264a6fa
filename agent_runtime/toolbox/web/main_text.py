"""The main text of a web page as Markdown, by trafilatura in a process of its own: some pages would last for ever."""

from __future__ import annotations

import json
import logging
import re
import sys
from dataclasses import dataclass
from html import unescape

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.documents.markup import html_text
from agent_runtime.toolbox.sandbox.isolated import run_isolated

TIMEOUT_SECONDS = 30.0
_WHOLE_SECONDS = 15.0
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,1000})", re.IGNORECASE)
_FEW_CHARACTERS = 200


@dataclass(frozen=True)
class MainText:
    """What a page says. `whole` when it is all of its text, because no main part could be told."""

    title: str
    text: str
    whole: bool


async def main_text(markup: str, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> MainText:
    """The article of a page with its headings, lists, tables and links, without menus and footers.

    Where no such part is found, or only a line of a longer page, or it takes too long, the whole visible text. Raises
    `ToolRefused` when that takes too long too.
    """
    found = _TITLE.search(markup[:200_000])
    title = " ".join(unescape(found[1]).split())[:500] if found else ""
    try:
        answer = await run_isolated(
            "agent_runtime.toolbox.web.main_text",
            {"url": url},
            content=markup.encode(errors="replace"),
            timeout_seconds=timeout_seconds,
        )
        text = str(answer["text"]).strip()
    except ToolRefused:
        text = ""
    if len(text) >= _FEW_CHARACTERS:
        return MainText(title, text, whole=False)
    whole = (await html_text(markup, _WHOLE_SECONDS)).removeprefix(title).strip()
    return MainText(title, text, whole=False) if len(whole) < 2 * len(text) else MainText(title, whole, whole=True)


def _extract(markup: str, url: str) -> str:
    from trafilatura import extract

    logging.disable()
    # Metadata are left out and `fast` leaves the other extractors out: looking for a date takes minutes on a long page.
    text = extract(
        markup,
        url=url,
        output_format="markdown",
        fast=True,
        favor_recall=True,
        include_comments=False,
        include_formatting=True,
        include_links=True,
        include_tables=True,
        with_metadata=False,
    )
    return text or ""


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps({"text": _extract(sys.stdin.buffer.read().decode(errors="replace"), json.loads(sys.argv[1])["url"])})
    )
