"""`agent-runtime members` and `invitations`: who is in a tenant, as an admin governs it and as the invited accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person, parse_id
from agent_runtime.cli.output import make_console, one_line, print_json, print_table, time_text

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.members import InvitationRow, MemberRow, Moved

members = typer.Typer(name="members", help="Your tenant's people: list, invite and govern them.", no_args_is_help=True)
invitations = typer.Typer(
    name="invitations", help="Where you are invited to: list them, accept one.", no_args_is_help=True
)
app.add_typer(members)
app.add_typer(invitations)

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Who = Annotated[str, typer.Argument(help="E-mail address, username or id.", show_default=False)]
Role = Annotated[str, typer.Argument(help="admin, user or viewer.", show_default=False)]


@members.command("list", epilog="Example: agent-runtime members list --json")
def list_members(as_json: Json = False) -> None:
    """List the people of your tenant and who is invited; who is no admin sees only themselves.

    Piped: one line each, separated by tabs: address, role, state, id.
    """

    async def look(person: Person) -> tuple[list[MemberRow], list[InvitationRow]]:
        return await person.members.people(), await person.members.invited()

    people, invited = as_person(look)
    if as_json:
        print_json({"members": people, "invitations": invited})
        return
    rows: list[tuple[str, str, str | Text, str]] = [
        (
            one.email,
            one.role,
            Text("active", style="green") if one.is_active else Text("deactivated", style="red"),
            str(one.id),
        )
        for one in people
    ]
    rows += [
        (one.email, one.role, Text(f"invited until {time_text(one.expires_at)}", style="yellow"), str(one.id))
        for one in invited
    ]
    print_table(make_console(), ("address", "role", "state", "id"), rows, empty="Nobody is here.")


@members.command(epilog="Example: agent-runtime members me --json")
def me(as_json: Json = False) -> None:
    """Show who you are: name, address, team, role, and whether you are an operator of the platform."""
    access = as_person(lambda person: person.platform.access())
    if as_json:
        print_json(access)
        return
    at_home = access.tenant_id == access.home_tenant_id
    rows = (
        ("name", access.full_name or ""),
        ("address", access.email),
        ("team", f"{access.tenant_name}, your own" if at_home else access.tenant_name),
        ("role", access.role),
        ("operator of the platform", "yes" if access.is_operator else "no"),
        ("id", str(access.user_id)),
    )
    print_table(make_console(), ("you", ""), rows, empty="")


@members.command(epilog="Example: agent-runtime members invite ana@example.org --role user")
def invite(
    email: Annotated[str, typer.Argument(help="The person's e-mail address.", show_default=False)],
    role: Annotated[str, typer.Option(help="admin, user or viewer.")] = "user",
    as_json: Json = False,
) -> None:
    """Invite somebody into your tenant. No e-mail is sent: tell them.

    Who signs up with that address is in at once; who has an account runs `invitations accept`. Inviting again changes
    the role and begins the 14 days anew.
    """
    made = as_person(lambda person: person.members.invite(email, role))
    if as_json:
        print_json(made)
        return
    _say(f"{made.email} is invited as {made.role} until {time_text(made.expires_at)}: they sign up with that address,")
    _say("or run `agent-runtime invitations accept` with the account that has it.")


@members.command(epilog="Example: agent-runtime members revoke ana@example.org")
def revoke(
    which: Annotated[str, typer.Argument(help="The invited address, or the invitation's id.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Take an invitation back that nobody has accepted yet."""

    async def take_back(person: Person) -> InvitationRow:
        for one in await person.members.invited():
            if one.email == which.strip().lower():
                return await person.members.revoke(one.id)
        return await person.members.revoke(parse_id(which, "pending invitation", shown_by="members list"))

    gone = as_person(take_back)
    if as_json:
        print_json(gone)
        return
    _say(f"The invitation of {gone.email} is revoked.")


