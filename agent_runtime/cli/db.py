"""`agent-runtime db`: install the schema, and see what is installed."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from agent_runtime.cli import app

db = typer.Typer(help="Install the database schema, and see what is installed.", no_args_is_help=True)
app.add_typer(db, name="db")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@db.command(epilog="Example: DATABASE_URL=postgresql://postgres:…@db:5432/postgres agent-runtime db apply")
def apply() -> None:
    """Install the schema, or bring it up to date, in one transaction. Needs the owner's DATABASE_URL."""
    from agent_runtime.db import schema

    found = schema.apply(_database_url())
    typer.echo(f"schema version {found.installed} is installed")


@db.command(epilog="Example: agent-runtime db status --json")
def status(as_json: Json = False) -> None:
    """Say which version of the schema the database has. Exits 1 when it is not this release's."""
    from agent_runtime.db import schema
    from agent_runtime.db.connection import connect, describe

    url = _database_url()
    with connect(url) as connection:
        found = schema.status(connection)
    if as_json:
        typer.echo(json.dumps({"database": describe(url), "installed": found.installed, "expected": found.expected}))
    elif found.installed is None:
        typer.echo(f"{describe(url)}: nothing is installed; run `agent-runtime db apply`")
    else:
        typer.echo(f"{describe(url)}: schema version {found.installed}, this release brings {found.expected}")
    if found.installed != found.expected:
        raise typer.Exit(1)


@db.command(name="print", epilog="Example: agent-runtime db print > install.sql")
def print_script() -> None:
    """Print the whole installation as one SQL script, for the Supabase SQL editor."""
    from agent_runtime.db import schema

    typer.echo(schema.bootstrap_script(), nl=False)


def _database_url() -> str:
    from agent_runtime.config import load_settings
    from agent_runtime.worker import required_database_url

    return required_database_url(load_settings())
