"""`agent-runtime agents`: list, show, edit, copy and publish them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.limits import parse_limits
from agent_runtime.cli.output import clean, make_console, one_line, print_json, print_table
from agent_runtime.errors import InvalidInput

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.platform import FullAgentRow

agents = typer.Typer(name="agents", help="The agents: list, show, edit, copy and publish them.", no_args_is_help=True)
app.add_typer(agents)

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Name = Annotated[str, typer.Argument(help="The agent's name or id.", show_default=False)]

# What binds stands before the first =, where no text of a destination can be.
_PERMISSION = re.compile(r"([^=(),\s]+)(?:\(\s*([^=(),\s]+(?:\s*,\s*[^=(),\s]+)*)\s*\))?=(.+)", re.DOTALL)


@agents.command("list", epilog="Example: agent-runtime agents list")
def list_agents(as_json: Json = False) -> None:
    """List the agents that a task can be given to."""
    found = as_person(lambda person: person.agents())
    if as_json:
        print_json(found)
        return
    rows = ((agent.name, agent.model_name, str(len(agent.tools_enabled)), agent.description or "") for agent in found)
    print_table(make_console(), ("agent", "model", "tools", "description"), rows, empty="There are no agents.")


@agents.command(epilog="Example: agent-runtime agents show 'Asistente General'")
def show(name: Name, as_json: Json = False) -> None:
    """Show an agent: what it is told, its model, its tools and limits."""
    agent = as_person(lambda person: person.platform.agent(name))
    if as_json:
        print_json(agent)
        return
    console = make_console()
    console.print(Text(one_line(agent.name), style="bold"))
    for label, shown in _facts(agent):
        console.print(Text.assemble((f"  {label:<22}", "bright_black"), one_line(shown, 1_000)))
    console.print(f"\n{clean(agent.system_prompt)}")


@agents.command(epilog="Example: agent-runtime agents edit Analyst --model qwen3:8b --tool file_read --tool shell_exec")
def edit(
    name: Name,
    rename: Annotated[str | None, typer.Option(help="Another name.")] = None,
    description: Annotated[str | None, typer.Option(help="For people who choose an agent.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What it is told first; - reads standard input.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The same from a file.")] = None,
    model: Annotated[str | None, typer.Option(help="A model, or `default`.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Of one answer.")] = None,
    tool: Annotated[list[str] | None, typer.Option(help="Its tools, all of them; may be given several times.")] = None,
    standing: Annotated[
        list[str] | None,
        typer.Option(help="Dangerous tools that it uses without asking, all of them; `none` for none."),
    ] = None,
    outward: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOOL[(ARGUMENT,…)]=DESTINATION",
            help="Where tools send what a tainted task knows without asking, all of it; `none`. Arguments in brackets:"
            " only as the person wrote them. An admin's.",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Limits of its tasks, all of them; `none` for none.")
    ] = None,
    public: Annotated[bool | None, typer.Option("--public/--private", help="Whether the tenant may use it.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--retired", help="Whether it takes new tasks.")] = None,
    as_json: Json = False,
) -> None:
    """Change an agent of your own; an admin those of the tenant, an operator the catalogue's.

    What is not given stays as it is.
    """
    if prompt is not None and prompt_file is not None:
        raise InvalidInput("give --prompt or --prompt-file, not both")
    if prompt_file is not None:
        prompt = prompt_file.read_text(encoding="utf-8")
    given = {
        "name": rename,
        "description": description,
        "system_prompt": sys.stdin.read() if prompt == "-" else prompt,
        "model_name": model,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "tools_enabled": tool,
        "standing_permissions": [] if standing == ["none"] else standing,
        "outward_permissions": None if outward is None else _permissions(outward),
        "is_public": public,
        "is_active": active,
    }
    changes: dict[str, Any] = {column: value for column, value in given.items() if value is not None}
    limits = None if limit is None else {} if limit == ["none"] else parse_limits(limit)
    if not changes and limits is None:
        raise InvalidInput("nothing to change: `agent-runtime agents edit --help` lists what can be")

    async def change(person: Person) -> FullAgentRow:
        agent = await person.platform.agent(name)
        if limits is not None:
            others = {key: value for key, value in agent.configuration.items() if key != "limits"}
            changes["configuration"] = others | ({"limits": limits} if limits else {})
        return await person.platform.edit_agent(agent, changes)

    _tell(as_person(change), "is changed", as_json)


@agents.command(epilog="Example: agent-runtime agents clone 'Asistente General' 'My analyst'")
def clone(
    name: Name, new: Annotated[str, typer.Argument(help="The copy's name.", show_default=False)], as_json: Json = False
) -> None:
    """Copy an agent, to change the copy.

    Standing permissions do not come along, unless an admin copies an agent of the tenant.
    """

    async def copy(person: Person) -> FullAgentRow:
        return await person.platform.clone_agent(await person.platform.agent(name), new)

    _tell(as_person(copy), "is yours", as_json)


@agents.command(epilog="Example: agent-runtime agents publish 'My analyst' --as Analyst")
def publish(
    name: Name,
    published: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Its name there; else the same.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put a copy of an agent into the catalogue, where everybody can use it, as an operator.

    Standing permissions stay behind.
    """

    async def put(person: Person) -> FullAgentRow:
        return await person.platform.publish_agent(await person.platform.agent(name), published)

    _tell(as_person(put), "is in the catalogue", as_json)


def _permissions(given: list[str]) -> list[dict[str, Any]]:
    if given == ["none"]:
        return []
    permissions: list[dict[str, Any]] = []
    for one in given:
        if not (read := _PERMISSION.fullmatch(one)):
            raise InvalidInput(
                "--outward is TOOL=DESTINATION, as in --outward http_request=api.example.org,"
                " or TOOL(ARGUMENT,…)=DESTINATION"
            )
        tool, names, destination = read.groups()
        bound = [name.strip() for name in names.split(",")] if names else []
        permissions.append({"tool": tool, "destination": destination} | ({"bound": bound} if bound else {}))
    return permissions


def _permission_text(permission: dict[str, Any]) -> str:
    bound = ",".join(permission.get("bound") or [])
    return f"{permission.get('tool')}{f'({bound})' if bound else ''}={permission.get('destination')}"


def _facts(agent: FullAgentRow) -> list[tuple[str, str]]:
    whose = "the catalogue's" if agent.tenant_id is None else "shared" if agent.is_public else "private"
    limits = ", ".join(f"{key} {value}" for key, value in agent.configuration.get("limits", {}).items())
    return [
        ("id", str(agent.id)),
        ("description", agent.description or ""),
        ("whose", whose if agent.is_active else f"{whose}, retired"),
        ("model", agent.model_name),
        ("temperature", f"{agent.temperature:g}"),
        ("tokens of an answer", str(agent.max_tokens)),
        ("tools", ", ".join(agent.tools_enabled)),
        ("standing permissions", ", ".join(agent.standing_permissions) or "none"),
        ("outward permissions", ", ".join(_permission_text(one) for one in agent.outward_permissions) or "none"),
        ("limits", limits or "none of its own"),
    ]


def _tell(agent: FullAgentRow, what: str, as_json: bool) -> None:
    if as_json:
        print_json(agent)
    else:
        make_console().print(Text(f"{one_line(agent.name)} {what} ({agent.id})."))