@members.command(epilog="Example: agent-runtime members role ana@example.org admin")
def role(who: Who, new: Role, as_json: Json = False) -> None:
    """Make somebody admin, user or viewer, from their next request on. A new viewer's open tasks are paused."""

    async def change(person: Person) -> MemberRow:
        return await person.members.set_role(await person.members.find(who), new)

    _tell(as_person(change), "is now {0.role}", as_json)


@members.command(epilog="Example: agent-runtime members deactivate ana@example.org")
def deactivate(who: Who, as_json: Json = False) -> None:
    """Lock somebody out at once: no token of theirs gives anything any more. Open tasks are paused, nothing is lost."""

    async def change(person: Person) -> MemberRow:
        return await person.members.set_active(await person.members.find(who), False)

    _tell(as_person(change), "is deactivated, and open tasks are paused", as_json)


@members.command(epilog="Example: agent-runtime members activate ana@example.org")
def activate(who: Who, as_json: Json = False) -> None:
    """Let somebody in again. Their tasks stay paused until they resume them."""

    async def change(person: Person) -> MemberRow:
        return await person.members.set_active(await person.members.find(who), True)

    _tell(as_person(change), "is active; `tasks resume` lets what is paused go on", as_json)


@members.command(epilog="Example: agent-runtime members remove ana@example.org")
def remove(who: Who) -> None:
    """Send somebody back to their own tenant. What they made stays here, paused; `members transfer` gives it on."""

    async def change(person: Person) -> None:
        await person.members.remove(await person.members.find(who))

    as_person(change)
    _say(f"{who} is no member any more. What they made stays: `agent-runtime members transfer` gives it to another.")


@members.command(epilog="Example: agent-runtime members transfer ana@example.org ben@example.org")
def transfer(
    giver: Annotated[str, typer.Argument(help="Whose: address, username, or the id of who has left.")],
    taker: Annotated[str, typer.Argument(help="To whom: address, username or id.")],
    as_json: Json = False,
) -> None:
    """Give what one person has in the tenant to another: agents, and conversations with their tasks, as they are."""

    async def change(person: Person) -> Moved:
        found = person.members
        return await found.transfer(await found.find(giver), await found.find(taker))

    moved = as_person(change)
    if as_json:
        print_json(moved)
        return
    _say(f"{taker} has them now: {moved.conversations} conversations, {moved.tasks} tasks, {moved.agents} agents.")


@members.command(epilog='Example: agent-runtime members rename "The team"')
def rename(name: Annotated[str, typer.Argument(help="The tenant's new name.")]) -> None:
    """Name your tenant."""
    as_person(lambda person: person.members.rename(name))
    _say(f"The tenant is named {name.strip()}.")


@members.command(epilog="Example: agent-runtime members leave")
def leave(as_json: Json = False) -> None:
    """Leave your tenant for your own. What you made here stays with the team, and you see it no more."""
    _tell(as_person(lambda person: person.members.leave()), "is back home", as_json)


@invitations.command("list", epilog="Example: agent-runtime invitations list --json")
def list_invitations(as_json: Json = False) -> None:
    """List where you are invited to. Piped: one line each, separated by tabs: tenant, role, until, id."""
    offers = as_person(lambda person: person.members.offers())
    if as_json:
        print_json(offers)
        return
    rows = ((one.tenant, one.role, time_text(one.expires_at), str(one.id)) for one in offers)
    print_table(make_console(), ("tenant", "role", "until", "id"), rows, empty="You are invited nowhere.")


@invitations.command(epilog="Example: agent-runtime invitations accept 5c0f…")
def accept(
    invitation: Annotated[str, typer.Argument(help="Its id; `invitations list` shows them.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Go over into the tenant that invites you. What is in your own stays there and yours."""
    wanted = parse_id(invitation, "pending invitation", shown_by="invitations list")
    _tell(as_person(lambda person: person.members.accept(wanted)), "is in, as {0.role}", as_json)


def _tell(member: MemberRow, done: str, as_json: bool) -> None:
    if as_json:
        print_json(member)
    else:
        _say(f"{member.email} {done.format(member)}.")


def _say(text: str) -> None:
    make_console().print(one_line(text, 500))
