"""Where the files that travel with the package are: the built-in tools, the SQL, the examples."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def builtin_tools() -> Path:
    """The folder with one file per built-in tool."""
    return _folder("tools")


def sql() -> Path:
    """The folder with `bootstrap.sql`."""
    return _folder("sql")


def examples() -> Path:
    """The folder with files to try things on."""
    return _folder("examples")


def _folder(name: str) -> Path:
    # A wheel carries the folders inside the package; a checkout has them at its top.
    shipped = _PACKAGE / f"_{name}"
    return shipped if shipped.is_dir() else _PACKAGE.parent / name
