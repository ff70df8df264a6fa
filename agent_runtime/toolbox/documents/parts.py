"""What part of a document is asked for: `3`, `3-7` or `3-` of pages and slides; and why it is not to be had."""

from __future__ import annotations

import re


class Unreadable(Exception):
    """A document that cannot be read; the text says why and what would help."""


class WrongPart(Exception):
    """The document has no such part; the text says which it has."""


def chosen_numbers(part: str | None, count: int, noun: str) -> range:
    """The numbers, from 1, of what is to be read of `count` pages or slides; all when `part` is None.

    Raises `WrongPart`.
    """
    if part is None:
        return range(1, count + 1)
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:(-)\s*(\d{1,9})?)?\s*", part)
    if match is None:
        raise WrongPart(f"part {part[:40]!r} is not a range of {noun}s; write it as '3', '3-7' or '3-'")
    first = int(match[1])
    last = int(match[3]) if match[3] else count if match[2] else first
    if not 1 <= first <= count or last < first:
        raise WrongPart(f"there is no {noun} {part.strip()}: it has {count} {noun}{'' if count == 1 else 's'}")
    return range(first, min(last, count) + 1)
