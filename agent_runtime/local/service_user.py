"""Who runs Postgres and the Supabase API when we are root: an unprivileged user, because Postgres refuses root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_runtime.errors import ConfigError

OWN_NAME = "agent-runtime"


@dataclass(frozen=True)
class ServiceUser:
    """A user with an entry in the system's user database: Postgres does not run without one."""

    name: str
    uid: int
    gid: int

    @property
    def spawn_arguments(self) -> dict[str, Any]:
        """Arguments for `subprocess` that start a program as this user, in none of root's groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give the file or folder to this user."""
        os.chown(path, self.uid, self.gid)

    def may_execute(self, path: Path) -> bool:
        """Whether this user may run the program or enter the folder: tried, because ACLs and mounts count too."""
        try:
            argv = ["/bin/sh", "-c", 'test -x "$0"', str(path)]
            done = subprocess.run(argv, cwd="/", check=False, **self.spawn_arguments)
        except OSError as error:
            raise ConfigError(
                f"cannot start programs as the user {self.name} ({error.strerror}): start as an unprivileged user"
            ) from None
        return done.returncode == 0


def choose_service_user(owned: Path) -> ServiceUser | None:
    """The user for Postgres and the API; None when we are not root, and they simply run as ourselves.

    `owned` is a folder that belongs to this user from the first start on: its owner stays the choice for good.
    Raises `ConfigError` when there is no user to choose.
    """
    if os.geteuid() != 0:
        return None
    if owned.exists() and (owner := owned.stat().st_uid) != 0:
        return _lookup(owner)
    for name in (OWN_NAME, "postgres"):
        if _exists(name):
            return _lookup(name)
    if useradd := shutil.which("useradd"):
        arguments = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", OWN_NAME]
        subprocess.run([useradd, *arguments], check=False, capture_output=True)
    return _lookup(OWN_NAME if _exists(OWN_NAME) else "nobody")


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _lookup(who: str | int) -> ServiceUser:
    try:
        entry = pwd.getpwnam(who) if isinstance(who, str) else pwd.getpwuid(who)
    except KeyError:
        raise ConfigError(
            f"no user {who} on this system, and Postgres refuses to run as root: "
            f"make one with `useradd --system {OWN_NAME}`, or start as an unprivileged user"
        ) from None
    return ServiceUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
