"""`agent-runtime config`: the configuration of the platform, which operators change."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import make_console, one_line, print_json, print_table, time_text

config = typer.Typer(name="config", help="The platform's configuration: list it, set it.", no_args_is_help=True)
app.add_typer(config)

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@config.command("list", epilog="Example: agent-runtime config list --json")
def list_config(as_json: Json = False) -> None:
    """List the keys with their values, but for what is sensitive."""
    found = as_person(lambda person: person.platform.configuration())
    if as_json:
        print_json(found)
        return
    rows = (
        (row.config_key, json.dumps(row.config_value), time_text(row.updated_at), row.description or "")
        for row in found
    )
    print_table(make_console(), ("key", "value", "changed", "description"), rows, empty="There is no configuration.")


@config.command("set", epilog="Example: agent-runtime config set max_concurrent_tasks 20")
def set_config(
    key: Annotated[str, typer.Argument(help="A key that is there.", show_default=False)],
    value: Annotated[str, typer.Argument(help="A number, true, false or a text; of a key of your own: JSON.")],
    as_json: Json = False,
) -> None:
    """Set a key, as an operator. Workers heed it from their next task on."""
    try:
        given = json.loads(value)
    except ValueError:
        given = value
    row = as_person(lambda person: person.platform.set_configuration(key, given))
    if as_json:
        print_json(row)
        return
    make_console().print(f"{row.config_key} is {one_line(json.dumps(row.config_value), 500)}.")
