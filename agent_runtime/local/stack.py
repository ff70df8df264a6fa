"""The embedded stack as one thing: Postgres, the Supabase API, the schema and a model server, started in order."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import psycopg

from agent_runtime import __version__, resources
from agent_runtime.db import schema
from agent_runtime.db.connection import explain
from agent_runtime.errors import ConfigError, DatabaseUnavailable
from agent_runtime.local import api_packages, cluster, ports, wheels
from agent_runtime.local.api import SupabaseApi
from agent_runtime.local.folder import POSTGRES_MAJOR, DataFolder
from agent_runtime.local.model_server import STAND_IN, ScriptedModelServer
from agent_runtime.local.ollama import Ollama, find_ollama
from agent_runtime.local.postgres import LocalPostgres
from agent_runtime.local.processes import stop_left_behind
from agent_runtime.local.secrets import Secrets, load_or_generate
from agent_runtime.local.supervisor import Part
from agent_runtime.local.web import WebProcess
from agent_runtime.local.worker import WorkerProcess
from agent_runtime.vault import keys as vault_keys

T = TypeVar("T")

OnPart = Callable[[str, float | None], None]
"""Called with a part's name when its start begins (None) and when it is ready (the seconds it took)."""


def _say_nothing(_part: str, _seconds: float | None) -> None:
    pass


