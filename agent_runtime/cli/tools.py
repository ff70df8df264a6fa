"""`agent-runtime tools`: what agents may use, and how; trying one; registering new ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import make_console, one_line, print_json, print_table
from agent_runtime.errors import ConfigError, DatabaseUnavailable, Denied, InvalidInput

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import TaskRow, ToolRow

tools = typer.Typer(name="tools", help="The tools: list, set, try and register them.", no_args_is_help=True)
app.add_typer(tools)

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Name = Annotated[str, typer.Argument(help="The tool's name.", show_default=False)]

_SECURITY_STYLES = {"safe": "green", "moderate": "yellow", "dangerous": "red"}


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


@tools.command("set", epilog="Example: agent-runtime tools set shell_exec --confirm --timeout 120")
def set_tool(
    name: Name,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether agents may use it.")] = None,
    confirm: Annotated[
        bool | None, typer.Option("--confirm/--no-confirm", help="Whether a person approves each call.")
    ] = None,
    approvals: Annotated[int | None, typer.Option(help="How many people approve, where one must: 1 or 2.")] = None,
    timeout: Annotated[int | None, typer.Option(help="Seconds that a call may take.")] = None,
    output_limit: Annotated[int | None, typer.Option(help="Bytes of output that the model reads.")] = None,
    as_json: Json = False,
) -> None:
    """Say how a tool may be used: an operator the platform's, an admin the tenant's own.

    It holds from the next call on, in tasks that run too.
    """
    given = {
        "is_enabled": enabled,
        "requires_confirmation": confirm,
        "approvals_required": approvals,
        "timeout_seconds": timeout,
        "output_limit_bytes": output_limit,
    }
    changes = {column: value for column, value in given.items() if value is not None}
    if not changes:
        raise InvalidInput("nothing to change: give --enable, --confirm, --approvals, --timeout or --output-limit")

    async def change(person: Person) -> ToolRow:
        return await person.platform.set_tool(await person.platform.tool(name), changes)

    tool = as_person(change)
    if as_json:
        print_json(tool)
        return
    state = "enabled" if tool.is_enabled else "disabled"
    asks = f", asks {tool.approvals_required} first" if tool.requires_confirmation else ""
    make_console().print(
        f"{tool.name} is {state}{asks}; {tool.timeout_seconds} s, {tool.output_limit_bytes} bytes of output."
    )


@tools.command("try", epilog="""Example: agent-runtime tools try shell_exec '{"command": "date"}' --wait""")
def try_tool(
    name: Name,
    arguments: Annotated[str, typer.Argument(metavar="JSON", help="The arguments; - reads standard input.")] = "{}",
    wait: Annotated[bool, typer.Option("--wait", help="Watch the trial to its end.")] = False,
    as_json: Json = False,
) -> None:
    """Try a tool as the runtime runs it: a task with this one call, in which no model is asked. For admins.

    Approvals, limits and the audit hold as always.
    """
    import sys

    from agent_runtime.cli.watch import watch

    given = as_object(sys.stdin.read() if arguments == "-" else arguments)

    async def begin(person: Person) -> TaskRow:
        return await person.platform.try_tool(await person.platform.tool(name), given)

    task = as_person(begin)
    if wait:
        watch(str(task.id), as_json=as_json)
    elif as_json:
        print_json(task)
    else:
        make_console().print(f"{task.title}: agent-runtime watch {task.id}")


def as_object(text: str) -> dict[str, Any]:
    """A JSON object that somebody typed. Raises `InvalidInput`."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"the arguments are not JSON: {error}") from None
    if not isinstance(given, dict):
        raise InvalidInput("the arguments are not a JSON object")
    return given


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
    changes = sync_declarations(settings.database_url.get_secret_value(), declarations, "tools sync")
    if as_json:
        print_json([{"name": name, "change": change} for name, change in changes])
        return
    empty = f"All {len(declarations)} tools are registered as they are declared."
    print_table(make_console(), ("tool", "change"), changes, empty=empty)


def sync_declarations(database_url: str, declarations: list[dict[str, Any]], command: str) -> list[tuple[str, str]]:
    """What `sync_tools` changed: names with how. Raises in the name of `command`."""
    import psycopg

    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            rows = connection.execute("select name, change from sync_tools(%s::jsonb)", [json.dumps(declarations)])
            return [(str(name), str(change)) for name, change in rows.fetchall()]
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction) as error:
        # Without the right to look into the schema a function reads as if it were not there.
        why = one_line(str(error.diag.message_primary))
        raise Denied(f"{command}: {why}; DATABASE_URL must be the owner's, and `agent-runtime db apply` done") from None
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"{command}: Postgres did not answer: {one_line(str(error))}") from None
    except psycopg.Error as error:
        raise ConfigError(f"{command}: the database refused: {one_line(str(error.diag.message_primary))}") from None
