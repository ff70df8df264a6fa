"""Where the worker's own Python is, so that `python3` in a sandbox is the same one, with the same packages."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from agent_runtime.toolbox.sandbox.identity import is_root

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def interpreter_folders() -> list[Path]:
    """The folders that Python needs, outside /usr: the virtual environment, its base, and what links lead through."""
    folders = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), Path(sys.base_exec_prefix)]
    step = Path(sys.executable)
    while step.is_symlink():
        step = step.parent / step.readlink()
        folders.append(step.parent.parent)
    folders += [folder.resolve() for folder in folders]
    wanted = {folder for folder in folders if _is_prefix(folder) and not folder.is_relative_to("/usr")}
    return sorted(wanted)


@functools.cache
def search_path(*, confined: bool) -> str:
    """PATH for commands: the worker's Python first.

    `confined` says that the sandbox makes Python's folders reachable itself; otherwise those that the unprivileged id
    of a root worker cannot enter are left out, and `python3` is the system's.
    """
    folders = [Path(sys.prefix) / "bin", Path(sys.base_prefix) / "bin"]
    if not confined and is_root():
        folders = [folder for folder in folders if _others_can_enter(folder)]
    return ":".join([*dict.fromkeys(map(str, folders)), _SYSTEM_PATH])


def _is_prefix(folder: Path) -> bool:
    # The check keeps a stray link from opening somebody's whole home.
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    return folder not in (Path("/"), Path.home()) and (folder / library).is_dir()


def _others_can_enter(folder: Path) -> bool:
    executable = (folder / "python3").resolve()
    return executable.exists() and all(
        path.stat().st_mode & 0o001 for start in (folder, executable) for path in (start, *start.parents)
    )
