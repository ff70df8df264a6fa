"""The same promises for a worker that is not root: what `test_sandbox*.py` claim, run once more as an ordinary user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOMEBODY = 61_001
PROJECT = Path(__file__).resolve().parents[2]

# In a mount namespace of its own, so that only this test sees it: a folder that others cannot enter, but that Python or
# the project is beneath, is replaced by one that they can, with just those two in it.
OPEN_UP = """
set -e
opened="$1"; shift
for path in "$PREFIX" "$BASE" "$PROJECT"; do
  closed=$path
  while [ "$closed" != / ]; do
    mode=$(stat -c %a "$closed")
    case $mode in *[1357]) ;; *) target=$closed ;; esac
    closed=$(dirname "$closed")
  done
  if [ -n "$target" ]; then
    inside="$opened${path#"$target"}"
    mkdir -p "$inside"
    mount --bind "$path" "$inside"
    mount --rbind "$opened" "$target"
    target=
  fi
done
exec setpriv --reuid "$SOMEBODY" --regid "$SOMEBODY" --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


@pytest.mark.timeout(300)
def test_every_promise_of_the_sandboxes_holds_for_an_ordinary_user() -> None:
    if os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    temporary = Path("/tmp", f"agent-runtime-somebody-{os.getpid()}")
    opened, home = temporary / "opened", temporary / "home"
    for folder in (temporary, opened, home):
        folder.mkdir(mode=0o755)
    os.chown(home, SOMEBODY, SOMEBODY)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8",
        "SOMEBODY": str(SOMEBODY), "PREFIX": sys.prefix, "BASE": sys.base_prefix, "PROJECT": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    tests = [
        str(Path(__file__).with_name(f"test_sandbox{name}.py")) for name in ("", "_sessions", "_escapes", "_network")
    ]
    tests += ["-q", "-n0", "-p", "no:cacheprovider", "--tb=short"]
    command = [sys.executable, "-m", "pytest", *tests, f"--basetemp={home}/tests", "--noconftest"]
    try:
        result = subprocess.run(
            ["unshare", "--mount", "sh", "-c", OPEN_UP, "sh", str(opened), *command],
            env=environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", str(temporary)], check=False)
    if result.stderr.startswith("unshare:"):
        pytest.skip(f"this machine lets root make no mount namespace: {result.stderr.strip()}")
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-1000:]
    assert " passed" in result.stdout
