"""The Supabase API's packages from npm: installed once per lockfile, shared by every data folder."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent_runtime.errors import ConfigError
from agent_runtime.local import wheels
from agent_runtime.local.processes import Child, Program, last_words, stop_left_behind

MANIFEST = Path(__file__).parent / "supabase_api"
ENTRY = Path("node_modules") / "@supabase" / "lite" / "dist" / "cli" / "index.js"

_FILES = ("package.json", "package-lock.json")
_FIELDS = frozenset({"code", "syscall", "errno", "path", "dest", "A", "npm"})
_POLL_SECONDS = 0.1


def installed_folder(cache: Path | None = None) -> Path:
    """Where the packages of this version's lockfile are, or will be."""
    digest = hashlib.sha256((MANIFEST / "package-lock.json").read_bytes()).hexdigest()
    return (cache or wheels.cache_folder()) / f"supabase-api-{digest[:16]}"


def is_installed(cache: Path | None = None) -> bool:
    """Whether nothing needs to be fetched."""
    return (installed_folder(cache) / ENTRY).is_file()


def version() -> str:
    """The version of the Supabase API that the lockfile pins."""
    lock = json.loads((MANIFEST / "package-lock.json").read_text(encoding="utf-8"))
    return str(lock["packages"]["node_modules/@supabase/lite"]["version"])


async def install(cache: Path | None = None) -> Path:
    """The folder with the packages; fetches them when it is not there (about ten seconds).

    The folder appears whole or not at all; of two installers at once the second waits for the first.
    Raises `ConfigError` with the last line of npm's report when that fails.
    """
    target = installed_folder(cache)
    if is_installed(cache):
        return target
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        async with locked(target.with_suffix(".lock")):
            if not is_installed(cache):
                await _install(target)
    except OSError as error:
        raise ConfigError(f"cannot install the Supabase API into {target}: {error.strerror}") from None
    return target


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold the installer's lock; waits for another process that holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(lock)


async def _install(target: Path) -> None:
    for left_behind in target.parent.glob(f".{target.name}-*"):
        await asyncio.to_thread(stop_left_behind, left_behind)
        shutil.rmtree(left_behind, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        whole = staging / "whole"
        whole.mkdir(mode=0o755)
        for name in _FILES:
            shutil.copy(MANIFEST / name, whole)
        await _npm_ci(whole, staging)
        shutil.rmtree(target, ignore_errors=True)
        whole.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


async def _npm_ci(folder: Path, scratch: Path) -> None:
    program = Program(
        name="npm",
        # No package of the lockfile needs an install script, so none gets to run one.
        argv=[
            *(str(wheels.node().path), str(wheels.npm_script()), "ci", "--ignore-scripts", "--prefer-offline"),
            *("--no-audit", "--no-fund", "--no-update-notifier", "--progress=false", "--loglevel=error"),
        ],
        environment={**os.environ, "npm_config_update_notifier": "false"},
        cwd=folder,
    )
    child = await Child.start(program, records=scratch, logs=scratch)
    try:
        if await child.wait() != 0:
            raise ConfigError(
                f"installing the Supabase API from npm failed: {_reason(child.log)}; "
                "check the network and npm's configuration, then start again"
            )
    finally:
        await child.stop()


def _reason(log: Path) -> str:
    # npm reports fields first, then a sentence, then the path of a log of its own.
    lines = [line.removeprefix("npm error ").strip() for line in log.read_text(errors="replace").splitlines()]
    sentences = [line for line in lines if line and line.split()[0] not in _FIELDS]
    return sentences[0] if sentences else last_words(log) or "npm said nothing"
