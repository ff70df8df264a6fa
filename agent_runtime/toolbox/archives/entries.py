"""What is in an archive: zip, tar with gzip, bzip2 or xz, one compressed file, or a mail with what is attached to it.

Nothing in an archive is trusted: not its names, nor its sizes, nor that it is what it says.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from agent_runtime.toolbox.documents.mail import Mail, read_mail, read_outlook_mail
from agent_runtime.toolbox.documents.reading import OLE_SIGNATURE, ZIP_SIGNATURES
from agent_runtime.toolbox.snapshot import DEPTH_LIMIT

NAME_LIMIT_CHARACTERS = 255
ENTRIES_LIMIT = 10_000
_MAIL_LIMIT_BYTES = 64 * 1024 * 1024
_COMPRESSED: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_ELSEWHERE = {b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"Rar!\x1a\x07": "a RAR archive", b"\x28\xb5\x2f\xfd": "zstd"}

BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, struct.error, OSError, ValueError)
"""What reading a broken archive raises."""


class NotUnpacked(Exception):
    """The archive as a whole cannot be unpacked; the text says why and what would help."""


@dataclass(frozen=True)
class Item:
    """One entry. `name` is where it goes, `""` where it goes nowhere; `refusal` says why it is not unpacked."""

    name: str
    shown: str
    """Its name as the archive has it."""
    size_bytes: int | None
    is_folder: bool = False
    is_executable: bool = False
    refusal: str | None = None


Content = BinaryIO | None
Entries = Iterator[tuple[Item, Content]]


@contextmanager
def open_entries(file: BinaryIO, name: str) -> Iterator[Entries]:
    """The entries of the archive in their order, each with its bytes to read before the next is asked for.

    Raises `NotUnpacked`, and one of `BROKEN` while they are read.
    """
    start = file.read(8)
    file.seek(0)
    if start.startswith(ZIP_SIGNATURES):
        with zipfile.ZipFile(file) as archive:
            yield _of_zip(archive)
    elif start.startswith(OLE_SIGNATURE) or name.lower().endswith(".eml"):
        yield _of_mail(_mail(file.read(_MAIL_LIMIT_BYTES + 1), start))
    elif what := next((what for mark, what in _ELSEWHERE.items() if start.startswith(mark)), None):
        raise NotUnpacked(f"{name!r} is {what}, which is not unpacked here; use a command, such as 7z, if there is one")
    elif _is_tar(file):
        # As a stream: no entry can send the reader back to one that was read.
        with tarfile.open(fileobj=file, mode="r|*", errors="surrogateescape") as tar:
            yield _of_tar(tar)
    elif opener := next((opener for mark, opener in _COMPRESSED.items() if start.startswith(mark)), None):
        with opener(file) as unpacked:
            yield iter([(_item(PurePosixPath(name).stem or "content", None), unpacked)])
    else:
        raise NotUnpacked(f"{name!r} is no archive that is known here: zip, tar, gz, bz2, xz, or a mail (.eml, .msg)")


def _is_tar(file: BinaryIO) -> bool:
    try:
        with tarfile.open(fileobj=file, mode="r|*"):
            return True
    except BROKEN:
        return False
    finally:
        file.seek(0)


def _of_tar(archive: tarfile.TarFile) -> Entries:
    for member in archive:
        executable = bool(member.mode & stat.S_IXUSR)
        if member.isdir():
            yield _item(member.name, 0, is_folder=True), None
        elif member.isreg():
            yield _item(member.name, member.size, is_executable=executable), archive.extractfile(member)  # type: ignore[misc]
        else:
            what = "a link" if member.issym() or member.islnk() else "a device, a pipe or of an unknown kind"
            yield _item(member.name, None, refusal=f"it is {what}"), None


def _of_zip(archive: zipfile.ZipFile) -> Entries:
    infos = archive.infolist()
    _check_overlaps(archive, infos)
    for info in infos:
        mode = info.external_attr >> 16
        name = _zip_name(info)
        if info.is_dir():
            yield _item(name, 0, is_folder=True), None
        elif info.flag_bits & 0x1:
            yield _item(name, info.file_size, refusal="it is encrypted and needs a password"), None
        elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            yield _item(name, None, refusal="it is a link" if stat.S_ISLNK(mode) else "it is a device or a pipe"), None
        else:
            try:
                content = archive.open(info)
            except (NotImplementedError, *BROKEN) as error:
                yield _item(name, info.file_size, refusal=f"it is broken or packed in an unknown way ({error})"), None
                continue
            with content:
                yield _item(name, info.file_size, is_executable=bool(mode & stat.S_IXUSR)), content  # type: ignore[misc]


def _check_overlaps(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> None:
    """A small file whose entries share their bytes unpacks to petabytes (a "better zip bomb")."""
    places = sorted((info.header_offset, info.compress_size, info.filename) for info in infos)
    ends = [place[0] for place in places[1:]] + [archive.start_dir]
    for (offset, size, filename), end in zip(places, ends, strict=True):
        if offset + 30 + size > end:
            raise NotUnpacked(
                f"its entries overlap at {filename[:80]!r}: it is a bomb or broken, and nothing was unpacked"
            )


def _zip_name(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x800:
        return info.filename
    try:
        # Without the flag it is code page 437 by the standard, and UTF-8 by what most programs write.
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _mail(content: bytes, start: bytes) -> Mail:
    if len(content) > _MAIL_LIMIT_BYTES:
        raise NotUnpacked(f"the mail is over the limit of {_MAIL_LIMIT_BYTES} bytes")
    return read_outlook_mail(content) if start.startswith(OLE_SIGNATURE) else read_mail(content)


def _of_mail(mail: Mail) -> Entries:
    for attachment in mail.attachments:
        yield _item(attachment.name, len(attachment.content)), io.BytesIO(attachment.content)


def _item(
    shown: str,
    size_bytes: int | None,
    *,
    is_folder: bool = False,
    is_executable: bool = False,
    refusal: str | None = None,
) -> Item:
    name, reason = safe_name(shown)
    printable = shown.encode(errors="replace").decode()
    return Item(name, printable[:NAME_LIMIT_CHARACTERS], size_bytes, is_folder, is_executable, refusal or reason)


def safe_name(name: str) -> tuple[str, str | None]:
    """Where an entry goes, relative, and why it goes nowhere if it does not.

    Bytes that are not UTF-8 become `_`; a name that leads out, or that no file system takes, is refused, not mended.
    """
    text = name.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace").replace("\ufffd", "_")
    text = text.replace("\\", "/")
    if "\0" in text or any(ord(character) < 32 for character in text):
        return "", "its name holds control characters"
    if text.startswith("/") or (len(text) > 1 and text[1] == ":"):
        return "", "its name is absolute"
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        return "", "its name climbs out with '..'"
    path = "/".join(parts)
    if len(path) > NAME_LIMIT_CHARACTERS or len(parts) > DEPTH_LIMIT // 2 or any(len(p.encode()) > 255 for p in parts):
        return "", "its name is too long or too deep"
    return (path, None) if path else ("", "it has no name")
