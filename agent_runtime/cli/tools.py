"""`agent-runtime tools` and `agents`: what agents there are, and what they may use."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import make_console, one_line, print_json, print_table
from agent_runtime.errors import ConfigError, DatabaseUnavailable, Denied

tools = typer.Typer(name="tools", help="The tools: list them, register new ones.", no_args_is_help=True)
agents = typer.Typer(name="agents", help="The agents: list them.", no_args_is_help=True)
app.add_typer(agents)
app.add_typer(tools)

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]

_SECURITY_STYLES = {"safe": "green", "moderate": "yellow", "dangerous": "red"}


@agents.command("list", epilog="Example: agent-runtime agents list")
def list_agents(as_json: Json = False) -> None:
    """List the agents that a task can be given to."""
    found = as_person(lambda person: person.agents())
    if as_json:
        print_json(found)
        return
    rows = ((agent.name, agent.model_name, str(len(agent.tools_enabled)), agent.description or "") for agent in found)
    print_table(make_console(), ("agent", "model", "tools", "description"), rows, empty="There are no agents.")


@tools.command("list", epilog="Example: agent-runtime tools list --json")
def list_tools(as_json: Json = False) -> None:
    """List the tools, with what the database lets them do."""
    found = as_person(lambda person: person.tools())
    if as_json:
        print_json(found)
        return
    rows = (
        (
            tool.name,
            Text("enabled", style="green") if tool.is_enabled else Text("disabled", style="red"),
            Text(tool.security_level, style=_SECURITY_STYLES.get(tool.security_level, "")),
            tool.retry_class,
            "asks first" if tool.requires_confirmation else "",
            tool.category,
            str(tool.usage_count),
        )
        for tool in found
    )
    columns = ("tool", "state", "security", "retry class", "approval", "category", "used")
    print_table(make_console(), columns, rows, empty="There are no tools: run `agent-runtime db apply`.")


@tools.command(epilog="Example: DATABASE_URL=postgresql://postgres:…@db/postgres agent-runtime tools sync")
def sync(as_json: Json = False) -> None:
    """Register the tools of the built-in folder and of AGENT_RUNTIME_TOOLS_PATH.

    New ones are disabled until an admin enables them; what an admin set stays. Needs the owner's DATABASE_URL.
    """
    from agent_runtime.config import load_settings
    from agent_runtime.toolbox.registry import Registry

    settings = load_settings()
    if settings.database_url is None:
        raise ConfigError("DATABASE_URL is missing: `tools sync` needs the database's owner, as postgresql://…")
    declarations = Registry.load(settings.tools_path).declarations()
    changes = _sync(settings.database_url.get_secret_value(), declarations)
    if as_json:
        print_json([{"name": name, "change": change} for name, change in changes])
        return
    empty = f"All {len(declarations)} tools are registered as they are declared."
    print_table(make_console(), ("tool", "change"), changes, empty=empty)


def _sync(database_url: str, declarations: list[dict[str, Any]]) -> list[tuple[str, str]]:
    import psycopg

    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            rows = connection.execute("select name, change from sync_tools(%s::jsonb)", [json.dumps(declarations)])
            return [(str(name), str(change)) for name, change in rows.fetchall()]
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction) as error:
        # Without the right to look into the schema a function reads as if it were not there.
        why = one_line(str(error.diag.message_primary))
        raise Denied(
            f"tools sync: {why}; DATABASE_URL must be the owner's, and `agent-runtime db apply` done"
        ) from None
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"tools sync: Postgres did not answer: {one_line(str(error))}") from None
    except psycopg.Error as error:
        raise ConfigError(f"tools sync: the database refused: {one_line(str(error.diag.message_primary))}") from None
