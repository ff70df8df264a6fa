"""Writes a compound file (MS-CFB), the container of Outlook's mails; no library that is maintained writes one."""

from __future__ import annotations

import struct
from typing import Any

_SECTOR, _FREE, _END, _FAT = 512, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SMALLEST_STREAM = 4096
"""Smaller ones would belong into a stream of their own."""


def outlook_mail(subject: str, body: str, sender: str, attachments: dict[str, bytes]) -> bytes:
    """A mail as Outlook saves it. Texts are filled up with blanks, contents with NULs."""
    tree: dict[str, Any] = _texts({0x0037: subject, 0x1000: body, 0x0C1A: sender, 0x0C1F: sender}, 32)
    for number, (name, content) in enumerate(attachments.items()):
        storage = _texts({0x3707: name}, 8, extra=((0x3701, 0x0102, len(content)),))
        storage["__substg1.0_37010102"] = content.ljust(_SMALLEST_STREAM, b"\0")
        tree[f"__attach_version1.0_#{number:08X}"] = storage
    return compound_file(tree)


def _texts(texts: dict[int, str], head: int, extra: tuple[tuple[int, int, int], ...] = ()) -> dict[str, Any]:
    streams: dict[str, Any] = {}
    entries = b""
    for identity, text in texts.items():
        content = text.ljust(_SMALLEST_STREAM // 2).encode("utf-16-le")
        streams[f"__substg1.0_{identity:04X}001F"] = content
        entries += struct.pack("<HHIQ", 0x001F, identity, 6, len(content) + 2)
    for identity, kind, size in extra:
        entries += struct.pack("<HHIQ", kind, identity, 6, size)
    filler = struct.pack("<HHIQ", 0x0003, 0x7FFF, 6, 0)
    entries += filler * ((_SMALLEST_STREAM - head - len(entries)) // 16 + 1)
    streams["__properties_version1.0"] = bytes(head) + entries
    return streams


def compound_file(tree: dict[str, Any]) -> bytes:
    """The file of a tree of streams (bytes) and storages (dicts)."""
    entries: list[list[Any]] = [["Root Entry", 5, _FREE, _FREE, _END, 0]]  # name, type, right, child, start, size
    sectors: list[bytes] = []
    chains: list[int] = []

    def put(content: bytes) -> int:
        start = len(sectors)
        pieces = [content[at : at + _SECTOR].ljust(_SECTOR, b"\0") for at in range(0, len(content), _SECTOR)]
        sectors.extend(pieces)
        chains.extend([*range(start + 1, start + len(pieces)), _END])
        return start

    def grow(parent: int, folder: dict[str, Any]) -> None:
        before = None
        for name, content in folder.items():
            here = len(entries)
            is_storage = isinstance(content, dict)
            entries.append([name, 1 if is_storage else 2, _FREE, _FREE, 0, 0])
            if before is None:
                entries[parent][3] = here
            else:
                entries[before][2] = here
            before = here
            if is_storage:
                grow(here, content)
            else:
                entries[here][4], entries[here][5] = put(content), len(content)

    grow(0, tree)
    directory = put(b"".join(_entry(*entry) for entry in entries))
    fat_sectors = 1
    while fat_sectors * (_SECTOR // 4) < len(sectors) + fat_sectors:
        fat_sectors += 1
    first = len(sectors)
    fat = [*chains, *[_FAT] * fat_sectors]
    fat += [_FREE] * (fat_sectors * (_SECTOR // 4) - len(fat))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, fat_sectors, directory, 0, _SMALLEST_STREAM, _END, 0, _END, 0)
    places = [*range(first, first + fat_sectors)]
    header += struct.pack("<109I", *places, *[_FREE] * (109 - len(places)))
    return header + b"".join(sectors) + struct.pack(f"<{len(fat)}I", *fat)


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    encoded = name.encode("utf-16-le")
    head = encoded.ljust(64, b"\0") + struct.pack("<HBBIII", len(encoded) + 2, kind, 1, _FREE, right, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)
