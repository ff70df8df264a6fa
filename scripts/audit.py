"""Ask the databases of known vulnerabilities about everything that is locked: Python's packages and npm's.

Ends with 0 when all was asked about and nothing is known, with 1 when something is, and with 2 when a database could
not be asked: then nothing is known at all, which is not the same as clean.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_runtime.local import api_packages, wheels

ROOT = Path(__file__).resolve().parents[1]
PYTHON_LOCK = ROOT / "requirements" / "dev.lock"  # holds what the others hold, and what tests need
NPM_LOCKS = (api_packages.MANIFEST, ROOT / "tests" / "advisors", ROOT / "ui")

FOUND, NOT_ASKED = 1, 2


@dataclass
class Audit:
    """What became of one lock."""

    lock: str
    asked: int = 0
    found: list[str] = field(default_factory=list)
    """A line per vulnerable package."""
    silence: str = ""
    """Why the database could not be asked about all of it."""


def main() -> int:
    """Audit every lock and say what came of it."""
    audits = [pip_audit(PYTHON_LOCK), *(npm_audit(folder) for folder in NPM_LOCKS)]
    for audit in audits:
        for line in audit.found:
            print(f"VULNERABLE   {audit.lock}: {line}")
        if audit.silence:
            print(f"NOT AUDITED  {audit.lock}: {audit.silence}")
        elif not audit.found:
            print(f"clean        {audit.lock}: {audit.asked} packages, nothing known against them")
    silent = [audit for audit in audits if audit.silence]
    if silent:
        print("What was not audited may be anything. Run `make audit` where these services can be reached.")
    return FOUND if any(audit.found for audit in audits) else NOT_ASKED if silent else 0


def pip_audit(lock: Path) -> Audit:
    """pip-audit, which by itself ends with 0 even if the service knew none of the packages."""
    audit = Audit(str(lock.relative_to(ROOT)))
    argv = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "20"),
    ]
    with tempfile.TemporaryDirectory() as cache:
        said = _run([*argv, "--cache-dir", cache], ROOT)
    answer = _json(said.stdout)
    if "dependencies" not in answer:
        audit.silence = _last_line(said.stderr) or "pip-audit said nothing"
        return audit
    packages = answer["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    audit.asked = len(packages) - len(skipped)
    for package in packages:
        if package.get("vulns"):
            names = ", ".join(vulnerability["id"] for vulnerability in package["vulns"])
            audit.found.append(f"{package['name']} {package['version']}: {names}")
    if skipped or not packages:
        reason = skipped[0]["skip_reason"] if skipped else "the lock is empty"
        audit.silence = f"{len(skipped)} of {len(packages)} packages are not known to the service ({reason})"
    return audit


def npm_audit(folder: Path) -> Audit:
    """`npm audit` of a package-lock.json."""
    audit = Audit(str((folder / "package-lock.json").relative_to(ROOT)))
    argv = [str(wheels.node().path), str(wheels.npm_script()), "audit", "--json", "--package-lock-only"]
    answer = _json(_run(argv, folder).stdout)
    if "auditReportVersion" not in answer:
        error = answer.get("error") or {}
        audit.silence = str(answer.get("message") or error.get("summary") or "npm gave no report")
        return audit
    audit.asked = answer["metadata"]["dependencies"]["total"]
    for name, finding in answer["vulnerabilities"].items():
        titles = [via["title"] for via in finding["via"] if isinstance(via, dict)]
        audit.found.append(f"{name} ({finding['severity']}): {'; '.join(titles) or 'by what it depends on'}")
    return audit


def _run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=600, env=os.environ, check=False)


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
