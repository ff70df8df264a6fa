"""Mails (.eml, .msg): their head, their text, and what is attached."""

from __future__ import annotations

import email
import email.policy
import io
from dataclasses import dataclass
from email.message import EmailMessage, MIMEPart
from pathlib import PurePosixPath

from agent_runtime.toolbox.documents.markup import visible_text

_ATTACHMENTS_LIMIT = 1_000


@dataclass(frozen=True)
class Attachment:
    """What is attached to a mail. `name` is the sender's, and may be anything."""

    name: str
    mime_type: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """A mail: its head as (name, value), its text, and its attachments."""

    head: list[tuple[str, str]]
    text: str
    attachments: list[Attachment]

    def as_text(self) -> str:
        lines = [f"{name}: {' '.join(value.split())}" for name, value in self.head if value.strip()]
        lines += ["", self.text.strip()]
        if self.attachments:
            lines += ["", f"[{len(self.attachments)} attached; archive_unpack saves them]"]
            lines += [f"- {one.name} ({one.mime_type}, {len(one.content)} bytes)" for one in self.attachments]
        return "\n".join(lines).strip()


def read_mail(content: bytes) -> Mail:
    """A mail as it travels (RFC 5322, MIME). What is broken in it is left out, as every mail program does."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    head = [(name, _header(message, name)) for name in ("From", "To", "Cc", "Date", "Subject")]
    body = message.get_body(("plain", "html"))
    text = "" if body is None else _part_text(body)
    attached = [part for part in message.walk() if part is not body and _is_attached(part)]
    attachments = [
        Attachment(_name(part, number), part.get_content_type(), _part_bytes(part))
        for number, part in enumerate(attached[:_ATTACHMENTS_LIMIT], start=1)
    ]
    return Mail(head, text, attachments)


def read_outlook_mail(content: bytes) -> Mail:
    """A mail as Outlook saves it (.msg). Raises what python-oxmsg and olefile raise for what is none."""
    from oxmsg import Message

    message = Message.load(io.BytesIO(content))
    recipients = ", ".join(_address(one.name, one.email_address) for one in message.recipients)
    sent = message.sent_date
    head = [
        ("From", message.sender or ""),
        ("To", recipients),
        ("Date", sent.isoformat(" ") if sent else ""),
        ("Subject", message.subject or ""),
    ]
    text = message.body or visible_text(message.html_body or "")
    attachments = [
        Attachment(one.file_name or f"attachment-{number}", one.mime_type or "", one.file_bytes or b"")
        for number, one in enumerate(message.attachments[:_ATTACHMENTS_LIMIT], start=1)
    ]
    return Mail(head, text, attachments)


def _header(message: EmailMessage, name: str) -> str:
    # A header that cannot be parsed raises anything at all.
    try:
        return str(message.get(name, ""))
    except Exception:
        return "".join(str(value) for key, value in message.raw_items() if key.lower() == name.lower())


def _is_attached(part: EmailMessage) -> bool:
    if part.is_multipart() and part.get_content_type() != "message/rfc822":
        return False
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _name(part: EmailMessage, number: int) -> str:
    name = part.get_filename() or ""
    return PurePosixPath(name.replace("\\", "/")).name or f"attachment-{number}"


def _part_text(part: MIMEPart) -> str:
    try:
        text = str(part.get_content())
    except (LookupError, ValueError):
        # A character set that nobody knows.
        text = _part_bytes(part).decode("utf-8", errors="replace")
    return visible_text(text) if part.get_content_type() == "text/html" else text


def _part_bytes(part: MIMEPart) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and inner else b""  # type: ignore[union-attr]
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _address(name: str | None, address: str | None) -> str:
    return f"{name} <{address}>" if name and address and name != address else address or name or ""
