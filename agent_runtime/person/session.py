"""The signed-in person's session, kept on disk for the next command: one file that only its owner can read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_runtime.errors import ConfigError

PLACE = "AGENT_RUNTIME_SESSION_FILE"
"""The environment variable that says where the session is kept."""

LOG_IN = "run `agent-runtime login`"


class Session(BaseModel):
    """Who is signed in, and where. Times are seconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    supabase_url: str
    publishable_key: str
    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    expires_at: int
    """When the access token runs out."""
    email: str
    user_id: str | None = None
    last_used_at: float = Field(default_factory=time.time)
    timeout_seconds: float | None = None
    """`session_timeout` of the configuration, as it was when the session was last used."""

    def is_idle(self, now: float, timeout_seconds: float | None = None) -> bool:
        """Whether nobody used it for longer than the configuration allows."""
        allowed = timeout_seconds or self.timeout_seconds
        return allowed is not None and now - self.last_used_at > allowed


def session_file() -> Path:
    """Where the session is kept."""
    if place := os.environ.get(PLACE):
        return Path(place).expanduser()
    # A folder of its own: the state folder also holds workspaces, which others have to reach.
    return Path(platformdirs.user_state_dir("agent-runtime")) / "person" / "session.json"


def save(session: Session) -> None:
    """Replace the kept session in one step. Raises `ConfigError` when it cannot be written."""
    path = session_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 0600, and never readable by others, not even for a moment.
        descriptor, staging = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(session.model_dump_json(indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(staging).replace(path)
        except BaseException:
            Path(staging).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _cannot_keep(path, error) from None


def load() -> Session:
    """The kept session.

    Raises `ConfigError` when nobody is signed in, when other people could read the file, or when it is not a session.
    """
    path = session_file()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"nobody is signed in: {LOG_IN}, or start `agent-runtime up`") from None
    except OSError as error:
        raise ConfigError(f"the session in {path} cannot be read: {error.strerror}; {LOG_IN}") from None
    with os.fdopen(descriptor, "rb") as file:
        _refuse_if_others_could_read(os.fstat(descriptor), path)
        try:
            return Session.model_validate_json(file.read())
        except ValidationError:
            raise ConfigError(f"{path} does not hold a session: {LOG_IN}") from None


def forget() -> None:
    """Remove the kept session, if there is one."""
    session_file().unlink(missing_ok=True)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the session's lock: one process at a time exchanges the refresh token, which is good for one exchange."""
    path = session_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _cannot_keep(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _cannot_keep(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"the session cannot be kept in {path}: {error.strerror or error}; set {PLACE}")


def _refuse_if_others_could_read(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path} is not a file: {LOG_IN} with another {PLACE}")
    if status.st_uid != os.geteuid():
        raise ConfigError(f"the session in {path} belongs to somebody else: set {PLACE} to a file of yours")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise ConfigError(f"other people can read the session in {path} (mode {mode:04o}): run `chmod 600 {path}`")
