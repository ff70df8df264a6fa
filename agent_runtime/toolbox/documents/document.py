"""What a file is and what it says: text in several encodings, PDF, HTML; the rest is described, not shown."""

from __future__ import annotations

import codecs
import mimetypes
from dataclasses import dataclass

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.documents.markup import html_text
from agent_runtime.toolbox.documents.pdf import pdf_text

_SIGNATURES = (
    (b"%PDF-", "PDF document"),
    (b"\x89PNG\r\n\x1a\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"PK\x03\x04", "ZIP archive or Office document"),
    (b"\x1f\x8b", "gzip archive"),
    (b"\x7fELF", "ELF program"),
    (b"SQLite format 3\0", "SQLite database"),
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Document:
    """A file's text. `kind` is `text`, `pdf` or `html`; `encoding` is that of the bytes."""

    text: str
    kind: str
    encoding: str | None = None


async def read_document(path: str, content: bytes) -> Document:
    """The text of a file. Raises `ToolRefused` that describes the file when it has none."""
    if content.startswith(b"%PDF-"):
        return Document(await pdf_text(content), "pdf")
    text, encoding = decode(path, content)
    if path.lower().endswith((".html", ".htm", ".xhtml")):
        return Document(await html_text(text), "html", encoding)
    return Document(text, "text", encoding)


def decode(path: str, content: bytes) -> tuple[str, str]:
    """The text and its encoding. Raises `ToolRefused` that says what the file is when it is not text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), encoding
    if b"\0" in content[:65_536] or any(content.startswith(start) for start, _ in _SIGNATURES):
        raise ToolRefused(f"{path!r} is not text: {describe_binary(path, content)}. Use a command to work with it")
    try:
        return content.decode(), "utf-8"
    except UnicodeDecodeError:
        # Every byte means something in this one; it is what old spreadsheets and editors of Western Europe wrote.
        return content.decode("cp1252", errors="replace"), "cp1252"


def describe_binary(path: str, content: bytes) -> str:
    """One phrase: the kind by its first bytes, else by its name, and the size."""
    by_content = next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)
    kind = by_content or mimetypes.guess_type(path)[0] or "binary data"
    return f"{kind}, {len(content)} bytes"
