"""Which module brings which command. What a command needs is imported when it is meant, for all others cost time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module

from typer.main import get_command

from agent_runtime.cli import app

MODULES: dict[str, tuple[str, ...]] = {
    "agents": ("agents",),
    "approvals": ("approvals",),
    "audit": ("audit",),
    "config": ("config",),
    "db": ("db", "access"),
    "demo": ("demo",),
    "doctor": ("doctor",),
    "files": ("files",),
    "health": ("health",),
    "invitations": ("members",),
    "login": ("login",),
    "logout": ("login",),
    "members": ("members",),
    "model-server": ("model_server",),
    "run": ("run",),
    "serve": ("serve",),
    "signup": ("login",),
    "submit": ("submit",),
    "tasks": ("tasks", "children", "decide"),
    "tenants": ("tenants",),
    "tools": ("tools", "tools_own"),
    "up": ("up",),
    "vault": ("vault",),
    "watch": ("watch",),
    "workers": ("workers",),
}
"""By the command's name. Importing a module registers its commands, those of a group in the order in which its --help
lists them."""

_imported: set[str] = set()


def command_for(arguments: Sequence[str]) -> Callable[[], object]:
    """The command line with the command that `arguments` begin with; with all commands where they name none."""
    named = MODULES.get(arguments[0]) if arguments else None
    meant = [named] if named else [] if arguments[:1] == ["--version"] else list(MODULES.values())
    for modules in meant:
        for module in modules:
            import_module(f"agent_runtime.cli.{module}")
        _imported.add(modules[0])
    return _built(frozenset(_imported))


@cache
def _built(_modules: frozenset[str]) -> Callable[[], object]:
    # Making it takes a tenth of a second, and tests call it many times in one process.
    return get_command(app)
