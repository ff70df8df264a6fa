"""No key and no password is committed, and the scan that says so finds what is planted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def scan(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "scripts" / "find_secrets.py"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.timeout(300)
def test_nothing_that_looks_like_a_secret_is_committed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing is committed: git clone it")
    found = scan()
    assert (found.returncode, found.stdout) == (0, ""), found.stdout + found.stderr


def test_what_is_planted_is_found_and_not_repeated(tmp_path: Path) -> None:
    planted = tmp_path / "settings.py"
    key = "AKIA" + "IOSFODNN7EXAMPLQ"
    word = "hunter2" * 2
    planted.write_text(f'aws = "{key}"\n-----BEGIN RSA {"PRIVATE"} KEY-----\npassword = "{word}"\n')
    # Of forms that ask for quotation marks, in a format that does without.
    bare = tmp_path / "settings.yaml"
    bare.write_text(f"aws_access_key: {'wJalrXUtnFEMIK7MDENG' * 2}\n")
    assert f"{bare}:1: AWS Access Key" in scan(str(bare)).stdout.splitlines()
    found = scan(str(planted))
    assert found.returncode == 1
    kinds = [line.rsplit(": ", 1)[1] for line in found.stdout.splitlines()[:-1]]
    assert kinds == ["AWS Access Key", "Private Key", "Secret Keyword"]
    assert key not in found.stdout
    assert word not in found.stdout
