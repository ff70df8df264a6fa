"""The stack's processes: each is on record in the data folder while it runs, so that none is ever lost."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from agent_runtime.errors import ConfigError, Unavailable
from agent_runtime.local.service_user import ServiceUser
from agent_runtime.local.state_file import read_state, write_state

LOGS_KEPT = 3
LAST_WORDS_CHARS = 500

# The start time is computed from the boot time, which the kernel may correct a little.
_START_TOLERANCE_SECONDS = 0.5

_POLL_SECONDS = 0.02

_ERROR = re.compile(r"\b(error|fatal|panic)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Program:
    """What to start, and how to end it."""

    name: str
    """Also the name of its record and of its log."""
    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path = Path("/")
    user: ServiceUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    """After so long it is killed."""


class Child:
    """A running program with its record and its log. Made by `Child.start`."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, record: Path, log: Path) -> None:
        self.program, self.log = program, log
        self._process, self._record = process, record

    @classmethod
    async def start(cls, program: Program, *, records: Path, logs: Path) -> Child:
        """Start the program in a session of its own: Ctrl-C reaches us alone, and we stop things in order.

        Raises `ConfigError` when it cannot be started at all.
        """
        log = logs / f"{program.name}.log"
        rotate(log)
        with _opened(log) as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *_dying_with_us(program.stop_signal),
                    *program.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=program.cwd,
                    env=dict(program.environment),
                    start_new_session=True,
                    **(program.user.spawn_arguments if program.user else {}),
                )
            except OSError as error:
                raise ConfigError(f"cannot start {program.name}: {program.argv[0]}: {error.strerror}") from None
        child = cls(program, process, records / f"{program.name}.json", log)
        try:
            child._put_on_record()
        except BaseException:
            await child.stop()
            raise
        return child

    def _put_on_record(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            started_at = psutil.Process(self.pid).create_time()
            write_state(
                self._record,
                {
                    "pid": self.pid,
                    "started_at": started_at,
                    "argv": list(self.program.argv),
                    "stop_signal": int(self.program.stop_signal),
                    "stop_seconds": self.program.stop_seconds,
                },
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait until it ends by itself; its exit code, negative for a signal."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End it with its signal, and with SIGKILL when that takes too long."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self.program.stop_signal)
            try:
                async with asyncio.timeout(self.program.stop_seconds):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        self._record.unlink(missing_ok=True)

    def check_running(self) -> None:
        """Raise `Unavailable`, with the log's last words, when it has ended."""
        if self.returncode is not None:
            reason = last_words(self.log) or f"exit code {self.returncode}"
            raise Unavailable(f"{self.program.name} ended while starting: {reason} (log: {self.log})")


def stop_left_behind(records: Path) -> list[str]:
    """Stop what a start that was killed left running; the names of what was found.

    A record alone proves nothing, for process ids are used again: only a process with the recorded id, start time and
    command line is touched. Blocks for as long as the programs take to end.
    """
    found = []
    states = {record: read_state(record) or {} for record in records.glob("*.json")}
    # The last started first: a worker gives its tasks back through the database, so the database ends last.
    for record, state in sorted(states.items(), key=lambda item: -float(item[1].get("started_at", 0))):
        if process := _recorded_process(state):
            found.append(record.stem)
            _end(process, signal.Signals(state["stop_signal"]), state["stop_seconds"])
        record.unlink(missing_ok=True)
    return found


def rotate(log: Path) -> None:
    """Keep the logs of the starts before this one as `.1` (the newest) to `.3`."""
    for number in range(LOGS_KEPT, 0, -1):
        newer = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if newer.exists():
            newer.replace(log.with_name(f"{log.name}.{number}"))


def last_words(log: Path) -> str:
    """What a program that failed said last: the last line that names an error, else the last line."""
    with contextlib.suppress(FileNotFoundError):
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
        said = [line for line in lines if line]
        errors = [line for line in said if _ERROR.search(line)]
        return (errors or said or [""])[-1][:LAST_WORDS_CHARS]
    return ""


@contextlib.contextmanager
def _opened(log: Path) -> Iterator[int]:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@functools.cache
def _setpriv() -> str | None:
    program = shutil.which("setpriv") if sys.platform == "linux" else None
    if program is None:
        return None
    probe = subprocess.run([program, "--pdeathsig", "TERM", "--", "true"], check=False, capture_output=True)
    return program if probe.returncode == 0 else None


def _dying_with_us(stop_signal: signal.Signals) -> list[str]:
    # The kernel sends the signal when the thread that started the child ends, so children are started from the thread
    # of the event loop, which is the main one. Setting it ourselves would run Python between fork and exec, which is
    # unsafe with threads: setpriv does it after the exec and then becomes the program, under the same process id.
    # Where there is no setpriv (macOS), the next start finds the children by their records.
    program = _setpriv()
    return [program, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"] if program else []


def _recorded_process(state: dict[str, object]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(str(state["pid"])))
        same_start = abs(process.create_time() - float(str(state["started_at"]))) < _START_TOLERANCE_SECONDS
        argv = state["argv"]
        same_command = isinstance(argv, list) and process.cmdline()[-len(argv) :] == argv
    except (psutil.Error, KeyError, ValueError):
        return None
    return process if same_start and same_command and not _has_ended(process) else None


def _end(process: psutil.Process, stop_signal: signal.Signals, seconds: float) -> None:
    for number in (stop_signal, signal.SIGKILL):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if _has_ended(process):
                return
            time.sleep(_POLL_SECONDS)


def _has_ended(process: psutil.Process) -> bool:
    # An orphan that ended stays a zombie where process 1 is no init, as in many containers.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
