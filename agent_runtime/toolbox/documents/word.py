"""Text of Word documents (.docx): headings, lists and tables in their order, as Markdown."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from agent_runtime.toolbox.documents.tables import markdown_table

_DEPTH_LIMIT = 20
"""Of tables in cells of tables."""


def word_text(content: bytes) -> str:
    """The document's text. Raises what python-docx raises for what is none."""
    import docx

    document = docx.Document(io.BytesIO(content))
    lines = list(_blocks(document, 0))
    for section in document.sections:
        for name, part in (("header", section.header), ("footer", section.footer)):
            text = " ".join(" ".join(p.text for p in part.paragraphs).split())
            line = f"[{name}: {text}]"
            if text and line not in lines:
                lines += ["", line]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _blocks(container: Any, depth: int) -> Iterator[str]:
    from docx.table import Table

    for block in container.iter_inner_content():
        if isinstance(block, Table):
            if depth < _DEPTH_LIMIT:
                yield ""
                yield from markdown_table(_rows(block, depth))
                yield ""
        else:
            yield from _paragraph(block)


def _rows(table: Any, depth: int) -> Iterator[list[str]]:
    for row in table.rows:
        seen: list[Any] = []
        texts = []
        for cell in row.cells:
            # A cell that spans columns comes once for each of them.
            if any(cell._tc is other for other in seen):
                texts.append("")
                continue
            seen.append(cell._tc)
            texts.append(" ".join(_blocks(cell, depth + 1)))
        yield texts


def _paragraph(paragraph: Any) -> Iterator[str]:
    text = paragraph.text.strip()
    if not text:
        yield ""
        return
    style = str(getattr(paragraph.style, "name", "") or "")
    heading = re.fullmatch(r"(?:Heading|Title) ?(\d*)", style)
    if heading:
        yield from ("", f"{'#' * min(int(heading[1] or 1), 6)} {text}", "")
    elif style.startswith("List"):
        yield f"- {text}"
    else:
        yield from (text, "")