class Stack:
    """One embedded stack on one data folder, without a worker. `async with Stack(path) as stack`, or start and stop.

    After a start that failed or was cancelled nothing runs and the folder is free.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        api_port: int | None = None,
        model_url: str | None = None,
        model: str | None = None,
        script: Path | None = None,
        look_for_ollama: bool = True,
        durable: bool = True,
        on_part: OnPart = _say_nothing,
    ) -> None:
        """`script` is for the scripted model server, and rules Ollama out. Without `durable` a crash of the machine
        loses data, and hashes of passwords are quickly made and guessed: for tests alone."""
        self.data_dir = data_dir
        self.timings: dict[str, float] = {}
        """Seconds that each part took to start; the model server starts beside the others."""
        self.notes: list[str] = []
        """What the operator should know about this start, a line each."""
        self.parts: dict[str, Part] = {}
        """The parts that are processes of this stack."""
        self.ollama: Ollama | None = None
        self._api_port, self._model_url, self._model, self._script = api_port, model_url, model, script
        self._look_for_ollama, self._durable, self._on_part = look_for_ollama and script is None, durable, on_part
        self._opened = AsyncExitStack()

    async def start(self) -> None:
        """Start every part.

        Raises `ConfigError` when something named or found cannot be used, `Unavailable` when a part does not come up.
        """
        wheels.postgres(POSTGRES_MAJOR)
        wheels.node()
        try:
            self.folder = DataFolder.open(self.data_dir)
            self._opened.callback(self.folder.close)
            self.data_dir = self.folder.path
            await self._find_model_server()
            await self._stop_left_behind()
            self.secrets: Secrets = load_or_generate(self.folder.secrets)
            self._ports = self._choose_ports()
            # It waits for nothing of the others, so it starts beside them.
            model_server = self._beside(self._start_model_server())
            await self._start_postgres()
            await self._prepare_api()
            await self._timed("schema", self._apply_schema)
            await self._timed("Supabase API", lambda: self._start("Supabase API", self.api))
            await model_server
            self.folder.keep(ports=self._ports, versions=self._versions())
            self._announce()
        except BaseException as error:
            await self.stop()
            if isinstance(error, psycopg.Error):
                raise DatabaseUnavailable(f"Postgres: {explain(error)} (logs: {self.folder.logs})") from error
            if isinstance(error, OSError):
                # A full disk, a folder that vanished.
                raise ConfigError(f"{error.filename or self.data_dir}: {error.strerror or error}") from error
            raise

    async def stop(self) -> None:
        """Stop every part, the last started first."""
        await self._opened.aclose()

    async def __aenter__(self) -> Stack:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def database_url(self) -> str:
        """As the owner of the database, which is no superuser: for `db apply` and for admins."""
        return self.postgres.conninfo(cluster.OWNER, self.secrets.postgres, cluster.DATABASE)

    @property
    def worker_database_url(self) -> str:
        """As a worker."""
        return self.postgres.conninfo(cluster.WORKER, self.secrets.agent_worker, cluster.DATABASE)

    @property
    def supabase_url(self) -> str:
        """For supabase clients."""
        return self.api.url

    @property
    def publishable_key(self) -> str:
        """For clients that sign in."""
        return self.secrets.publishable_key

    @property
    def secret_key(self) -> str:
        """For servers: bypasses row-level security."""
        return self.secrets.secret_key.get_secret_value()

    @property
    def model_url(self) -> str:
        """The model server, Ollama or ours."""
        return self.ollama.url if self.ollama else self.model_server.url

    @property
    def model(self) -> str | None:
        """The model for every agent; None leaves the choice to the agents."""
        return self._model or (None if self.ollama else STAND_IN)

    @property
    def is_stand_in(self) -> bool:
        """Whether the model server is our scripted one, which is no language model."""
        return self.ollama is None

    @property
    def worker_environment(self) -> dict[str, str]:
        """Settings for a worker of this stack, as environment variables."""
        settings = {
            "DATABASE_URL": self.worker_database_url,
            "SUPABASE_URL": self.supabase_url,
            "SUPABASE_PUBLISHABLE_KEY": self.publishable_key,
            "SUPABASE_SECRET_KEY": self.secret_key,
            "AGENT_RUNTIME_MODEL_URL": self.model_url,
            "AGENT_RUNTIME_WORKSPACE_ROOT": str(self.folder.workspaces),
            "AGENT_RUNTIME_OWN_HOSTS": json.dumps([f"127.0.0.1:{port}" for port in self._ports.values()]),
            **self.vault_environment,
        }
        return settings | ({"AGENT_RUNTIME_MODEL": self.model} if self.model else {})

    @property
    def vault_environment(self) -> dict[str, str]:
        """The vault's keys, as environment variables."""
        key, previous = self.secrets.vault_key, self.secrets.vault_previous_keys
        keys = {vault_keys.CURRENT: key.get_secret_value()} if key else {}
        return keys | {vault_keys.PREVIOUS: ",".join(one.get_secret_value() for one in previous)}

    async def start_worker(self, name: str = "worker", **settings: str) -> WorkerProcess:
        """Start a worker as a part of the stack. `settings` are further environment variables."""
        worker = WorkerProcess(
            self.worker_environment | settings,
            database_url=self.database_url,
            records=self.folder.records,
            logs=self.folder.logs,
            name=name,
        )
        await self._timed(name, lambda: self._start(name, worker))
        return worker

    async def start_web(self) -> WebProcess:
        """Start the web UI's server as a part of the stack."""
        web = WebProcess(
            {
                "DATABASE_URL": self.worker_database_url,
                "SUPABASE_URL": self.supabase_url,
                "SUPABASE_PUBLISHABLE_KEY": self.publishable_key,
                # The embedded API answers no browser that comes from another address.
                "AGENT_RUNTIME_WEB_PROXY_SUPABASE": "true",
            },
            port=self._ports["web"],
            records=self.folder.records,
            logs=self.folder.logs,
        )
        await self._timed("web UI", lambda: self._start("web UI", web))
        return web

    def begin_web(self) -> asyncio.Task[WebProcess]:
        """The same beside what else is started; await the task."""
        return self._beside(self.start_web())

    async def _find_model_server(self) -> None:
        if self._script and self._model_url:
            raise ConfigError("--script is for the stand-in and --model-url for another server: give one of them")
        if self._look_for_ollama:
            self.ollama = await find_ollama(self._model_url)

    async def _stop_left_behind(self) -> None:
        found = await asyncio.to_thread(stop_left_behind, self.folder.records)
        if found:
            self.notes.append(f"stopped what an earlier start had left running: {', '.join(found)}")

    def _choose_ports(self) -> dict[str, int]:
        kept = self.folder.ports
        chosen: dict[str, int] = {}
        for name in ("api", "postgres", "model", "web"):
            if name == "api" and self._api_port is not None:
                chosen[name] = ports.demand(self._api_port)
                continue
            chosen[name] = ports.choose(kept.get(name), taken=set(chosen.values()))
            if name in kept and kept[name] != chosen[name]:
                self.notes.append(f"port {kept[name]} ({name}) is in use by now, so it is {chosen[name]} from here on")
        return chosen

    async def _start_postgres(self) -> None:
        self.postgres = LocalPostgres(
            self.folder.postgres,
            port=self._ports["postgres"],
            password=self.secrets.supabase_admin,
            records=self.folder.records,
            logs=self.folder.logs,
            user=self.folder.user,
            durable=self._durable,
        )
        if not self.postgres.is_initialised:
            await self._timed("new database cluster", self.postgres.initialise)
        await self._timed("Postgres", lambda: self._start("Postgres", self.postgres))
        await self._timed("roles", lambda: cluster.set_up(self.postgres, self.secrets))

    async def _prepare_api(self) -> None:
        if not api_packages.is_installed():
            await self._timed("Supabase API from npm", api_packages.install)
        self.api = SupabaseApi(
            self.folder.api,
            port=self._ports["api"],
            database_port=self.postgres.port,
            secrets=self.secrets,
            records=self.folder.records,
            logs=self.folder.logs,
            user=self.folder.user,
            quick_passwords=not self._durable,
        )
        if not await cluster.has_api_schemas(self.database_url):
            await self._timed("schemas auth and storage", self._make_api_schemas)

    async def _make_api_schemas(self) -> None:
        # It makes them when it starts, and our SQL refers to them; but it reads the tables only once, so it starts
        # again when ours are there.
        try:
            await self.api.start()
        finally:
            await self.api.stop()

    async def _apply_schema(self) -> None:
        statements = (resources.sql() / "local" / "api_schemas.sql").read_bytes()
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            await connection.execute(statements)
        await asyncio.to_thread(schema.apply, self.database_url)

    def _beside(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._opened.push_async_callback(end)
        return task

    async def _start_model_server(self) -> None:
        if self.ollama:
            return
        self.model_server = ScriptedModelServer(
            port=self._ports["model"], records=self.folder.records, logs=self.folder.logs, script=self._script
        )
        await self._timed("model server", lambda: self._start("model server", self.model_server))

    async def _start(self, name: str, part: Part) -> None:
        await part.start()
        self._opened.push_async_callback(part.stop)
        self.parts[name] = part

    async def _timed(self, part: str, work: Callable[[], Awaitable[object]]) -> None:
        self._on_part(part, None)
        started = time.monotonic()
        await work()
        self.timings[part] = time.monotonic() - started
        self._on_part(part, self.timings[part])

    def _versions(self) -> dict[str, str]:
        return {
            "agent_runtime": __version__,
            "postgres": f"{POSTGRES_MAJOR} ({wheels.POSTGRES_WHEEL} {wheels.installed_version(wheels.POSTGRES_WHEEL)})",
            "node": wheels.installed_version(wheels.NODE_WHEEL),
            "supabase_api": api_packages.version(),
        }

    def _announce(self) -> None:
        self._opened.callback(self.folder.withdraw)
        self.folder.announce(
            {
                "supabase_url": self.supabase_url,
                "publishable_key": self.publishable_key,
                "secret_key": self.secret_key,
                "database_url": self.database_url,
                "worker_database_url": self.worker_database_url,
                "audit_key": self.secrets.audit_key.get_secret_value(),
                "model_url": self.model_url,
                "model": self.model,
                "vault": self.vault_environment,
            }
        )
