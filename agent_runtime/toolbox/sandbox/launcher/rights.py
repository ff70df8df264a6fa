"""Limits and rights: what a process gives up for good before it becomes a command of a model."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
import termios
from contextlib import suppress
from typing import Any, NoReturn

from . import kernel
from .calls import forbid_calls
from .paths import landlock_ruleset, restrict_to
from .relay import start_relay

_LINUX = sys.platform == "linux"
_NO_NEW_PRIVILEGES = 38


def become(spec: dict[str, Any]) -> NoReturn:
    """Replace this process with the command; the order matters: each step needs the rights that the next gives up."""
    os.setsid()
    # Beneath a home of mode 0700 the folder can be entered only before the rights are gone, and a folder that belongs
    # to the unprivileged id, by a root without capabilities, only after.
    entered = _entered(spec["folder"])
    ruleset = landlock_ruleset(spec["landlock"]) if spec["landlock"] is not None else None
    _set_limits(spec["limits"])
    if _LINUX:
        kernel.narrow_capabilities(spec["capabilities"])
    if spec["uid"] is not None:
        os.setgroups([])
        os.setgid(spec["gid"])
        os.setuid(spec["uid"])
    if not entered:
        os.chdir(spec["folder"])
    os.umask(0o022)
    if spec["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if _LINUX:
        if not spec["capabilities"]:
            kernel.drop_capabilities()
        kernel.prctl(_NO_NEW_PRIVILEGES, 1)
        if ruleset is not None:
            restrict_to(ruleset)
        forbid_calls(spec["forbidden"], others=spec["others_visible"])
    if spec["relay"] is not None:
        start_relay(spec["relay"])
    _execute(spec["argv"], spec["environment"])


def prefer_for_out_of_memory() -> None:
    """When memory runs out, the command goes first and the worker stays."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def join_group(folder: str | None) -> None:
    """Move this process, and all that it starts, into the control group."""
    if folder is not None:
        with open(f"{folder}/cgroup.procs", "w") as file:  # noqa: PTH123
            file.write("0")


def _execute(command: list[str], environment: dict[str, str]) -> NoReturn:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _entered(folder: str) -> bool:
    try:
        os.chdir(folder)
    except PermissionError:
        return False
    return True


def _set_limits(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is None:
            continue
        _, hard = resource.getrlimit(number)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError):
            # macOS knows the address-space limit and refuses to set it.
            if _LINUX:
                raise
