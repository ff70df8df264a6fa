"""Regular expressions over files, in a process of its own: some patterns take time exponential in the text."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.isolated import run_isolated
from agent_runtime.toolbox.workspace import Workspace

_TIMEOUT_SECONDS = 20.0
_LINE_LIMIT_CHARACTERS = 300
_FILE_LIMIT_BYTES = 4 * 1024 * 1024


async def search_files(
    workspace: Workspace, paths: list[str], pattern: str, matches_limit: int, timeout_seconds: float = _TIMEOUT_SECONDS
) -> list[dict[str, Any]]:
    """The lines that `pattern` is found in, as dicts of `path`, `line` (from 1) and `text`, at most `matches_limit`.

    Binary files and files over 4 MiB are passed over. Raises `ToolRefused` when it takes longer than `timeout_seconds`.
    """
    request = {"root": str(workspace.root), "pattern": pattern, "matches_limit": matches_limit}
    answer = await run_isolated(
        "agent_runtime.toolbox.search", request, content="\0".join(paths).encode(), timeout_seconds=timeout_seconds
    )
    matches: list[dict[str, Any]] = answer["matches"]
    return matches


def _answer(request: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    workspace, expression = Workspace(Path(request["root"])), re.compile(request["pattern"])
    matches: list[dict[str, Any]] = []
    for path in paths:
        for number, line in enumerate(_lines(workspace, path), start=1):
            if expression.search(line):
                matches.append({"path": path, "line": number, "text": line[:_LINE_LIMIT_CHARACTERS]})
                if len(matches) >= request["matches_limit"]:
                    return {"matches": matches}
    return {"matches": matches}


def _lines(workspace: Workspace, path: str) -> list[str]:
    try:
        content = workspace.read_bytes(path, _FILE_LIMIT_BYTES)
    except ToolRefused:
        return []
    return [] if b"\0" in content[:8192] else content.decode(errors="replace").splitlines()


if __name__ == "__main__":
    names = sys.stdin.buffer.read().decode()
    sys.stdout.write(json.dumps(_answer(json.loads(sys.argv[1]), names.split("\0") if names else [])))
