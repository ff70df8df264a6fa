"""HTML to plain text: what a reader would see, with headings and lists.

In a process of its own, because the parser takes time quadratic in the length of some broken markup.
"""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser

from agent_runtime.toolbox.sandbox.isolated import run_isolated

_TIMEOUT_SECONDS = 20.0

_UNSEEN = frozenset({"script", "style", "noscript", "template", "head", "svg", "iframe", "object"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figure", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
    "table", "tr", "ul",
})  # fmt: skip


async def html_text(markup: str, timeout_seconds: float = _TIMEOUT_SECONDS) -> str:
    """The visible text of a page, its title first. Raises `ToolRefused` when it takes longer than `timeout_seconds`."""
    content = markup.encode(errors="replace")
    answer = await run_isolated(
        "agent_runtime.toolbox.documents.markup", {}, content=content, timeout_seconds=timeout_seconds
    )
    return str(answer["text"])


def visible_text(markup: str) -> str:
    """What a reader of the page would see. Takes time quadratic in the length of some markup: see `html_text`."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(reader.parts).splitlines())
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    title = " ".join(reader.title.split())
    return f"{title}\n\n{text}" if title else text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title = ""
        self._unseen: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag == "body":
            # A head that is never closed does not hide the page.
            self._unseen.clear()
        elif tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag in _BLOCKS:
            self.parts.append("\n")
            if tag[0] == "h" and tag[1:].isdigit():
                self.parts.append("#" * int(tag[1:]) + " ")
            elif tag == "li":
                self.parts.append("- ")
        elif tag in ("td", "th"):
            self.parts.append(" | ")
        elif tag == "img":
            self.parts.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._unseen:
            self.parts.append(data)


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"text": visible_text(sys.stdin.buffer.read().decode())}))
