"""Files of tasks that a test leads by hand: their bytes in Storage, their versions on record."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from agent_runtime.file_versions import Version, mime_type
from agent_runtime.storage import Storage, content_path

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from tests.e2e.desk import Work


async def rows_of(stack: Stack, task_id: UUID, files: dict[str, bytes | None]) -> list[Any]:
    """Rows for `Work.finish(files=…)`, whose bytes are stored. None removes a file."""
    with psycopg.connect(stack.database_url) as owner:
        found = owner.execute("select tenant_id from tasks where id = %s", [task_id]).fetchone()
    assert found
    rows = []
    stored = set()
    async with Storage(stack.supabase_url, stack.secret_key) as storage:
        for filename, content in files.items():
            if content is None:
                rows.append(Version(kind="removed").row(filename))
                continue
            sha256 = hashlib.sha256(content).hexdigest()
            path = content_path(found[0], task_id, sha256)
            if path not in stored:
                await storage.upload(path, content, mime_type(filename), replace=True)
                stored.add(path)
            rows.append(Version(kind="file", file_path=path, size_bytes=len(content), sha256=sha256).row(filename))
    return rows


async def write(stack: Stack, work: Work, files: dict[str, bytes | None], tool: str = "file_write") -> str:
    """A step of the agent that leaves these files: the execution's id."""
    rows = await rows_of(stack, work.task_id, files)
    return await work.do(tool, {"path": next(iter(files))}, files=rows)


def png(width: int = 60, height: int = 40) -> bytes:
    """A picture of one colour."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    lines = b"".join(b"\0" + b"\x24\x50\xc7" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def pdf(*pages: str, script: str = "") -> bytes:
    """A PDF with a line of text on each page; with a script that a viewer could run when it opens."""
    objects = ["<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        content = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 0 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R"
            " /Resources << /Font << /F1 1 0 R >> >> /Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 612 792]"
            " /A << /S /URI /URI (http://elsewhere.invalid/link) >> >>] >>"
        )
        kids.append(len(objects))
    objects.append(f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>")
    tree = len(objects)
    objects = [text.replace("/Parent 0 0 R", f"/Parent {tree} 0 R") for text in objects]
    action = f" /OpenAction << /S /JavaScript /JS ({script}) >>" if script else ""
    objects.append(f"<< /Type /Catalog /Pages {tree} 0 R{action} >>")
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for index, text in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{index} 0 obj\n{text}\nendobj\n".encode())
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{place:010} 00000 n \n" for place in places).encode())
    out.write(f"trailer << /Size {len(objects) + 1} /Root {len(objects)} 0 R >>\nstartxref\n{start}\n%%EOF".encode())
    return out.getvalue()


def as_json(value: Any) -> bytes:
    """As a file."""
    return json.dumps(value, indent=1).encode()
