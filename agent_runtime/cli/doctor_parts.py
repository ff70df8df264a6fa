"""What `doctor` looks at: each check tries the part instead of guessing from its name."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import httpx
import psycopg

from agent_runtime.config import Settings, load_settings
from agent_runtime.db import schema
from agent_runtime.db.connection import connect
from agent_runtime.db.store import SupabaseAddress, describe_address, open_store
from agent_runtime.errors import AgentRuntimeError
from agent_runtime.http_clients import client_settings
from agent_runtime.local.folder import default_path, read_running
from agent_runtime.local.ollama import DEFAULT_URL, ollama_host, probe

LOCAL_REMEDY = "pip install 'agent-runtime[local]'"
MODEL_REMEDY = "install Ollama and run `ollama serve`; until then `up` uses a stand-in, which is no language model"
DEFAULT_MODEL = "qwen3:8b"
"""The seeded agent's, when no database can be asked."""
DISK_NEEDED_BYTES = 1024**3

_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^;\s]+)\s*(;\s*(?P<marker>.*))?$")
_MODELS_OF_AGENTS = """
    select distinct case a.model_name when 'default' then c.config_value #>> '{}' else a.model_name end
    from public.agents a cross join public.system_config c
    where a.is_active and c.config_key = 'default_model'
    order by 1
"""

Absence = Literal["missing", "optional"]
State = Literal["ok", "missing", "optional", "danger"]


@dataclass(frozen=True)
class Part:
    """One line of the examination."""

    name: str
    state: State
    """`optional`: it is not there, and the runtime works without it. `danger`: it works, and should not like this."""
    version: str = ""
    detail: str = ""
    remedy: str = ""


async def examine(data_dir: Path | None) -> list[Part]:
    """Look at every part. Never raises for a part that is missing."""
    try:
        settings = load_settings()
    except AgentRuntimeError as error:
        return [Part("Settings", "missing", detail=str(error), remedy="correct the environment or the file .env")]
    # Where a service is named this is a host for workers, and the embedded stack is not its business.
    absent: Absence = "optional" if settings.database_url or settings.supabase_url else "missing"
    folder = data_dir or default_path()
    running = read_running(folder) or {}
    database, models = await _database(settings, running)
    return [
        _python(),
        *_packages("Core packages", None, "pip install agent-runtime", "missing"),
        *_packages("Embedded stack", "local", LOCAL_REMEDY, absent),
        *await asyncio.to_thread(lambda: list(_embedded_programs(absent))),
        *await asyncio.to_thread(lambda: list(_command_sandbox(settings))),
        await asyncio.to_thread(_chromium),
        _ripgrep(),
        *await _model_server(settings, models),
        database,
        await _supabase(settings, running),
        await asyncio.to_thread(_data_folder, folder, running, absent),
    ]


def _python() -> Part:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 14)
    return Part(
        "Python",
        "ok" if supported else "missing",
        platform.python_version(),
        f"{platform.system()} {platform.machine()}",
        "" if supported else "use Python 3.11 to 3.14",
    )


def _packages(name: str, extra: str | None, remedy: str, absent: Absence) -> Iterator[Part]:
    """One line when all are as pinned, else one per package that is not."""
    pins = _pins(extra)
    problems = [part for package, pinned in pins.items() if (part := _package(package, pinned, remedy, absent))]
    if not problems:
        yield Part(name, "ok", detail=", ".join(f"{package} {pinned}" for package, pinned in pins.items()))
    yield from problems


def _pins(extra: str | None) -> dict[str, str]:
    found = {}
    for line in metadata.requires("agent-runtime") or []:
        requirement = _REQUIREMENT.match(line)
        if requirement is None:
            continue
        marker = requirement["marker"] or ""
        of_extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if (of_extra[1] if of_extra else None) == extra:
            found[requirement["name"]] = requirement["version"]
    return found


def _package(name: str, pinned: str, remedy: str, absent: Absence) -> Part | None:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Part(name, absent, detail=f"not installed; this release needs {pinned}", remedy=remedy)
    if version != pinned:
        return Part(name, "optional", version, f"this release was tested with {pinned}", remedy)
    return None


