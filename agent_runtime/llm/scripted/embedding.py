"""Deterministic text vectors: hashed words, so that texts with common words are near each other. No meaning in them."""

from __future__ import annotations

import hashlib
import math
import re

DIMENSIONS = 256
_WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int | None = None) -> list[float]:
    """A vector of length 1 with `dimensions` (at most `DIMENSIONS`) entries."""
    size = min(dimensions or DIMENSIONS, DIMENSIONS)
    vector = [0.0] * size
    for word in _WORD.findall(text.casefold()) or [text]:
        digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
        vector[int.from_bytes(digest[:4], "big") % size] += 1.0 if digest[4] % 2 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0:
        # Two words cancelled each other out, and a vector of length 0 has no direction.
        return [1.0, *[0.0] * (size - 1)]
    return [value / length for value in vector]
