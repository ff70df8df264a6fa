"""The web UI's sources pass their own checks and tests. Types are checked by its build, which each run needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", ["check", "test"])
def test_the_sources_pass(script: str) -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "build_ui.py"), script]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_two_screens_define_the_same_class() -> None:
    """Style sheets stay when another screen is opened, so a name that two of them define would style both."""
    owners: dict[str, set[str]] = {}
    for sheet in (ROOT / "ui" / "src").rglob("*.css"):
        for name in re.findall(r"^(\.[\w-]+)(?: \{|,)$", sheet.read_text(encoding="utf-8"), re.MULTILINE):
            owners.setdefault(name, set()).add(sheet.relative_to(ROOT / "ui" / "src").as_posix())
    assert {name: sheets for name, sheets in owners.items() if len(sheets) > 1} == {}
