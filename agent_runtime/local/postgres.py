"""A Postgres server of our own: its files under one folder, on loopback, every connection with a password."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Literal

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from agent_runtime.errors import ConfigError, DatabaseUnavailable
from agent_runtime.local import wheels
from agent_runtime.local.ports import HOST
from agent_runtime.local.processes import Child, Program, last_words
from agent_runtime.local.service_user import ServiceUser

SUPERUSER = "supabase_admin"

Major = Literal[15, 16, 18]

_RETRY_SECONDS = 0.03


class LocalPostgres:
    """One cluster. `data` is its folder; its parent must be a folder that the service user can enter."""

    def __init__(
        self,
        data: Path,
        *,
        port: int,
        password: SecretStr,
        records: Path,
        logs: Path,
        user: ServiceUser | None = None,
        major: Major = 18,
        durable: bool = True,
        programs: Path | None = None,
    ) -> None:
        """`password` is the superuser's. Without `durable` a crash of the machine loses data: for tests alone.
        `programs` is a folder with `postgres` and `initdb` of this major version; None: the wheel's."""
        self.data, self.port, self.major = data, port, major
        self._password, self._records, self._logs = password, records, logs
        self._user, self._durable = user, durable
        self._programs = programs
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The running server."""
        if self._child is None:
            raise DatabaseUnavailable("Postgres has not been started")
        return self._child

    @property
    def superuser_conninfo(self) -> str:
        """For setting up alone; nothing that serves a task is a superuser."""
        return self.conninfo(SUPERUSER, self._password, "postgres")

    @property
    def address(self) -> str:
        """Host and port, to show."""
        return f"{HOST}:{self.port}"

    def conninfo(self, role: str, password: SecretStr, database: str) -> str:
        """A connection string in URL form."""
        return f"postgresql://{role}:{password.get_secret_value()}@{HOST}:{self.port}/{database}"

    @property
    def is_initialised(self) -> bool:
        """Whether the folder holds a cluster."""
        return (self.data / "PG_VERSION").exists()

    async def initialise(self) -> None:
        """Make the cluster unless it is there. It appears whole or not at all.

        Raises `ConfigError` when initdb fails.
        """
        if self.is_initialised:
            return
        staging = self.data.with_name(f"{self.data.name}.new")
        password_file = self.data.with_name(f"{self.data.name}.password")
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(mode=0o700)
            _write_private(password_file, self._password.get_secret_value())
            if self._user:
                self._user.own(staging)
                self._user.own(password_file)
            await self._initdb(staging, password_file)
            staging.rename(self.data)
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(staging, ignore_errors=True)

    async def start(self, *, timeout_seconds: float = 60.0) -> None:
        """Start the server and wait until it takes connections (after a crash: until it has recovered).

        Raises `ConfigError` when the folder holds another major version, `Unavailable` with the log's last line when
        the server ends or stays silent.
        """
        self._check_major()
        self._clear_stale_lock()
        program = Program(
            name="postgres",
            argv=[str(self._binary("postgres")), "-D", str(self.data), "-p", str(self.port), *self._settings()],
            environment=_environment(),
            user=self._user,
            stop_signal=signal.SIGINT,  # "fast": ends every session, then writes a checkpoint
            stop_seconds=30.0,
        )
        self._child = await Child.start(program, records=self._records, logs=self._logs)
        try:
            await self._wait_until_ready(timeout_seconds)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server; sessions that are open are ended."""
        if self._child:
            await self._child.stop()

    async def _initdb(self, folder: Path, password_file: Path) -> None:
        program = Program(
            name="initdb",
            argv=[
                *(str(self._binary("initdb")), "-D", str(folder), "-U", SUPERUSER, f"--pwfile={password_file}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                *([] if self._durable else ["--no-sync", *self._quick_passwords()]),
            ],
            environment=_environment(),
            user=self._user,
        )
        child = await Child.start(program, records=self._records, logs=self._logs)
        try:
            if await child.wait() != 0:
                raise ConfigError(f"initdb failed: {last_words(child.log)} (log: {child.log})")
        finally:
            await child.stop()

    def _settings(self) -> list[str]:
        settings = {"listen_addresses": HOST, "unix_socket_directories": ""}
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            # A checkpoint costs little without fsync, and the tests' files may be in memory.
            settings |= {"min_wal_size": "32MB", "max_wal_size": "128MB"}
        arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return arguments if self._durable else arguments + self._quick_passwords()

    def _quick_passwords(self) -> list[str]:
        # Thousands of connections of tests would each spend milliseconds on what makes a stolen hash hard to guess.
        return ["-c", "scram_iterations=1"] if self.major >= 16 else []

    async def _wait_until_ready(self, timeout_seconds: float) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    self.child.check_running()
                    try:
                        conninfo = make_conninfo(self.superuser_conninfo, connect_timeout=5)
                        connection = await psycopg.AsyncConnection.connect(conninfo)
                    except psycopg.OperationalError:
                        await asyncio.sleep(_RETRY_SECONDS)
                        continue
                    await connection.close()
                    return
        except TimeoutError:
            raise DatabaseUnavailable(
                f"Postgres took no connection within {timeout_seconds:g} s: {last_words(self.child.log)} "
                f"(log: {self.child.log})"
            ) from None

    def _check_major(self) -> None:
        found = (self.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        if found != str(self.major):
            raise ConfigError(
                f"{self.data} belongs to Postgres {found} and this is Postgres {self.major}: "
                f"choose another folder with --data-dir, and move the data with pg_dump and psql"
            )

    def _clear_stale_lock(self) -> None:
        """Remove the pid file of a server that was killed: its process id may be somebody else's by now, and Postgres
        would take that for a server that still runs."""
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        try:
            process = psutil.Process(int(lock.read_text(encoding="utf-8").split("\n", 1)[0]))
            is_postgres = str(self.data) in process.cmdline()
        except (psutil.Error, ValueError):
            is_postgres = False
        if is_postgres:
            raise ConfigError(f"a Postgres that we did not start runs on {self.data}: stop it first")
        lock.unlink(missing_ok=True)

    def _binary(self, name: str) -> Path:
        if self._programs:
            return self._programs / name
        return wheels.reachable(wheels.postgres(self.major), self._user).with_name(name)


def _environment() -> dict[str, str]:
    # Nothing of ours: a PGDATA or PGPORT of the operator would mislead it.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
