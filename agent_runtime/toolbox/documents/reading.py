"""What is in a document: in a process of its own, because a file can be made so that parsing it never ends.

`python -m agent_runtime.toolbox.documents.reading` gets {"name", "part"} and the bytes, and answers {"kind", "text"} or
{"error"}.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

from agent_runtime.toolbox.documents import mail, pdf, sheets, slides, word
from agent_runtime.toolbox.documents.parts import Unreadable, WrongPart

OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
TEXT_LIMIT_CHARACTERS = 4_000_000

_OLD = (
    "has the format of before 2007, which is not read here; convert it by a command, or ask the person for a newer one"
)


class NoDocument(Exception):
    """A container of another kind, such as an archive."""


def kind_of(content: bytes, name: str) -> str:
    """`pdf`, `docx`, `pptx`, `workbook`, `eml` or `msg`. Raises `NoDocument`, `Unreadable`."""
    if content.startswith(b"%PDF-"):
        return "pdf"
    if content.startswith(ZIP_SIGNATURES):
        return _kind_of_zip(content)
    if content.startswith(OLE_SIGNATURE):
        return _kind_of_ole(content)
    if name.lower().endswith(".eml"):
        return "eml"
    raise NoDocument


def read(content: bytes, name: str, part: str | None) -> dict[str, Any]:
    """The document's kind and text. Raises `NoDocument`, `Unreadable`, `WrongPart`, and what the libraries raise."""
    kind = kind_of(content, name)
    if part is not None and kind in ("docx", "eml", "msg"):
        raise WrongPart("part is for PDFs, presentations and workbooks; read this one by lines")
    readers: dict[str, Callable[[], str]] = {
        "pdf": lambda: pdf.pages_text(content, part),
        "docx": lambda: word.word_text(content),
        "pptx": lambda: slides.slides_text(content, part),
        "workbook": lambda: sheets.sheets_text(content, part),
        "eml": lambda: mail.read_mail(content).as_text(),
        "msg": lambda: mail.read_outlook_mail(content).as_text(),
    }
    text = readers[kind]()
    if len(text) > TEXT_LIMIT_CHARACTERS:
        left = len(text) - TEXT_LIMIT_CHARACTERS
        text = f"{text[:TEXT_LIMIT_CHARACTERS]}\n[limit of {TEXT_LIMIT_CHARACTERS} characters reached, {left} are left "
        text += "out; ask for a part]"
    return {"kind": kind, "text": text}


def _kind_of_zip(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                declared = archive.read("mimetype").decode(errors="replace")
                if declared.startswith("application/vnd.oasis.opendocument.spreadsheet"):
                    return "workbook"
    except zipfile.BadZipFile as error:
        raise Unreadable(f"it is broken and cannot be read: {error}") from None
    if "word/document.xml" in names:
        return "docx"
    if "ppt/presentation.xml" in names:
        return "pptx"
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
        return "workbook"
    raise NoDocument


def _kind_of_ole(content: bytes) -> str:
    import olefile  # type: ignore[import-untyped]

    with olefile.OleFileIO(io.BytesIO(content)) as container:
        if container.exists("EncryptedPackage"):
            raise Unreadable("it is encrypted and needs a password; ask the person for a copy without one")
        if container.exists("__properties_version1.0"):
            return "msg"
        if container.exists("Workbook") or container.exists("Book"):
            return "workbook"
        if container.exists("WordDocument"):
            raise Unreadable(f"it is a Word document that {_OLD}")
        if container.exists("PowerPoint Document"):
            raise Unreadable(f"it is a presentation that {_OLD}")
    raise NoDocument


def answer(request: dict[str, Any], content: bytes) -> dict[str, Any]:
    """What the process answers."""
    logging.disable()
    warnings.simplefilter("ignore")
    try:
        return read(content, request["name"], request["part"])
    except NoDocument:
        return {"kind": None}
    except WrongPart as error:
        return {"error": str(error)}
    except Unreadable as error:
        return {"error": f"{request['name']!r} cannot be read: {error}"}
    except MemoryError:
        raise
    except Exception as error:
        # The libraries raise anything at all for what is broken.
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        return {"error": f"{request['name']!r} is broken and cannot be read: {why}"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(json.loads(sys.argv[1]), sys.stdin.buffer.read())))
