"""The wheel carries what a checkout has, and claims no name but its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_wheel_carries_the_sql_the_tools_and_the_examples_inside_the_package(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)],
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {name.split("/")[0].split("-")[0] for name in names} == {"agent_runtime"}
    assert in_wheel("sql", "*.sql", "_sql") <= names
    assert in_wheel("tools", "*.py", "_tools") <= names
    assert in_wheel("examples", "*.csv", "_examples") <= names
    assert in_wheel("agent_runtime/local/supabase_api", "*.*", "local/supabase_api") <= names


def in_wheel(folder: str, pattern: str, inside: str) -> set[str]:
    files = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob(pattern)]
    assert files
    return {f"agent_runtime/{inside}/{path}" for path in files if "node_modules" not in path.parts}
