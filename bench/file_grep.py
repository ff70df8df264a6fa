"""`file_grep` against ripgrep, on a tree of 100 MB."""

from __future__ import annotations

import asyncio
import random
import subprocess
import tempfile
import time
from pathlib import Path

from agent_runtime.errors import ConfigError
from agent_runtime.toolbox import search
from agent_runtime.toolbox.sandbox.choice import Refused, Sandbox, choose_sandbox
from agent_runtime.toolbox.workspace import Workspace
from bench.report import Line, Report, Steps

HOW = (
    "{files} files of {megabytes:.0f} MB with words at random, in the page cache; each search counts the lines that "
    "match. ripgrep is a plain subprocess; file_grep is the tool's whole search, with the start of its sandbox "
    "({sandbox}) or of its process."
)
MARK_RATIO = 1.5
PATTERNS = {
    "a name": "handle_request",
    "an expression": r"\bdef \w+\(self, number=\d+\)",
    "nothing plain": r"[a-z]+ing [a-z]+ed [a-z]+ly$",
}


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds of a search."""
    rounds, size_bytes = (2, 1_000_000) if quick else (15, 100_000_000)
    program = search._ripgrep()
    if program is None:
        raise ConfigError("ripgrep is not installed: apt install ripgrep, or the extra [bench]")
    steps.expect(rounds * len(PATTERNS))
    sandbox = await asyncio.to_thread(choose_sandbox, True)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "workspace")
        files = await asyncio.to_thread(_grow, workspace, size_bytes)
        lines: list[Line] = []
        for name, pattern in PATTERNS.items():
            ran: dict[str, list[float]] = {"ripgrep": [], "file_grep": [], "file_grep without ripgrep": []}
            await _by_tool(workspace, pattern, sandbox)
            for _ in range(rounds):
                ran["ripgrep"].append(await asyncio.to_thread(_plain, program, workspace, pattern))
                ran["file_grep"].append(await _by_tool(workspace, pattern, sandbox))
                ran["file_grep without ripgrep"].append(await _by_tool(workspace, pattern, Refused("not used here")))
                steps.done()
            first = f"ripgrep: {name}"
            lines += [
                Line(f"{what}: {name}", "ms", figures, against=() if what == "ripgrep" else (first,))
                for what, figures in ran.items()
            ]
    how = HOW.format(files=files, megabytes=size_bytes / 1e6, sandbox=sandbox.name)
    return Report("searching files", f"{how} The mark is {MARK_RATIO} times ripgrep.", lines)


async def _by_tool(workspace: Workspace, pattern: str, sandbox: Sandbox) -> float:
    started = time.perf_counter()
    await search.search_files(workspace, search.Search(pattern, counts=True, limit=10_000), sandbox, 120)
    return (time.perf_counter() - started) * 1000


def _plain(program: str, workspace: Workspace, pattern: str) -> float:
    started = time.perf_counter()
    subprocess.run([program, "--count", "--regexp", pattern, str(workspace.root)], check=False, capture_output=True)
    return (time.perf_counter() - started) * 1000


def _grow(workspace: Workspace, size_bytes: int) -> int:
    """Fill the workspace with the same files each time; how many."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(5_000)]
    files = written = 0
    while written < size_bytes:
        wanted, lines, length = chance.choice([2_000, 8_000, 20_000, 60_000, 200_000]), [], 0
        while length < wanted:
            line = " ".join(chance.choices(words, k=chance.randint(3, 14)))
            if chance.random() < 0.0002:
                line += f" def handle_request(self, number={chance.randint(0, 9_999)}):"
            lines.append(line)
            length += len(line) + 1
        workspace.write_bytes(f"d{files % 40:02}/e{files % 7}/f{files}.txt", "\n".join(lines).encode())
        files, written = files + 1, written + length
    return files
