"""Looks into packed files, one layer deep: an archive is the likeliest other place for a secret."""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

UNPACKED_LIMIT_BYTES = 64 << 20
"""Of one file; what is behind it is not looked at. A bomb costs no more than that."""

_UNPACKERS: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lzma.LZMADecompressor),
)


def unpacked(content: bytes) -> Iterator[bytes]:
    """What is packed in `content`: the stream of gzip, bzip2 or xz, the files of a zip archive. Never raises."""
    try:
        for magic, unpacker in _UNPACKERS:
            if content.startswith(magic):
                yield unpacker().decompress(content, UNPACKED_LIMIT_BYTES)
        if content.startswith(b"PK\x03\x04"):
            yield from _of_zip(content)
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
    ):
        return  # it is damaged, or encrypted


def _of_zip(content: bytes) -> Iterator[bytes]:
    left = UNPACKED_LIMIT_BYTES
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            yield info.filename.encode(errors="replace")
            with archive.open(info) as file:
                part = file.read(left)
            left -= len(part)
            yield part
            if left <= 0:
                return
