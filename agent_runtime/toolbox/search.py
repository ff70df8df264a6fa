"""Lines of the workspace's files that match a regular expression: by ripgrep where it is installed, else in Python.

Both search the same files and answer the same. ripgrep runs in the sandbox, where no link leads out. Python's search is
in a process of its own: some patterns take time exponential in the text.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.isolated import run_isolated
from agent_runtime.toolbox.workspace import FILE_LIMIT_BYTES, Workspace

if TYPE_CHECKING:
    from agent_runtime.toolbox.sandbox.choice import Sandbox

TIMEOUT_SECONDS = 20.0
LINE_LIMIT_CHARACTERS = 300
CACHES = (
    ".git", "__pycache__", "node_modules", ".venv", ".cache", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache",
    ".ruff_cache",
)  # fmt: skip
"""Folders that are not searched unless that is asked for: what is in them can be made again."""


@dataclass(frozen=True)
class Search:
    """What is looked for. `globs` choose files by name or path, all if there are none; one with `!` leaves out."""

    pattern: str
    folder: str = "."
    globs: list[str] = field(default_factory=list)
    ignore_case: bool = False
    fixed: bool = False
    """The pattern is text, not an expression."""
    context: int = 0
    """Lines to show before and after each."""
    with_caches: bool = False
    counts: bool = False
    """How many lines in which file, instead of the lines."""
    limit: int = 200


@dataclass(frozen=True)
class Found:
    """`lines` as dicts of `path`, `line` (from 1), `text`, `matched`; or, of counts, `path` and `count`."""

    lines: list[dict[str, Any]]
    matches: int
    limited: bool
    """There are more, or some could not be looked at."""


async def search_files(
    workspace: Workspace, search: Search, sandbox: Sandbox, timeout_seconds: float = TIMEOUT_SECONDS
) -> Found:
    """Binary files and files over 32 MiB are passed over. Raises `ToolRefused` when it takes too long."""
    search = Search(**{**asdict(search), "folder": workspace.relative(search.folder)})
    if _is_there(workspace, search.folder) and (program := _ripgrep()) and sandbox.name != "refused":
        found = await _by_ripgrep(program, workspace, search, sandbox, timeout_seconds)
        if found is not None:
            return found
    answer = await run_isolated(
        "agent_runtime.toolbox.search_lines",
        {"root": str(workspace.root), **asdict(search)},
        timeout_seconds=timeout_seconds,
        opens_files=True,
    )
    return Found(**answer)


def _is_there(workspace: Workspace, path: str) -> bool:
    return path == "." or workspace.resolve(path).exists()


def _ripgrep() -> str | None:
    # Beside the interpreter is where a wheel puts it.
    return shutil.which("rg") or shutil.which("rg", path=str(Path(sys.prefix) / "bin"))


async def _by_ripgrep(
    program: str, workspace: Workspace, search: Search, sandbox: Sandbox, timeout_seconds: float
) -> Found | None:
    """None where ripgrep cannot do it: the pattern looks around, or the sandbox does not show the program."""
    command = [program, "--no-config", "--no-ignore", "--hidden", "--color=never", "--no-heading", "--null", "--crlf"]
    command += [f"--max-filesize={FILE_LIMIT_BYTES}", "--no-messages", "--with-filename"]
    command += [] if search.with_caches else [f"--glob=!**/{name}/**" for name in CACHES]
    command += [f"--glob={pattern}" for pattern in search.globs]
    command += ["--ignore-case"] if search.ignore_case else []
    command += ["--fixed-strings"] if search.fixed else []
    if search.counts:
        command.append("--count")
    else:
        command += ["--line-number", f"--context={search.context}", f"--max-count={search.limit + 1}"]
        command += [f"--max-columns={4 * LINE_LIMIT_CHARACTERS}", "--max-columns-preview"]
    command += [f"--regexp={search.pattern}", "--", search.folder]
    result = await sandbox.run(command, workspace=workspace.root, timeout_seconds=timeout_seconds)
    if result.timed_out:
        raise ToolRefused(f"it took longer than {timeout_seconds:g} seconds and was stopped; search in less")
    if result.exit_code > 1 and not result.stdout and not result.flooded:
        return None
    return _parsed(result.stdout, search, cut=result.truncated or result.flooded)


_CUT = re.compile(r"\n\[\.\.\. \d+ bytes left out \.\.\.\]\n")


def _parsed(output: str, search: Search, *, cut: bool) -> Found:
    if cut and (place := _CUT.search(output)):
        output = output[: output.rfind("\n", 0, place.start()) + 1]
    lines: list[dict[str, Any]] = []
    for row in output.split("\n"):
        path, mark, rest = row.partition("\0")
        path = path.removeprefix("./")
        if mark and search.counts:
            lines.append({"path": path, "count": int(rest)})
        elif mark and (parts := re.match(r"(\d+)([:-])(.*)", rest, re.DOTALL)):
            text = parts[3].removesuffix("\r")[:LINE_LIMIT_CHARACTERS]
            lines.append({"path": path, "line": int(parts[1]), "text": text, "matched": parts[2] == ":"})
    lines.sort(key=lambda one: (one["path"], one.get("line", 0)))
    return bounded(lines, search.limit, search.context, limited=cut)


def bounded(lines: list[dict[str, Any]], limit: int, context: int, *, limited: bool = False) -> Found:
    """The first `limit` matches with what is around them, or counts of the first `limit` files."""
    kept: list[dict[str, Any]] = []
    matches = shown = 0
    for line in lines:
        is_match = line.get("matched", True)
        if is_match and shown == limit:
            limited = True
            # What stands before the first that is left out belongs to it.
            while context and kept and not kept[-1]["matched"]:
                kept.pop()
            break
        shown += is_match
        matches += line.get("count", 1) if is_match else 0
        kept.append(line)
    return Found(kept, matches, limited)
