"""`agent-runtime tools new | test | add | refresh`: tools of one's own, from a file, a row, or a server of tools."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import make_console, print_json, print_table
from agent_runtime.cli.tool_files import make_tool_files
from agent_runtime.cli.tools import Json, Name, as_object, sync_declarations, tools
from agent_runtime.errors import AgentRuntimeError, ConfigError, InvalidInput, NotFound

if TYPE_CHECKING:
    from agent_runtime.config import Settings
    from agent_runtime.person.client import Person
    from agent_runtime.toolbox.connect.declared import Declaration
    from agent_runtime.toolbox.definition import Tool
    from agent_runtime.toolbox.executor import Outcome

_FOLDER = Path("agent_tools")
_POLL_SECONDS = 0.5


@tools.command(epilog="Example: agent-runtime tools new invoice_total --folder ~/agent-tools")
def new(
    name: Name,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where to; else the first of AGENT_RUNTIME_TOOLS_PATH, or ./agent_tools.", show_default=False
        ),
    ] = None,
) -> None:
    """Make a tool of one's own: a file that works, with a test that passes, to be changed into what is wanted."""
    known = _settings().tools_path
    where = (folder or (known[0] if known else _FOLDER)).expanduser()
    file, test = make_tool_files(name, where)
    console = make_console()
    console.print(f"{file} and its test {test} are made.", soft_wrap=True)
    console.print(f"Test it:  python -m unittest {test}", soft_wrap=True)
    words = "README.md" if Path("README.md").exists() else "FILE"
    console.print(
        f'Run it:   agent-runtime tools test {name} --folder {where} --workspace . --args \'{{"path": "{words}"}}\'',
        soft_wrap=True,
    )
    if where.resolve() not in [path.resolve() for path in known]:
        console.print(
            f"""Use it:   AGENT_RUNTIME_TOOLS_PATH='["{where.resolve()}"]' for each worker, then `tools sync`""",
            soft_wrap=True,
        )


@tools.command("test", epilog="""Example: agent-runtime tools test file_list --workspace . --args '{"path": "."}'""")
def run_once(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A tool, or a row in a YAML or JSON file.")],
    args: Annotated[str, typer.Option(metavar="JSON", help="The arguments.")] = "{}",
    folder: Annotated[Path | None, typer.Option(help="One more folder of tools.", show_default=False)] = None,
    workspace: Annotated[
        Path | None, typer.Option(help="The folder that it works in; else an empty one.", show_default=False)
    ] = None,
    config: Annotated[str, typer.Option(metavar="JSON", help="What its row's `config` would be.")] = "{}",
    as_json: Json = False,
) -> None:
    """Run a tool once as the runtime would: its schema, sandbox and limits, without a database or a model.

    Credentials are in the vault alone: a tool that needs one is tried by `tools try`.
    """
    from agent_runtime.vault.guard import references

    settings, arguments, given = _settings(), as_object(args), as_object(config)
    if name.endswith((".yaml", ".yml", ".json")):
        from agent_runtime.toolbox.connect.declared import read_declaration

        declaration = read_declaration(Path(name))
        tool, given = _tool_of(declaration), {**declaration.config, **given}
    else:
        tool = _tool_named(name, [*settings.tools_path, *([folder] if folder else [])])
    if named := references(given):
        raise InvalidInput(f"{tool.name} needs the credential {named[0]}, which is in the vault: use `tools try`")
    if workspace is not None and not workspace.is_dir():
        raise InvalidInput(f"{workspace} is not a folder")
    outcome = asyncio.run(_run(tool, arguments, given, workspace, settings))
    if as_json:
        print_json(
            {
                "tool": tool.name,
                "status": outcome.status,
                "content": outcome.content,
                "data": outcome.data,
                "milliseconds": outcome.execution_time_ms,
            }
        )
    else:
        console = make_console()
        console.print(Text(outcome.content), soft_wrap=True)
        style = "green" if outcome.status == "completed" else "red"
        console.print(Text(f"{outcome.status} in {outcome.execution_time_ms} ms", style=style))
    if outcome.status != "completed":
        raise typer.Exit(1)


