"""`agent-runtime tenants`: all tenants of the platform and their limits, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.limits import WORDS, limits_text, parse_limits
from agent_runtime.cli.output import make_console, one_line, print_json, print_table
from agent_runtime.errors import InvalidInput

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.platform import TenantRow

tenants = typer.Typer(
    name="tenants", help="The platform's tenants, for operators: list them, set their limits.", no_args_is_help=True
)
app.add_typer(tenants)

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
_AT_ONCE = 1_000


@tenants.command("list", epilog="Example: agent-runtime tenants list --search sales")
def list_tenants(
    search: Annotated[
        str | None, typer.Option(help="Only whose short name begins with it, or whose name holds it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the teams with how many people they have and their limits, as an operator.

    Piped: one line each, separated by tabs: team, short name, members, limits, id.
    """
    found = as_person(lambda person: person.platform.tenants(search, limit=_AT_ONCE))
    if len(found) == _AT_ONCE:
        make_console(stderr=True).print(f"These are the first {_AT_ONCE}: --search finds the others.")
    if as_json:
        print_json(found)
        return
    rows = (
        (tenant.name, tenant.slug, f"{tenant.members or 0:,}", limits_text(tenant.limits), str(tenant.id))
        for tenant in found
    )
    print_table(make_console(), ("team", "short name", "members", "limits", "id"), rows, empty="There is no such team.")


@tenants.command(epilog="Example: agent-runtime tenants limits sales --limit steps=50 --limit wall_seconds=3600")
def limits(
    tenant: Annotated[str, typer.Argument(metavar="SLUG|ID", help="The team's short name or id.", show_default=False)],
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help=f"The limits, all of them: {', '.join(WORDS)}."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="No limits.")] = False,
    as_json: Json = False,
) -> None:
    """Set the limits of a team, as an operator: they hold for every task of its people.

    They take the place of those it had. The limits of the task and of its agent hold beside them; the tightest counts.
    """
    if clear == bool(limit):
        raise InvalidInput("give each limit as in --limit steps=50, or --clear for none")
    wanted = parse_limits(limit or [])

    async def change(person: Person) -> TenantRow:
        return await person.platform.set_tenant_limits(await _find(person, tenant), wanted)

    changed = as_person(change)
    if as_json:
        print_json(changed)
        return
    make_console().print(f"Limits of {one_line(changed.name)}: {limits_text(changed.limits)}.")


@tenants.command(epilog="Example: agent-runtime tenants hosts sales --allow wiki.internal:8080 --allow 10.0.0.5:443")
def hosts(
    tenant: Annotated[str, typer.Argument(metavar="SLUG|ID", help="The team's short name or id.", show_default=False)],
    allow: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="A host of a private network; all of them.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="None: the public internet alone.")] = False,
    as_json: Json = False,
) -> None:
    """Say which hosts of private networks a team's tools may reach besides the public internet, as an operator.

    They take the place of those it had. A host without a port stands for its ports 80 and 443.
    """
    if clear == bool(allow):
        raise InvalidInput("give each host as in --allow wiki.internal:8080, or --clear for none")

    async def change(person: Person) -> list[str]:
        return await person.platform.set_tenant_allow_hosts(await _find(person, tenant), allow or [])

    allowed = as_person(change)
    if as_json:
        print_json(allowed)
        return
    make_console().print(f"Of private networks its tools may reach: {', '.join(map(one_line, allowed)) or 'nothing'}.")


async def _find(person: Person, text: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError:
        return (await person.platform.tenant(text)).id
