"""What a file is and what it says: text in several encodings, and documents as text."""

from __future__ import annotations

import codecs
import mimetypes
from dataclasses import dataclass

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.documents.markup import html_text
from agent_runtime.toolbox.documents.reading import OLE_SIGNATURE, ZIP_SIGNATURES
from agent_runtime.toolbox.sandbox.isolated import run_isolated

_TIMEOUT_SECONDS = 30.0
_SIGNATURES = (
    (b"%PDF-", "PDF document"),
    (b"\x89PNG\r\n\x1a\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"PK\x03\x04", "ZIP archive or Office document"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"\xfd7zXZ\0", "xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (OLE_SIGNATURE, "Office file of before 2007"),
    (b"\x7fELF", "ELF program"),
    (b"SQLite format 3\0", "SQLite database"),
)
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_ARCHIVES = (*ZIP_SIGNATURES, b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Document:
    """A file's text. `kind` is `text`, `html`, `pdf`, `docx`, `pptx`, `workbook`, `eml` or `msg`; `encoding` is that of
    the bytes."""

    text: str
    kind: str
    encoding: str | None = None


async def read_document(path: str, content: bytes, part: str | None = None) -> Document:
    """The text of a file, or of one part of it (pages, slides, a sheet).

    Raises `ToolRefused` that describes the file when it has none, or says why it cannot be read.
    """
    if is_document(path, content):
        found = await parse_document(path, content, part)
        if found is not None:
            return found
    if part is not None:
        raise ToolRefused(f"part is for PDFs, presentations and workbooks; {path!r} is none: read it by lines")
    text, encoding = decode(path, content)
    if path.lower().endswith((".html", ".htm", ".xhtml")):
        return Document(await html_text(text), "html", encoding)
    return Document(text, "text", encoding)


def is_picture(content: bytes) -> bool:
    """Whether it begins like a picture of a kind that can be shown to a model."""
    return content.startswith(_PICTURES) or (content.startswith(b"RIFF") and content[8:12] == b"WEBP")


def is_archive(content: bytes) -> bool:
    """Whether it begins like something that `archive_unpack` knows, or says that it does not."""
    return content.startswith(_ARCHIVES) or content[257:262] == b"ustar"


def is_document(path: str, content: bytes) -> bool:
    """Whether it may be one that `parse_document` reads."""
    return content.startswith((b"%PDF-", *ZIP_SIGNATURES, OLE_SIGNATURE)) or path.lower().endswith(".eml")


async def parse_document(
    path: str, content: bytes, part: str | None = None, timeout_seconds: float = _TIMEOUT_SECONDS
) -> Document | None:
    """The document's text, None where it is a container of another kind.

    Raises `ToolRefused` when it is broken, encrypted, has no such part, or takes longer than `timeout_seconds`.
    """
    answer = await run_isolated(
        "agent_runtime.toolbox.documents.reading",
        {"name": path, "part": part},
        content=content,
        timeout_seconds=timeout_seconds,
    )
    return Document(str(answer["text"]), str(answer["kind"])) if answer["kind"] else None


async def pdf_text(content: bytes) -> str:
    """The text of each page of a PDF, under a heading with its number. Raises `ToolRefused` like `parse_document`."""
    document = await parse_document("the PDF", content)
    if document is None:
        raise ToolRefused("this is not a PDF")
    return document.text


def decode(path: str, content: bytes) -> tuple[str, str]:
    """The text and its encoding. Raises `ToolRefused` that says what the file is when it is not text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), encoding
    if is_binary(content):
        raise ToolRefused(f"{path!r} is not text: {describe_binary(path, content)}. Use a command to work with it")
    try:
        return content.decode(), "utf-8"
    except UnicodeDecodeError:
        # Every byte means something in this one; it is what old spreadsheets and editors of Western Europe wrote.
        return content.decode("cp1252", errors="replace"), "cp1252"


def is_binary(content: bytes) -> bool:
    """Whether the beginning of a file, without one of Unicode's marks, says that it is no text."""
    return b"\0" in content[:65_536] or any(content.startswith(start) for start, _ in _SIGNATURES)


def describe_binary(path: str, content: bytes) -> str:
    """One phrase: the kind by its first bytes, else by its name, and the size."""
    by_content = next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)
    kind = by_content or mimetypes.guess_type(path)[0] or "binary data"
    return f"{kind}, {len(content)} bytes"
