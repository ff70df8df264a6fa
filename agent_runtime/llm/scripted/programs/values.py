"""Numbers and dates in the ways that people write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

VALUE_LENGTH = 60
MISSING = {"", "na", "n/a", "#n/a", "nan", "null"}

PLAIN = re.compile(r"(?:-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?\x00)*")
DOT = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|0|[1-9][0-9]*)?(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
COMMA = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|0|[1-9][0-9]*)?(?:,[0-9]+)?")
SURELY_COMMA = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+|[0-9]*,(?:[0-9]{1,2}|[0-9]{4,}))")
SURELY_DOT = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+|[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,}))")
MAYBE_COMMA = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+")
DECORATION = re.compile(r"[\s\u00a0\u202f'’€$£¥%]")
DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?|(\d{1,2})([./-])(\d{1,2})\5(\d{4})(?: .*)?")


class Style(NamedTuple):
    """How a file writes numbers and dates, and what nothing in it decides."""

    decimal_comma: bool
    month_first: bool
    note: str | None


def is_missing(cell: str) -> bool:
    """Whether a cell is empty, or says that it is."""
    # The length first: this is asked of every cell.
    return len(cell) < 5 and cell.lower() in MISSING


def style_of(cells: Iterable[str], semicolons: bool) -> Style:
    """Which mark parts the decimals, and whether 03/04/2026 is in March: decided by the cells that leave no doubt."""
    comma = dot = maybe = day_first = month_first = slashed = 0
    for cell in cells:
        if len(cell) > VALUE_LENGTH:
            continue
        text = DECORATION.sub("", cell)
        comma += bool(SURELY_COMMA.fullmatch(text))
        dot += bool(SURELY_DOT.fullmatch(text))
        maybe += bool(MAYBE_COMMA.fullmatch(text))
        if "/" in cell and (found := DATE.fullmatch(cell.strip())) and found[4]:
            slashed += 1
            day_first += int(found[4]) > 12
            month_first += int(found[6]) > 12
    doubtful = slashed and not day_first and not month_first
    note = (
        "Dates such as 03/04/2026 were read with the month first; nothing in the file decides it." if doubtful else None
    )
    return Style(comma > dot or (comma == dot and semicolons and maybe > 0), not day_first, note)


def plain_number(text: str, decimal_comma: bool = False) -> float | None:
    """The number that a cell is, without currency signs and thousands separators; None for any other text."""
    if len(text) > VALUE_LENGTH:
        return None
    text = DECORATION.sub("", text)
    if text[:1] == "(" and text[-1:] == ")":
        text = f"-{text[1:-1]}"
    if not any(character.isdigit() for character in text) or not (COMMA if decimal_comma else DOT).fullmatch(text):
        return None
    text = text.replace(".", "").replace(",", ".") if decimal_comma else text.replace(",", "")
    value = float(text)
    return value if math.isfinite(value) and abs(value) <= 1e100 else None


def numbers_of(texts: list[str], style: Style) -> list[float | None]:
    """The number that each cell is, quickly where all are plain."""
    if not style.decimal_comma and PLAIN.fullmatch("\x00".join(texts) + "\x00"):
        return [*map(float, texts)]
    return [plain_number(text, style.decimal_comma) for text in texts]


def day_of(text: str, month_first: bool = True) -> str | None:
    """The ISO date of a cell that is one."""
    return _day_of(text, month_first) if len(text) <= VALUE_LENGTH else None


def days_of(texts: list[str], style: Style) -> list[str | None]:
    """The date that each cell is, looking at each text once: dates repeat."""
    known = {text: day_of(text, style.month_first) for text in set(texts)}
    return [known[text] for text in texts]


@lru_cache(maxsize=50_000)
def _day_of(text: str, month_first: bool) -> str | None:
    found = DATE.fullmatch(text.strip())
    if found is None:
        return None
    if found[1]:
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    else:
        first, second, year = int(found[4]), int(found[6]), int(found[7])
        month, day = (first, second) if month_first and found[5] == "/" else (second, first)
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
