"""Text of PDF files, by pypdf, page by page."""

from __future__ import annotations

import io

from agent_runtime.toolbox.documents.parts import Unreadable, chosen_numbers

PAGES_LIMIT = 500


def pages_text(content: bytes, part: str | None) -> str:
    """The text of each page that `part` names, under a heading with its number; of at most `PAGES_LIMIT` pages.

    Raises `WrongPart`, `Unreadable`, and what pypdf raises for what is broken, which is anything.
    """
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("it is encrypted and needs a password; ask the person for a copy without one")
    count = len(reader.pages)
    if not count:
        raise Unreadable("it is broken: it has no pages")
    numbers = chosen_numbers(part, count, "page")
    texts = [_page(reader.pages[number - 1].extract_text(), number, count) for number in numbers[:PAGES_LIMIT]]
    if len(numbers) > PAGES_LIMIT:
        texts.append(f"[limit of {PAGES_LIMIT} pages reached; ask for part '{numbers[PAGES_LIMIT]}-']")
    return "\n\n".join(texts)


def _page(text: str, number: int, count: int) -> str:
    return f"--- page {number} of {count} ---\n{text.strip() or '[no text: a picture, perhaps a scan]'}"