def _embedded_programs(absent: Absence) -> Iterator[Part]:
    try:
        from agent_runtime.local import api_packages, wheels
    except ModuleNotFoundError:
        # psutil is missing, and its own line says so.
        return
    checks: list[tuple[str, Callable[[], tuple[str, Path]]]] = [
        ("Postgres 18", lambda: (wheels.installed_version(wheels.POSTGRES_WHEEL), wheels.postgres(18).path)),
        ("Node 24", lambda: (wheels.installed_version(wheels.NODE_WHEEL), wheels.node().path)),
    ]
    for name, check in checks:
        try:
            version, path = check()
        except AgentRuntimeError as error:
            yield Part(name, absent, detail=str(error).split(":")[0], remedy=LOCAL_REMEDY)
        else:
            yield Part(name, "ok", version, str(path))
    name, version = "Supabase API", api_packages.version()
    if api_packages.is_installed():
        yield Part(name, "ok", version, str(api_packages.installed_folder()))
    else:
        # `up` fetches it by itself, so its absence keeps nobody from starting.
        yield Part(name, "optional", version, "not fetched yet", "`agent-runtime up` fetches it from npm")


def _command_sandbox(settings: Settings) -> Iterator[Part]:
    from agent_runtime.toolbox.sandbox.choice import INSTALL, REMEDY, choose_sandbox

    states: dict[str, tuple[State, str]] = {"refused": ("missing", REMEDY), "none": ("danger", INSTALL)}
    sandbox = choose_sandbox(settings.allow_unsandboxed)
    state, remedy = states.get(sandbox.name, ("ok", ""))
    yield Part("Command sandbox", state, sandbox.name, sandbox.describe(), remedy)
    if shutil.which("bwrap") is None:
        yield Part("bubblewrap", "optional", detail="not found on PATH", remedy="apt install bubblewrap")


def _ripgrep() -> Part:
    found = shutil.which("rg")
    if found is None:
        return Part("ripgrep", "optional", detail="not found; file_grep is slower", remedy="apt install ripgrep")
    return Part("ripgrep", "ok", detail=found)


def _chromium() -> Part:
    from agent_runtime.toolbox.browser.chromium import REMEDY, find_chromium
    from agent_runtime.toolbox.browser.confined import ways

    found = find_chromium()
    if found is None:
        return Part("Chromium", "optional", detail="not found; the browser tools are refused", remedy=REMEDY)
    return Part("Chromium", "ok", detail=f"{found}, as {ways(found)[0].describe()}")


async def _model_server(settings: Settings, models: list[str]) -> list[Part]:
    url = settings.model_url or ollama_host() or DEFAULT_URL
    server = await probe(url)
    if server is None:
        # A worker that names a server needs that one; where none is named, `up` brings its stand-in.
        state: Absence = "missing" if settings.model_url else "optional"
        return [Part("Model server", state, detail=f"nothing answers at {url}", remedy=MODEL_REMEDY)]
    parts = [Part("Model server", "ok", server.version, f"{url} with {len(server.models)} models")]
    for model in [settings.model] if settings.model else models or [DEFAULT_MODEL]:
        if {model, f"{model}:latest"}.isdisjoint(server.models):
            parts.append(Part(f"Model {model}", "missing", detail=f"not on {url}", remedy=f"ollama pull {model}"))
        else:
            parts.append(Part(f"Model {model}", "ok"))
    return parts


async def _database(settings: Settings, running: dict[str, Any]) -> tuple[Part, list[str]]:
    """The database's line, which names the transport, and the models that its agents name."""
    conninfo = settings.database_url.get_secret_value() if settings.database_url else None
    if conninfo is None and settings.supabase_url and settings.supabase_secret_key:
        return await _database_over_rest(SupabaseAddress(settings.supabase_url, settings.supabase_secret_key))
    conninfo = conninfo or running.get("database_url")
    if conninfo is None:
        return Part("Database", "optional", detail="DATABASE_URL is not set; `agent-runtime up` brings a database"), []
    return await asyncio.to_thread(_database_itself, conninfo)


