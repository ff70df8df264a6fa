"""What a person may do beside tasks: agents, tools, configuration, health, audit; the database decides who."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.errors import Denied, NotFound
from agent_runtime.person.records import AgentRow, TaskRow, ToolRow
from agent_runtime.records import Time

if TYPE_CHECKING:
    from supabase import AsyncClient

_AT_ONCE = 1_000


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AccessRow(_Row):
    """Of `my_access`: who the person is, and may do."""

    user_id: UUID
    tenant_id: UUID
    tenant_name: str
    home_tenant_id: UUID
    role: str
    is_operator: bool
    can_write: bool
    is_admin: bool
    email: str
    full_name: str | None = None


class ConfigRow(_Row):
    """A row of `system_config`."""

    config_key: str
    config_value: Any
    description: str | None = None
    updated_at: Time


class AuditRow(_Row):
    """A row of `audit_logs`."""

    id: UUID
    chain_seq: int
    created_at: Time
    actor: str
    action: str
    resource_type: str
    resource_id: UUID | None = None
    old_values: dict[str, Any] | None = None
    new_values: dict[str, Any] | None = None
    tenant_id: UUID | None = None
    ip_address: str | None = None


class FullAgentRow(AgentRow):
    """A row of `agents`, with all that can be edited."""

    system_prompt: str = ""
    temperature: float = 0.7
    max_tokens: int = 4096
    memory_enabled: bool = True
    memory_limit: int = 10_000
    configuration: dict[str, Any] = Field(default_factory=dict)
    standing_permissions: list[str] = Field(default_factory=list)
    outward_permissions: list[dict[str, Any]] = Field(default_factory=list)
    is_public: bool = False
    created_by: UUID | None = None
    tenant_id: UUID | None = None
    """None: the platform's catalogue."""


class TenantRow(_Row):
    """A tenant as an operator may see it."""

    id: UUID
    slug: str
    name: str
    members: int | None = None
    """None where only its limits were asked for."""
    limits: dict[str, Any] = Field(default_factory=dict)
    created_at: Time