@tools.command(epilog="Example: DATABASE_URL=postgresql://… agent-runtime tools add weather.yaml --tenant acme")
def add(
    file: Annotated[Path, typer.Argument(help="The row, as YAML or JSON: see docs/connect.md.")],
    tenant: Annotated[str | None, typer.Option(help="Slug of the tenant whose it is; else the platform's.")] = None,
    as_json: Json = False,
) -> None:
    """Add a tool that its row describes: `api`, `shell`, `python` or `mcp`; or change what it does.

    It is disabled until an admin enables it. Needs the owner's DATABASE_URL.
    """
    from agent_runtime.toolbox.connect.declared import read_declaration
    from agent_runtime.toolbox.registry import Registry

    settings = _settings()
    if settings.database_url is None:
        raise ConfigError("DATABASE_URL is missing: `tools add` needs the database's owner, as postgresql://…")
    declaration = read_declaration(file)
    _tool_of(declaration)
    if Registry.load(settings.tools_path).get(declaration.name):
        raise InvalidInput(f"there is a tool file {declaration.name}: choose another name")
    changes = sync_declarations(
        settings.database_url.get_secret_value(), [declaration.as_declaration(tenant)], "tools add"
    )
    if as_json:
        print_json([{"name": name, "change": change} for name, change in changes])
        return
    print_table(
        make_console(),
        ("tool", "change"),
        changes,
        empty=f"Nothing was changed: {declaration.name} is there as the file says, or is somebody else's.",
    )


@tools.command(epilog="Example: agent-runtime tools refresh weather_server")
def refresh(
    name: Annotated[str, typer.Argument(help="The server's row.", show_default=False)],
    enable: Annotated[bool, typer.Option("--enable", help="Enable what is new and changed: you have looked.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a server of tools (MCP) what it offers, and take that into the table. For admins.

    New tools, and those that the server describes otherwise than before, are disabled until you enable them.
    """
    changes = as_person(lambda person: take_listing(person, name, enable))
    if as_json:
        print_json(changes)
        return
    rows = ((change["name"], change["change"], change["description"]) for change in changes)
    print_table(
        make_console(), ("tool", "change", "description"), rows, empty=f"The tools of {name} are as they were taken."
    )


async def take_listing(person: Person, name: str, enable: bool) -> list[dict[str, str]]:
    """Ask the server of that row, wait for its listing, and take it: each change with its tool's description.

    Raises `AgentRuntimeError` when the server was not listed, `Denied`, `NotFound` and `IllegalTransition`.
    """
    platform = person.platform
    task = await platform.try_tool(await platform.tool(name), {})
    told = False
    while (task := await person.task(task.id)).status not in ("completed", "failed", "cancelled"):
        if task.status == "waiting" and not told:
            make_console(stderr=True).print("The call waits for an approval: agent-runtime approvals")
            told = True
        await asyncio.sleep(_POLL_SECONDS)
    listing = next((call for call in await person.executions(task.id) if call.tool_name == name), None)
    if listing is None or listing.status != "completed":
        why = (listing.error_message if listing else None) or task.error_message or f"the task is {task.status}"
        raise AgentRuntimeError(f"{name} was not listed: {why}")
    changes = await platform.adopt_server_tools(listing.id)
    described = {tool.name: tool for tool in await person.tools()}
    for change in changes:
        tool = described.get(change["name"])
        change["description"] = str(tool.function_schema["function"]["description"]) if tool else ""
        if enable and tool and change["change"] in ("added, disabled", "changed, disabled"):
            await platform.set_tool(tool, {"is_enabled": True})
            change["change"] = change["change"].replace("disabled", "enabled")
    return changes


def _settings() -> Settings:
    from agent_runtime.config import load_settings

    return load_settings()


def _tool_of(declaration: Declaration) -> Tool:
    from agent_runtime.toolbox.connect.rows import is_own, make_tool

    row = declaration.as_row()
    if not is_own(row):
        raise InvalidInput(f"{row.name}: a row of type python needs its program as `code`")
    return make_tool(row)


def _tool_named(name: str, folders: list[Path]) -> Tool:
    from agent_runtime.toolbox.registry import Registry

    registry = Registry.load(dict.fromkeys(folder.expanduser().resolve() for folder in folders))
    tool = registry.get(name)
    if tool is None:
        known = ", ".join(tool.name for tool in registry)
        raise NotFound(f"there is no tool file {name[:80]!r}; there are {known}")
    return tool


async def _run(
    tool: Tool, arguments: dict[str, Any], config: dict[str, Any], workspace: Path | None, settings: Settings
) -> Outcome:
    from agent_runtime.toolbox.alone import run_alone
    from agent_runtime.toolbox.sandbox.choice import choose_sandbox

    sandbox = await asyncio.to_thread(choose_sandbox, settings.allow_unsandboxed)
    if workspace is not None:
        return await run_alone(tool, arguments, workspace, config=config, sandbox=sandbox)
    with tempfile.TemporaryDirectory(prefix="agent-runtime-") as folder:
        return await run_alone(tool, arguments, Path(folder), config=config, sandbox=sandbox)
