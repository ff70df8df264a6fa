"""Workers killed and frozen, connections cut, Postgres restarted: nothing is lost or doubled. The rest runs by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.chaos", *arguments]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.timeout(300)
def test_killed_workers_and_a_short_storm_lose_and_double_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Above.\n\n<!-- chaos: begin -->\nan old table\n<!-- chaos: end -->\n\nBelow.\n")
    ran = chaos("--quick", "--seed", "7", "--write", str(page))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    written = page.read_text()
    assert written.startswith("Above.\n\n<!-- chaos: begin -->\n")
    assert written.endswith("<!-- chaos: end -->\n\nBelow.\n")
    assert "an old table" not in written
    # Each worker was killed where it was told to; a call of each class was cut short by it.
    assert "6 workers killed, 0 violations" in written
    assert "| after the tool's effect | – | 1: 1 again | 1: 1 again | 1: 1 in doubt | 0 | 0 | 0 |" in written
    assert "| tasks completed | 20 |" in written
    assert "| unsafe effect repeated | 0 | 0 |" in written


def test_a_page_without_the_markers_is_refused_before_the_work(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing.\n")
    ran = chaos("--quick", "--write", str(page))
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "chaos: begin" in ran.stderr
