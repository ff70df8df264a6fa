"""Text of PDF files, by pypdf in a process of its own: a file can be made so that parsing it never ends."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

from agent_runtime.toolbox.sandbox.isolated import run_isolated

_TIMEOUT_SECONDS = 30.0
PAGES_LIMIT = 500


async def pdf_text(content: bytes) -> str:
    """The text of each page, under a heading with its number.

    Raises `ToolRefused` when the file is broken, encrypted, or takes longer than 30 seconds.
    """
    answer = await run_isolated(
        "agent_runtime.toolbox.documents.pdf", {}, content=content, timeout_seconds=_TIMEOUT_SECONDS
    )
    return str(answer["text"])


def _answer(content: bytes) -> dict[str, Any]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.disable()
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            return {"error": "the PDF is encrypted and needs a password"}
        count = len(reader.pages)
        pages = [
            f"--- page {n + 1} of {count} ---\n{reader.pages[n].extract_text()}" for n in range(min(count, PAGES_LIMIT))
        ]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        return {"error": f"the PDF is broken and cannot be read: {type(error).__name__}: {error}"}
    if count > PAGES_LIMIT:
        pages.append(f"--- limit of {PAGES_LIMIT} pages reached ---")
    return {"text": "\n\n".join(pages)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(sys.stdin.buffer.read())))
