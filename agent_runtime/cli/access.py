"""`agent-runtime db access`: the access matrix, tried on a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from agent_runtime.cli.db import db
from agent_runtime.cli.output import make_console, print_json, print_table
from agent_runtime.errors import ConfigError

if TYPE_CHECKING:
    from agent_runtime.access.accounts import Api
    from agent_runtime.access.matrix import Matrix
    from agent_runtime.access.report import Finding, Report
    from agent_runtime.access.trying import OnCaller


@db.command(epilog="Example: agent-runtime db access --sql-only")
def access(
    as_json: Annotated[bool, typer.Option("--json", help="Print every cell as JSON.")] = False,
    sql_only: Annotated[
        bool, typer.Option("--sql-only", help="By SQL alone, in one transaction that is rolled back: nothing stays.")
    ] = False,
) -> None:
    """Try every cell of the access matrix (sql/access.yaml, docs/access.md), and show each difference. Exits 1 on one.

    Needs the owner's DATABASE_URL, and SUPABASE_URL with both keys for the REST API; without DATABASE_URL it takes the
    stack that `agent-runtime up` runs. It signs up two tenants of made-up people with a row in every table, tries as
    each of them, and removes them; of that the audit stays. No task of theirs can be claimed.
    """
    from agent_runtime.access import trying
    from agent_runtime.access.matrix import load
    from agent_runtime.db.connection import connect

    database_url, api = _where(sql_only)
    matrix = load()
    progress = make_console(stderr=True)
    with connect(database_url) as plain, _progress(progress) as on_caller:
        connection = trying.with_names(plain)
        if api is None:
            report = trying.by_sql(connection, matrix, on_caller=on_caller)
        else:
            report = trying.everywhere(connection, matrix, api, on_caller=on_caller)
    if as_json:
        print_json(
            {
                "cells": [finding.as_json() for finding in report.findings],
                "missing": list(report.missing),
                "left": list(report.left),
                "differences": report.differences,
            }
        )
    else:
        _print(make_console(), matrix, report)
    if report.differences:
        raise typer.Exit(1)


def _where(sql_only: bool) -> tuple[str, Api | None]:
    from agent_runtime.access.accounts import Api
    from agent_runtime.config import load_settings

    settings = load_settings()
    if settings.database_url is None:
        return _embedded(sql_only)
    database_url = settings.database_url.get_secret_value()
    if sql_only:
        return database_url, None
    url, public, secret = settings.supabase_url, settings.supabase_publishable_key, settings.supabase_secret_key
    if not (url and public and secret):
        raise ConfigError(
            "the REST API is tried too: set SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY,"
            " or give --sql-only"
        )
    return database_url, Api(url, public, secret.get_secret_value())


def _embedded(sql_only: bool) -> tuple[str, Api | None]:
    from agent_runtime.access.accounts import Api

    try:
        from agent_runtime.local.folder import default_path, read_running
    except ModuleNotFoundError:
        running = None
    else:
        running = read_running(default_path())
    if running is None:
        raise ConfigError("set DATABASE_URL to the owner's connection string, or start a stack with `agent-runtime up`")
    api = Api(running["supabase_url"], running["publishable_key"], running["secret_key"])
    return running["database_url"], None if sql_only else api


@contextmanager
def _progress(console: Console) -> Iterator[OnCaller]:
    if not console.is_terminal:
        yield lambda *_: None
        return
    with console.status("Making people and rows…") as status:
        yield lambda way, caller: status.update(f"Trying by {'SQL' if way == 'sql' else 'REST'} as {caller}…")


def _print(console: Console, matrix: Matrix, report: Report) -> None:
    cells: dict[tuple[str, str, str], dict[str, list[Finding]]] = {}
    for finding in report.findings:
        row = cells.setdefault((finding.section, finding.name, finding.verb), {})
        row.setdefault(finding.caller, []).append(finding)
    rows: list[list[str | Text]] = [
        [name, verb, *(_cell(by_caller.get(caller, [])) for caller in matrix.callers)]
        for (_, name, verb), by_caller in cells.items()
    ]
    print_table(console, ["what", "verb", *matrix.callers], rows, empty="nothing was tried")
    for sentence in report.differences:
        console.print(Text(sentence, style="red"))
    for sentence in report.left:
        console.print(Text(sentence, style="yellow"))
    ways = {way: sum(1 for finding in report.findings if finding.way == way) for way in ("sql", "rest")}
    differences = len(report.differences)
    console.print(
        Text(
            f"{ways['sql']} cells by SQL and {ways['rest']} by REST: "
            + (f"{differences} differ from what is declared" if differences else "all as declared"),
            style="red" if differences else "green",
        )
    )


def _cell(findings: list[Finding]) -> Text:
    wrong = [finding for finding in findings if not finding.as_declared]
    if wrong:
        return Text(
            "; ".join(f"{finding.way}: {finding.found}, not {finding.declared}" for finding in wrong), style="bold red"
        )
    found = findings[0].found if findings else ""
    return Text("·" if found == "denied" else found, style="dim" if found == "denied" else "")
