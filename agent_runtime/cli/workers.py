"""`agent-runtime workers`: who works, for operators and admins."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import duration_text, make_console, one_line, print_json, print_table
from agent_runtime.cli.tasks import Json
from agent_runtime.errors import ConfigError, DatabaseUnavailable, Denied

if TYPE_CHECKING:
    from agent_runtime.config import Settings
    from agent_runtime.person.records import WorkerRow

_STYLES = {"working": "green", "lost": "red", "stopped": "bright_black"}
_ASK_HOW = "set DATABASE_URL, or SUPABASE_URL and SUPABASE_SECRET_KEY, or run `agent-runtime login` as an admin"
_OLD = "the database has no worker_list(): run `agent-runtime db apply`"


@app.command(epilog="Example: DATABASE_URL=postgresql://agent_worker:…@db:5432/postgres agent-runtime workers")
def workers(as_json: Json = False) -> None:
    """List the worker processes: where they are, whether they live, and how busy they are.

    Asks the database that DATABASE_URL names, else the project of SUPABASE_URL with SUPABASE_SECRET_KEY, else as the
    admin who is signed in. A worker that gave no sign for a minute is lost; its tasks go on elsewhere by themselves.
    """
    from agent_runtime.config import load_settings

    found = _found(load_settings())
    if as_json:
        print_json(found)
        return
    now = datetime.now(UTC)
    rows = (
        (
            one_line(worker.host, 60),
            str(worker.pid),
            one_line(worker.version, 30),
            one_line(worker.transport, 20),
            Text(worker.state, style=_STYLES.get(worker.state, "")),
            f"{'?' if worker.running is None else worker.running}/{worker.capacity}",
            f"{duration_text(max(0.0, 1_000 * (now - worker.heartbeat_at).total_seconds()))} ago",
        )
        for worker in found
    )
    columns = ("host", "pid", "version", "transport", "state", "running", "last sign")
    empty = "No worker has ever registered: start one with `agent-runtime run`."
    print_table(make_console(), columns, rows, empty=empty)


def _found(settings: Settings) -> list[WorkerRow]:
    if settings.database_url:
        return _from_database(settings.database_url.get_secret_value())
    if settings.supabase_url and settings.supabase_secret_key:
        return asyncio.run(_from_api(settings.supabase_url, settings.supabase_secret_key.get_secret_value()))
    from agent_runtime.person import session

    if not session.session_file().exists():
        raise ConfigError(f"nobody is signed in, and no project is named: {_ASK_HOW}")
    return as_person(lambda person: person.workers())


def _from_database(database_url: str) -> list[WorkerRow]:
    import psycopg
    from psycopg.rows import dict_row

    from agent_runtime.db.connection import connect, describe, explain
    from agent_runtime.person.records import WorkerRow

    with connect(database_url) as connection:
        try:
            rows = connection.cursor(row_factory=dict_row).execute("select * from public.worker_list()").fetchall()
        except psycopg.errors.UndefinedFunction:
            raise ConfigError(_OLD) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise Denied(f"{describe(database_url)}: {explain(error)}; use agent_worker or the owner") from None
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(f"{describe(database_url)}: {explain(error)}") from None
    return [WorkerRow.model_validate(row) for row in rows]


async def _from_api(supabase_url: str, secret_key: str) -> list[WorkerRow]:
    import httpx
    from postgrest.exceptions import APIError
    from supabase import AsyncClientOptions, acreate_client

    from agent_runtime.http_clients import client_settings
    from agent_runtime.person.auth import unreachable
    from agent_runtime.person.records import WorkerRow
    from agent_runtime.person.refusals import refusal

    async with httpx.AsyncClient(timeout=30.0, **client_settings(supabase_url)) as http:
        options = AsyncClientOptions(
            auto_refresh_token=False, persist_session=False, httpx_client=http, postgrest_client_retry=False
        )
        try:
            supabase = await acreate_client(supabase_url, secret_key, options)
            rows: Any = (await supabase.rpc("worker_list", {}).execute()).data
        except APIError as error:
            if "api key" in (error.message or "").lower():
                raise ConfigError(f"Supabase at {supabase_url} does not know SUPABASE_SECRET_KEY") from None
            raise refusal(error, supabase_url) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(supabase_url, error) from None
    return [WorkerRow.model_validate(row) for row in rows]