class Platform:
    """Given by `Person.platform`. Methods raise `Denied`, `NotFound`, `IllegalTransition` and `InvalidInput`."""

    def __init__(self, supabase: AsyncClient, ask: Callable[[Any], Awaitable[Any]]) -> None:
        self._supabase, self._ask = supabase, ask

    async def access(self) -> AccessRow:
        """Who one is."""
        return AccessRow.model_validate(await self._call("my_access", {}))

    async def health(self) -> dict[str, Any]:
        """How the runtime is: `{"workers", "model", "queue", "reap", "audit", "sizes"}`, for admins and operators."""
        health: dict[str, Any] = await self._call("runtime_health", {})
        return health

    async def configuration(self) -> list[ConfigRow]:
        """What is not sensitive, by key."""
        rows = await self._ask(self._supabase.table("system_config").select("*").order("config_key").limit(_AT_ONCE))
        return [ConfigRow.model_validate(row) for row in rows]

    async def set_configuration(self, key: str, value: Any) -> ConfigRow:
        """An operator sets a key that is there."""
        return ConfigRow.model_validate(await self._call("set_configuration", {"p_key": key, "p_value": value}))

    async def agent(self, name: str) -> FullAgentRow:
        """One's own first, then the tenant's, then the catalogue's; by name or id. Retired ones, too."""
        query = self._supabase.table("agents").select("*")
        query = query.eq("id", name) if _is_id(name) else query.eq("name", name)
        rows = await self._ask(query.limit(_AT_ONCE))
        agents = [FullAgentRow.model_validate(row) for row in rows]
        if not agents:
            raise NotFound(f"there is no agent {name!r}: `agent-runtime agents list` shows them")
        me = (await self.access()).user_id
        return min(agents, key=lambda agent: (not agent.is_active, agent.created_by != me, agent.tenant_id is None))

    async def edit_agent(self, agent: FullAgentRow, changes: dict[str, Any]) -> FullAgentRow:
        """Raises `Denied` for an agent that is somebody else's to change."""
        rows = await self._ask(self._supabase.table("agents").update(changes).eq("id", str(agent.id)))
        if not rows:
            raise Denied(f"{agent.name} is not yours to change: copy it with `agent-runtime agents clone`")
        return FullAgentRow.model_validate(rows[0])

    async def clone_agent(self, agent: FullAgentRow, name: str) -> FullAgentRow:
        """A copy of one's own."""
        return FullAgentRow.model_validate(await self._call("clone_agent", {"p_agent": str(agent.id), "p_name": name}))

    async def publish_agent(self, agent: FullAgentRow, name: str | None = None) -> FullAgentRow:
        """An operator puts a copy into the catalogue, under the same name or another."""
        return FullAgentRow.model_validate(
            await self._call("publish_agent", {"p_agent": str(agent.id), "p_name": name})
        )

    async def tenants(self, search: str | None = None, *, limit: int = 100) -> list[TenantRow]:
        """By slug, for an operator: those whose slug begins with `search` or whose name holds it."""
        rows = await self._call("platform_tenants", {"p_search": search, "p_limit": limit})
        return [TenantRow.model_validate(row) for row in rows]

    async def tenant(self, slug: str) -> TenantRow:
        """By its slug, for an operator."""
        for tenant in await self.tenants(slug, limit=_AT_ONCE):
            if tenant.slug == slug.strip().lower():
                return tenant
        raise NotFound(f"there is no tenant {slug[:100]!r}: `agent-runtime tenants list` shows them")

    async def set_tenant_limits(self, tenant: UUID, limits: dict[str, float]) -> TenantRow:
        """An operator sets all limits of a tenant, by name; none when there are none."""
        row = await self._call("set_tenant_limits", {"p_tenant": str(tenant), "p_limits": limits})
        return TenantRow.model_validate({**row, "limits": row["settings"].get("limits", {})})

    async def set_tenant_allow_hosts(self, tenant: UUID, hosts: list[str]) -> list[str]:
        """An operator says which hosts of private networks a tenant's tools may reach, all of them."""
        row = await self._call("set_tenant_allow_hosts", {"p_tenant": str(tenant), "p_hosts": hosts})
        return list(row["settings"].get("allow_hosts", []))

    async def tool(self, name: str) -> ToolRow:
        """By its name."""
        rows = await self._ask(self._supabase.table("tools").select("*").eq("name", name))
        if not rows:
            raise NotFound(f"there is no tool {name!r}: `agent-runtime tools list` shows them")
        return ToolRow.model_validate(rows[0])

    async def set_tool(self, tool: ToolRow, changes: dict[str, Any]) -> ToolRow:
        """`changes` by column: is_enabled, requires_confirmation, approvals_required, timeout_seconds,
        output_limit_bytes."""
        arguments = {"p_tool": str(tool.id)} | {f"p_{column}": value for column, value in changes.items()}
        return ToolRow.model_validate(await self._call("set_tool", arguments))

    async def try_tool(self, tool: ToolRow, arguments: dict[str, Any]) -> TaskRow:
        """An admin files a task that runs this one call, and asks no model."""
        return TaskRow.model_validate(await self._call("try_tool", {"p_tool": str(tool.id), "p_arguments": arguments}))

    async def adopt_server_tools(self, execution: UUID) -> list[dict[str, str]]:
        """Take what a call of a server's row listed into the table: `{"name", "change"}` of each tool that changed."""
        rows: list[dict[str, str]] = await self._call("adopt_server_tools", {"p_execution": str(execution)})
        return [{"name": row["name"], "change": row["change"]} for row in rows]

    async def audit_log(
        self,
        *,
        table: str | None = None,
        row: UUID | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> list[AuditRow]:
        """What was changed in the tenant (for operators, also of the platform), the newest first. Empty for others."""
        query = self._supabase.table("audit_logs").select("*")
        for column, wanted in (("resource_type", table), ("resource_id", row), ("action", action), ("actor", actor)):
            if wanted is not None:
                query = query.eq(column, str(wanted))
        if since is not None:
            query = query.gte("created_at", since.isoformat())
        if until is not None:
            query = query.lt("created_at", until.isoformat())
        rows = await self._ask(query.order("created_at", desc=True).order("chain_seq", desc=True).limit(limit))
        return [AuditRow.model_validate(found) for found in rows]

    async def _call(self, function: str, arguments: dict[str, Any]) -> Any:
        return await self._ask(self._supabase.rpc(function, arguments))


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
