"""The data folder: everything that one embedded stack is, in one place, used by one `up` at a time."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import platformdirs

from agent_runtime.errors import ConfigError
from agent_runtime.local.service_user import ServiceUser, choose_service_user
from agent_runtime.local.state_file import read_state, write_state

FORMAT = 1
POSTGRES_MAJOR = 18

_LOCK = "lock"
_POSTGRES = "postgres"
_STACK = "stack.json"
_RUNNING = "stack-running.json"


def default_path() -> Path:
    """The folder that commands use when none is named: `AGENT_RUNTIME_DATA_DIR`, else the system's place for it."""
    if named := os.environ.get("AGENT_RUNTIME_DATA_DIR"):
        return Path(named)
    if os.geteuid() == 0:
        # Root's own folders are closed to the user that runs Postgres.
        return Path("/var/lib/agent-runtime")
    return Path(platformdirs.user_data_dir("agent-runtime"))


def read_running(path: Path) -> dict[str, Any] | None:
    """What the stack that runs on this folder wrote about itself: addresses, keys, process id; None when none runs.

    Keys: pid, supabase_url, publishable_key, secret_key, database_url, worker_database_url, model_url, model,
    vault (environment variables with the vault's keys).
    """
    try:
        with (path / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        state = read_state(path / _RUNNING)
        return state if isinstance(state, dict) else None
    except OSError:
        return None
    return None


class DataFolder:
    """A data folder that is locked for this process. Made by `DataFolder.open`, given back by `close`."""

    def __init__(self, path: Path, user: ServiceUser | None, lock: int) -> None:
        self.path, self.user, self._lock = path, user, lock

    @classmethod
    def open(cls, path: Path) -> DataFolder:
        """Create the folder if need be, lock it, check that this version can use it.

        Raises `ConfigError` when it cannot be written, belongs to another `up`, is not a data folder or is newer.
        """
        path = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  links stay as the operator named them
        user = choose_service_user(path / _POSTGRES)
        # Before anything is made: the folder itself gets the right mode below, those above it are not ours.
        _require_reachable(next(above for above in path.parents if above.exists()), path, user)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = cls(path, user, _locked(path))
        except OSError as error:
            raise ConfigError(
                f"cannot use the data folder {path} ({error.strerror}): choose another with --data-dir"
            ) from None
        try:
            folder._prepare()
        except BaseException:
            folder.close()
            raise
        return folder

    def close(self) -> None:
        """Give the folder back."""
        os.close(self._lock)

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.json"

    @property
    def first_user(self) -> Path:
        return self.path / "first-user.json"

    @property
    def postgres(self) -> Path:
        return self.path / _POSTGRES

    @property
    def api(self) -> Path:
        return self.path / "api"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def records(self) -> Path:
        return self.path / "processes"

    @property
    def workspaces(self) -> Path:
        return self.path / "workspaces"

    @property
    def ports(self) -> dict[str, int]:
        """The ports of the last start, by the name of the part."""
        return dict((read_state(self.path / _STACK) or {}).get("ports", {}))

    def keep(self, *, ports: dict[str, int], versions: dict[str, str]) -> None:
        """Remember what the next start should know."""
        state = {"format": FORMAT, "postgres_major": POSTGRES_MAJOR, "versions": versions, "ports": ports}
        write_state(self.path / _STACK, state)

    def announce(self, running: dict[str, Any]) -> None:
        """Tell the commands where the stack is; `read_running` reads it."""
        write_state(self.path / _RUNNING, {"pid": os.getpid(), **running})

    def withdraw(self) -> None:
        """Undo `announce`."""
        (self.path / _RUNNING).unlink(missing_ok=True)

    def _prepare(self) -> None:
        self._check_version()
        try:
            self.path.chmod(0o711 if self.user else 0o700)
            for folder in (self.logs, self.records):
                folder.mkdir(mode=0o700, exist_ok=True)
            if not (self.path / _STACK).exists():
                self.keep(ports={}, versions={})
        except OSError as error:
            raise ConfigError(
                f"cannot write to the data folder {self.path} ({error.strerror}): choose another with --data-dir"
            ) from None
        _require_reachable(self.path, self.path, self.user)

    def _check_version(self) -> None:
        state = read_state(self.path / _STACK)
        if state is None and (self.path / _STACK).exists():
            raise ConfigError(
                f"{self.path / _STACK} is damaged: restore it from a backup, or choose another --data-dir"
            )
        if state is None:
            # Somebody's home would get our files and a new mode.
            names = sorted(entry.name for entry in self.path.iterdir())
            strangers = [name for name in names if name != _LOCK and not name.startswith(f".{_STACK}")]
            if strangers:
                raise ConfigError(f"{self.path} holds other files ({strangers[0]}): give --data-dir an empty folder")
            return
        for key, known in (("format", FORMAT), ("postgres_major", POSTGRES_MAJOR)):
            if state.get(key) != known:
                direction = "newer" if isinstance(state.get(key), int) and state[key] > known else "other"
                raise ConfigError(
                    f"the data folder {self.path} was made by a {direction} version ({key} {state.get(key)}, this one "
                    f"knows {known}): upgrade agent-runtime, or choose another folder with --data-dir"
                )


def _require_reachable(folder: Path, path: Path, user: ServiceUser | None) -> None:
    if user and not user.may_execute(folder):
        raise ConfigError(
            f"the user {user.name}, which runs Postgres because root must not, cannot enter the data folder {path}: "
            f"choose one outside of private folders with --data-dir, such as {default_path()}"
        )


def _locked(path: Path) -> int:
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock_patiently(lock)
    except BlockingIOError:
        os.close(lock)
        running = read_state(path / _RUNNING) or {}
        where = f" (process {running['pid']}, API at {running['supabase_url']})" if "supabase_url" in running else ""
        raise ConfigError(
            f"already running on the data folder {path}{where}: stop that one first, or choose another with --data-dir"
        ) from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def _lock_patiently(lock: int) -> None:
    # A command that asks whether a stack runs here holds the lock for an instant.
    for _ in range(5):
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
    return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