async def _database_over_rest(address: SupabaseAddress) -> tuple[Part, list[str]]:
    try:
        async with open_store(address, uuid4(), connections=1, patience_seconds=0) as store:
            known = await store.config()
    except AgentRuntimeError as error:
        return Part("Database", "missing", detail=str(error), remedy="correct what it names, or set DATABASE_URL"), []
    found = schema.SchemaStatus(installed=known["schema_version"])
    return _schema_part(describe_address(address), "", found), [str(known["config"].get("default_model"))]


def _database_itself(conninfo: str) -> tuple[Part, list[str]]:
    where = describe_address(conninfo)
    try:
        with connect(conninfo) as connection:
            version = connection.info.parameter_status("server_version") or ""
            found = schema.status(connection)
            models = _agents_models(connection)
    except psycopg.errors.InsufficientPrivilege:
        # The worker's role: what it may not look into is there.
        return Part("Database", "ok", version, f"{where}; the worker checks the schema when it starts"), []
    except (AgentRuntimeError, psycopg.Error) as error:
        return Part("Database", "missing", detail=str(error), remedy="start it, or correct DATABASE_URL"), []
    return _schema_part(where, version, found), models


def _schema_part(where: str, version: str, found: schema.SchemaStatus) -> Part:
    detail = f"{where}, schema version {found.installed}"
    if found.installed is None:
        return Part("Database", "missing", version, f"{where}, empty", "agent-runtime db apply")
    if found.installed > found.expected:
        return Part("Database", "missing", version, f"{detail}, newer than this release", "upgrade agent-runtime")
    if found.installed < found.expected:
        return Part("Database", "missing", version, f"{detail}, older than this release", "agent-runtime db apply")
    return Part("Database", "ok", version, detail)


def _agents_models(connection: psycopg.Connection) -> list[str]:
    try:
        rows = connection.execute(_MODELS_OF_AGENTS).fetchall()
    except psycopg.Error:
        # A worker's role does not read this table.
        return []
    return [row[0] for row in rows]


async def _supabase(settings: Settings, running: dict[str, Any]) -> Part:
    url = settings.supabase_url or running.get("supabase_url")
    if url is None:
        return Part("Supabase", "optional", detail="SUPABASE_URL is not set; `agent-runtime up` brings an API")
    key = settings.supabase_publishable_key or running.get("publishable_key") or ""
    try:
        async with httpx.AsyncClient(timeout=5, **client_settings(url)) as client:
            answer = await client.get(f"{url}/auth/v1/health", headers={"apikey": key})
    except httpx.HTTPError as error:
        return Part("Supabase", "missing", detail=f"{url} does not answer: {error}", remedy="correct SUPABASE_URL")
    if answer.status_code == httpx.codes.UNAUTHORIZED and key:
        return Part("Supabase", "missing", detail=f"{url} refuses the key", remedy="correct SUPABASE_PUBLISHABLE_KEY")
    if answer.is_server_error:
        return Part("Supabase", "missing", detail=f"{url} answers {answer.status_code}", remedy="look at its logs")
    return Part("Supabase", "ok", detail=url)


def _data_folder(folder: Path, running: dict[str, Any], absent: Absence) -> Part:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_bytes = shutil.disk_usage(existing).free
    state = f"in use by process {running['pid']}" if running else "there" if existing == folder else "not made yet"
    detail = f"{folder}, {state}, {free_bytes / 1024**3:.1f} GiB free"
    if not os.access(existing, os.W_OK):
        return Part("Data folder", absent, detail=f"{detail}, not writable", remedy="name another with --data-dir")
    if free_bytes < DISK_NEEDED_BYTES:
        return Part("Data folder", absent, detail=detail, remedy="free 1 GiB, or name another with --data-dir")
    return Part("Data folder", "ok", detail=detail)
