"""Who is in a person's tenant and as what, by the database's functions: sql/functions/tenancy.sql decides who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from agent_runtime.errors import NotFound
from agent_runtime.records import Time

if TYPE_CHECKING:
    from supabase import AsyncClient

Role = Literal["admin", "user", "viewer"]

_MEMBER_COLUMNS = "id, email, username, full_name, role, is_active"
_INVITATION_COLUMNS = "id, email, role, status, created_at, expires_at"
_AT_ONCE = 1_000


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class MemberRow(_Row):
    """Of `users`: somebody of the tenant."""

    id: UUID
    email: str
    username: str
    full_name: str | None = None
    role: Role
    is_active: bool


class InvitationRow(_Row):
    """Of `invitations`: somebody who was invited into the tenant."""

    id: UUID
    email: str
    role: Role
    status: str
    created_at: Time
    expires_at: Time


class OfferRow(_Row):
    """An invitation that the person can accept. `tenant` is the name of where it leads."""

    id: UUID
    tenant: str
    role: Role
    created_at: Time
    expires_at: Time


class Moved(_Row):
    """How much a transfer gave to another person."""

    conversations: int
    tasks: int
    agents: int


class Members:
    """Given by `Person.members`. Each method that changes something is for admins, except `accept` and `leave`.

    They raise `Denied` for everybody else, `NotFound` for somebody or something that is not of the tenant,
    `IllegalTransition` (the last admin, an invitation that is over) and `InvalidInput`.
    """

    def __init__(self, supabase: AsyncClient, ask: Callable[[Any], Awaitable[Any]]) -> None:
        self._supabase, self._ask = supabase, ask

    async def people(self) -> list[MemberRow]:
        """By address: everybody for an admin, oneself for all others."""
        rows = await self._ask(self._supabase.table("users").select(_MEMBER_COLUMNS).order("email").limit(_AT_ONCE))
        return [MemberRow.model_validate(row) for row in rows]

    async def invited(self) -> list[InvitationRow]:
        """The tenant's invitations that wait, for an admin; nobody for all others."""
        # One's own, into another tenant, is seen as well, and is no business of this one.
        tenants = await self._ask(self._supabase.table("tenants").select("id"))
        query = self._supabase.table("invitations").select(_INVITATION_COLUMNS).eq("status", "pending")
        query = query.in_("tenant_id", [row["id"] for row in tenants])
        rows = await self._ask(query.order("email").limit(_AT_ONCE))
        return [InvitationRow.model_validate(row) for row in rows]

    async def find(self, text: str) -> UUID:
        """The id of a member by e-mail address or username; an id is taken as it is. Raises `NotFound`."""
        text = text.strip()
        try:
            return UUID(text)
        except ValueError:
            people = await self.people()
        # People choose their usernames, and one may read like somebody else's address.
        by_address = "@" in text
        for member in people:
            if text.lower() == member.email.lower() if by_address else text == member.username:
                return member.id
        raise NotFound(f"there is no member {text[:255]}: `agent-runtime members list` shows them")

    async def invite(self, email: str, role: str) -> InvitationRow:
        """Invite the person of an address; again, to change the role and begin the time to accept anew."""
        return InvitationRow.model_validate(await self._call("invite_user", p_email=email, p_role=role))

    async def revoke(self, invitation: UUID) -> InvitationRow:
        """Take an invitation back."""
        return InvitationRow.model_validate(await self._call("revoke_invitation", p_invitation=str(invitation)))

    async def offers(self) -> list[OfferRow]:
        """Where this person is invited to, the newest first."""
        return [OfferRow.model_validate(row) for row in await self._call("my_invitations")]

    async def accept(self, invitation: UUID) -> MemberRow:
        """Go over into the tenant of an invitation. What is at home stays there."""
        return MemberRow.model_validate(await self._call("accept_invitation", p_invitation=str(invitation)))

    async def leave(self) -> MemberRow:
        """Back home."""
        (tenant,) = await self._ask(self._supabase.table("tenants").select("id"))
        return MemberRow.model_validate(await self._call("leave_tenant", p_tenant_id=tenant["id"]))

    async def set_role(self, user: UUID, role: str) -> MemberRow:
        """Make somebody admin, user or viewer."""
        return MemberRow.model_validate(await self._call("set_user_role", p_user=str(user), p_role=role))

    async def set_active(self, user: UUID, active: bool) -> MemberRow:
        """Deactivate somebody, or undo it."""
        return MemberRow.model_validate(await self._call("set_user_active", p_user=str(user), p_active=active))

    async def remove(self, user: UUID) -> None:
        """Send somebody home; what they made stays."""
        await self._call("remove_user", p_user=str(user))

    async def transfer(self, giver: UUID, taker: UUID) -> Moved:
        """Give what one person has in the tenant to another."""
        return Moved.model_validate(await self._call("transfer_ownership", p_from=str(giver), p_to=str(taker)))

    async def rename(self, name: str) -> None:
        """Name the tenant."""
        await self._call("rename_tenant", p_name=name)

    async def _call(self, function: str, **arguments: object) -> Any:
        answer = await self._ask(self._supabase.rpc(function, arguments))
        # A row comes as an object or as a list of one, as the API likes it.
        single = isinstance(answer, list) and function != "my_invitations"
        return answer[0] if single and answer else answer
