"""The Supabase API of the embedded stack: REST, Auth and Storage in one Node process, in front of our Postgres.

The workarounds for this server are all here and in `sql/local/cluster_roles.sql`:

- It must have both keys and `--no-admin`, or requests without a key run as `service_role`.
- It logs in as a role that owns nothing in `public`, so that its blanket grants change nothing.
- It reads the tables of the database once, when it starts: after `agent-runtime db apply` it must start again.
- Storage is behind a flag, and it prints the database's address: the password goes by the environment.
- What it does wrong at its start, when Postgres cuts a connection and at its end is met in `supabase_api/guard.mjs`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from agent_runtime.db.connection import explain
from agent_runtime.errors import Unavailable
from agent_runtime.http_clients import client_settings
from agent_runtime.local import api_packages, wheels
from agent_runtime.local.cluster import API, DATABASE
from agent_runtime.local.ports import HOST
from agent_runtime.local.processes import Child, Program, last_words
from agent_runtime.local.secrets import Secrets
from agent_runtime.local.service_user import ServiceUser

_CONFIG = """\
project_id = "agent-runtime"

[api]
port = {port}
schemas = ["public"]

[db]
driver = "postgres"
url = "postgresql://{role}@{host}:{database_port}/{database}"

[auth]
publishable_key = "env(SUPABASE_PUBLISHABLE_KEY)"
secret_key = "env(SUPABASE_SECRET_KEY)"
jwt_secret = "env(SUPABASE_JWT_SECRET)"

[auth.email]
enable_confirmations = false

[storage]
enabled = true
file_size_limit = "{file_size_limit}"
"""

FILE_SIZE_LIMIT = "100MiB"

GUARD = "guard.mjs"

# Storage answers last: its schema is made by the first request that needs it. After it, requests of others are served.
_PROBES = {"/auth/v1/health": "first", "/storage/v1/bucket": "last"}

_RETRY_SECONDS = 0.03
_STOP_SECONDS = 5.0


class SupabaseApi:
    """One API server. `folder` holds its configuration and the bytes of Storage; the service user owns it."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        database_port: int,
        secrets: Secrets,
        records: Path,
        logs: Path,
        user: ServiceUser | None = None,
        database: str = DATABASE,
        quick_passwords: bool = False,
    ) -> None:
        """With `quick_passwords` a stolen hash of one is easy to guess: for tests alone."""
        self.folder, self.port = folder, port
        self._database_port, self._database, self._secrets = database_port, database, secrets
        self._records, self._logs, self._user = records, logs, user
        self._quick_passwords = quick_passwords
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """What supabase clients call the Supabase URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def child(self) -> Child:
        """The running server."""
        if self._child is None:
            raise Unavailable("the Supabase API has not been started")
        return self._child

    async def start(self, *, timeout_seconds: float = 60.0) -> None:
        """Install the packages if need be, wait for Postgres, start the server, wait until it answers everywhere.

        Raises `ConfigError` when the packages cannot be had, `Unavailable` when the server ends, or when it or
        Postgres stays silent.
        """
        packages = await api_packages.install()
        await self._wait_for_postgres(timeout_seconds)
        self._write_config()
        program = Program(
            name="supabase-api",
            argv=[
                str(wheels.reachable(wheels.node(), self._user)),
                *("--import", (self.folder / GUARD).as_uri()),
                *(str(packages / api_packages.ENTRY), "start", "--no-admin", "--host", HOST),
            ],
            environment=self._environment(),
            cwd=self.folder,
            user=self._user,
            stop_seconds=_STOP_SECONDS,
        )
        self._child = await Child.start(program, records=self._records, logs=self._logs)
        try:
            await self._wait_until_ready(timeout_seconds)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server."""
        if self._child:
            await self._child.stop()

    def _write_config(self) -> None:
        config = self.folder / "supabase" / "config.toml"
        for folder in (self.folder, config.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self._user:
                self._user.own(folder)
        config.write_text(
            _CONFIG.format(
                port=self.port,
                role=API,
                host=HOST,
                database_port=self._database_port,
                database=self._database,
                file_size_limit=FILE_SIZE_LIMIT,
            ),
            encoding="utf-8",
        )
        # Copied, for the service user may not reach where we are installed.
        guard = self.folder / GUARD
        shutil.copyfile(api_packages.MANIFEST / GUARD, guard)
        if self._user:
            self._user.own(guard)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "NODE_ENV": "production",
            "DO_NOT_TRACK": "1",
            "EXPERIMENTAL_STORAGE": "1",
            "GUARD_DATABASE_PORT": str(self._database_port),
            "PGPASSWORD": self._secrets.supabase_api.get_secret_value(),
            "SUPABASE_PUBLISHABLE_KEY": self._secrets.publishable_key,
            "SUPABASE_SECRET_KEY": self._secrets.secret_key.get_secret_value(),
            "SUPABASE_JWT_SECRET": self._secrets.jwt_secret.get_secret_value(),
            # As the API would have it, or the least that bcrypt has.
            "LITE_AUTH_BCRYPT_COST": "4" if self._quick_passwords else "10",
        }

    async def _wait_for_postgres(self, timeout_seconds: float) -> None:
        """It ends when Postgres refuses it a connection, as while that recovers from a crash."""
        conninfo = make_conninfo(
            host=HOST,
            port=self._database_port,
            user=API,
            password=self._secrets.supabase_api.get_secret_value(),
            dbname=self._database,
            connect_timeout=5,
        )
        reason = "no answer"
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    try:
                        await (await psycopg.AsyncConnection.connect(conninfo)).close()
                        return
                    except psycopg.OperationalError as error:
                        reason = explain(error)
                        await asyncio.sleep(_RETRY_SECONDS)
        except TimeoutError:
            raise Unavailable(
                f"the Supabase API was not started: Postgres took no connection within {timeout_seconds:g} s: {reason}"
            ) from None

    async def _wait_until_ready(self, timeout_seconds: float) -> None:
        key = self._secrets.secret_key.get_secret_value()
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                httpx.AsyncClient(timeout=10, **client_settings(self.url)) as client,
            ):
                for path, probe in _PROBES.items():
                    headers = {"apikey": key, "Authorization": f"Bearer {key}", "X-Guard-Probe": probe}
                    await self._wait_for(client, path, headers)
        except TimeoutError:
            raise Unavailable(
                f"the Supabase API did not answer within {timeout_seconds:g} s: {last_words(self.child.log)} "
                f"(log: {self.child.log})"
            ) from None

    async def _wait_for(self, client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
        while True:
            self.child.check_running()
            try:
                if (await client.get(f"{self.url}{path}", headers=headers)).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(_RETRY_SECONDS)
