"""Tool results as text of the user's role, for models that know no role `tool`.

    [Result of file_read]
    ~~~
    what the tool gave
    ~~~

The fence is longer than any run of tildes that begins a line of the content, so a result cannot end its own frame.
"""

from __future__ import annotations

import re

_FRAME = re.compile(
    r"\[Result of (?P<tool>[^\]\n]*)\]\n(?P<fence>~{3,})\n(?P<content>.*?)\n(?P=fence)(?:\n\n|\Z)", re.DOTALL
)
_TILDES = re.compile(r"^~{3,}", re.MULTILINE)


def frame(tool: str, content: str) -> str:
    """The text that stands for the result of one call."""
    longest = max((len(run) for run in _TILDES.findall(content)), default=2)
    fence = "~" * (longest + 1)
    return f"[Result of {tool}]\n{fence}\n{content}\n{fence}"


def unframe(text: str) -> list[tuple[str, str]] | None:
    """The (tool, content) pairs of a text that is frames and nothing else; None for any other text."""
    results, position = [], 0
    while position < len(text):
        found = _FRAME.match(text, position)
        if found is None:
            return None
        results.append((found["tool"], found["content"]))
        position = found.end()
    return results or None
