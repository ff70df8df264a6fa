"""The whole tree holds under mypy's strict rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(600)
def test_every_type_holds() -> None:
    root = Path(__file__).resolve().parents[2]
    argv = [sys.executable, "-m", "mypy", "--no-error-summary"]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
