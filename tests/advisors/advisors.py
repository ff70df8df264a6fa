"""Supabase's own advisors: installed from npm at one exact version, run against a database, their remarks read."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent_runtime.errors import ConfigError
from agent_runtime.local import api_packages, wheels

FOLDER = Path(__file__).parent
LOCK = FOLDER / "package-lock.json"
ENTRY = Path("node_modules") / "supabase" / "dist" / "supabase.js"


@dataclass(frozen=True)
class Remark:
    """One line of what the advisors say."""

    level: str
    """ERROR, WARN or INFO."""
    name: str
    key: str
    """The name and what it is about, in one word: what the list of explained remarks goes by."""
    detail: str


def install() -> Path:
    """The folder with Supabase's command line, fetched when it is not there (about ten seconds).

    Raises `ConfigError` with the last line of npm's report when that fails.
    """
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    target = wheels.cache_folder() / f"supabase-advisors-{digest[:16]}"
    if not (target / ENTRY).is_file():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        asyncio.run(_install(target))
    return target


async def _install(target: Path) -> None:
    async with api_packages.locked(target.with_suffix(".lock")):
        if (target / ENTRY).is_file():
            return
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as staging:
            whole = Path(staging) / "whole"
            whole.mkdir(mode=0o755)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(FOLDER / name, whole)
            # Not `ci`: it refuses a lockfile without the programs for every platform, and a registry may lack some.
            # What the lockfile holds is installed at its version and held against its hash all the same.
            argv = [
                *(str(wheels.node().path), str(wheels.npm_script()), "install", "--ignore-scripts", "--prefer-offline"),
                *("--no-audit", "--no-fund", "--no-update-notifier", "--progress=false", "--loglevel=error"),
            ]
            process = await asyncio.create_subprocess_exec(
                *argv, cwd=whole, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            said, _ = await process.communicate()
            if process.returncode != 0:
                reason = [line.removeprefix("npm error ") for line in said.decode(errors="replace").splitlines()]
                raise ConfigError(f"npm could not fetch Supabase's command line: {'; '.join(reason[:4])}")
            shutil.rmtree(target, ignore_errors=True)
            whole.rename(target)


def remarks(installed: Path, database_url: str, home: Path) -> tuple[int, list[Remark]]:
    """The exit status with `--fail-on warn`, and every remark. `home` is an empty folder for what it writes."""
    argv = [
        *(
            str(wheels.node().path),
            str(installed / ENTRY),
            "db",
            "advisors",
            f"--remote={database_url}?sslmode=disable",
        ),
        *("--type", "all", "--level", "info", "--fail-on", "warn", "--output-format", "json", "--agent", "no"),
        *("--workdir", str(FOLDER)),
    ]
    environment = {"PATH": os.defpath, "HOME": str(home), "SUPABASE_TELEMETRY_DISABLED": "1"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.startswith("{"), done.stderr or done.stdout
    found = json.loads(done.stdout)["results"]
    return done.returncode, [Remark(r["level"], r["name"], r["cacheKey"], r["detail"]) for r in found]
