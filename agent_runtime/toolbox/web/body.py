"""What the body of an answer is: text in some encoding, a document, or bytes for a file."""

from __future__ import annotations

import codecs
import re

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]{2,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{2,40})", re.IGNORECASE)
_HTML = re.compile(rb"\A(?:\s|<!--.{0,2000}?-->|<\?xml.{0,200}?\?>)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_META_BYTES = 4_096

# As browsers read the names that pages use (the Encoding standard): a page that says latin-1 means its Windows cousin.
_MEANT = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "iso8859-9": "cp1254",
    "shift_jis": "cp932", "euc_kr": "cp949", "tis-620": "cp874", "iso8859-11": "cp874",
}  # fmt: skip
_ENCODINGS = frozenset({
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp866", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "gb18030",
    "big5", "euc_jp", "iso2022_jp", "cp932", "cp949",
    *(f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    *(f"cp{n}" for n in (874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)),
})  # fmt: skip


def media_type(content_type: str) -> str:
    """`text/html` of `Text/HTML; charset=…`; empty if there is none."""
    return content_type.partition(";")[0].strip().lower()


def is_html(content_type: str, body: bytes) -> bool:
    """By what the server says, unless it says text or nothing: then by how it begins."""
    kind = media_type(content_type)
    if kind in ("text/html", "application/xhtml+xml"):
        return True
    return kind in ("", "text/plain", "application/octet-stream") and bool(_HTML.match(body[:_META_BYTES]))


def decoded(content_type: str, body: bytes) -> tuple[str, str] | None:
    """The text and its encoding, None when the bytes are no text whatever they are called.

    A mark at the beginning counts first, then what the server says, then what the text says of itself, then UTF-8.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body.decode(encoding, errors="replace"), encoding
    said = _named(content_type, body)
    if b"\0" in body[:65_536] and not said.startswith("utf-16"):
        return None
    if said:
        return body.decode(said, errors="replace"), said
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        # Every byte means something in this one, so bytes that are no text at all are found by their controls.
        text = body.decode("cp1252", errors="replace")
    controls = sum(1 for sign in text[:4_096] if (sign < " " and sign not in "\t\n\r\f\x1b") or sign == "�")
    return None if controls > len(text[:4_096]) // 20 else (text, "cp1252")


def _named(content_type: str, body: bytes) -> str:
    """The encoding that somebody names and that a page may be in; empty if there is none."""
    found = _CHARSET.search(content_type)
    names = [found[1]] if found else []
    for pattern in (_XML, _META):
        if within := pattern.search(body[:_META_BYTES]):
            names.append(within[1].decode("ascii"))
    for name in names:
        try:
            known = codecs.lookup(name).name
        except LookupError:
            continue
        encoding = _MEANT.get(known, known)
        if encoding in _ENCODINGS:
            return encoding
    return ""
