"""What of a workspace stays on its machine: caches that can be made again, and what an agent's configuration names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()

DEFAULT_PATTERNS = (
    "__pycache__/",
    "node_modules/",
    ".venv/",
    ".cache/",
    ".ipynb_checkpoints/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
)
PATTERNS_LIMIT = 100
PATTERN_LIMIT_CHARACTERS = 200
_KNOWN_LIMIT = 500_000
_WILDCARDS_LIMIT = 3
"""In one pattern: each makes matching a long name slower by the length of the name."""


class Ignored:
    """Says of a path whether it stays. Patterns are those of .gitignore; a later one decides, `!` takes back."""

    def __init__(self, patterns: tuple[str, ...] = ()) -> None:
        self._spec = GitIgnoreSpec.from_lines([*DEFAULT_PATTERNS, *patterns])
        self._known: dict[str, bool] = {}

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Ignored:
        """With the patterns of `configuration.workspace.ignore` of an agent; what is no usable pattern is logged."""
        workspace = configuration.get("workspace")
        given = workspace.get("ignore") if isinstance(workspace, Mapping) else None
        patterns = given if isinstance(given, list) else []
        usable = [pattern for pattern in patterns[:PATTERNS_LIMIT] if _is_usable(pattern)]
        if len(usable) < len(patterns):
            log.warning("patterns of workspace.ignore are left out", used=usable, given=len(patterns))
        return cls(tuple(usable))

    def __call__(self, path: str, is_folder: bool) -> bool:
        """Asked for each entry of each scan, so the answers are kept."""
        key = f"{path}/" if is_folder else path
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            known = self._known[key] = self._spec.match_file(key)
        return known


def _is_usable(pattern: Any) -> bool:
    if not isinstance(pattern, str) or len(pattern) > PATTERN_LIMIT_CHARACTERS:
        return False
    if len(re.findall(r"\*+", pattern)) > _WILDCARDS_LIMIT:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what may soon mean something else
        try:
            GitIgnoreSpec.from_lines([pattern])
        except (GitIgnorePatternError, re.error, Warning):
            return False
    return True
