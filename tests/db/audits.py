"""Verifying chains in a test, and meddling with them as only a superuser can."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from agent_runtime.audit.source import OwnerSource
from agent_runtime.audit.verify import verify
from tests.db.impersonation import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent_runtime.audit.key import AuditKey
    from agent_runtime.audit.records import Head, Verdict
    from tests.conftest import Database
    from tests.db.impersonation import Connection

TAMPER = """
-- Rows of the chain of the tenant in app.tenant, by their number. The triggers are off.
create function pg_temp.nth(p_seq bigint) returns uuid language sql stable as $$
  select id from public.audit_logs where tenant_id = current_setting('app.tenant')::uuid and chain_seq = p_seq
$$;
-- All hashes anew from a row on, and the head: what somebody does who knows how it is made.
create function pg_temp.rebuild(p_from bigint) returns void language plpgsql as $$
declare
  v_row public.audit_logs;
  v_hash bytea;
begin
  select hash into v_hash from public.audit_logs
  where tenant_id = current_setting('app.tenant')::uuid and chain_seq = p_from - 1;
  for v_row in
    select * from public.audit_logs
    where tenant_id = current_setting('app.tenant')::uuid and chain_seq >= p_from order by chain_seq
  loop
    v_row.prev_hash := v_hash;
    v_hash := private.audit_hash(v_hash, private.audit_text(v_row));
    update public.audit_logs set prev_hash = v_row.prev_hash, hash = v_hash where id = v_row.id;
  end loop;
  update private.audit_heads h set hash = v_hash, prev_hash = v_row.prev_hash, chain_seq = v_row.chain_seq
  where h.chain = v_row.tenant_id;
end
$$;
"""


def heads_of(database: Database) -> list[Head]:
    """As the owner sees them."""
    with psycopg.connect(database.owner, autocommit=True) as connection:
        return asyncio.run(OwnerSource(connection).heads())


def verified(
    conninfo: str, *, kept: Sequence[Head] = (), key: AuditKey | None = None
) -> tuple[list[Verdict], dict[uuid.UUID | None, Verdict]]:
    """All verdicts, and those that found something by their tenant."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return found_by(connection, kept=kept, key=key)


def found_by(
    connection: psycopg.Connection, *, kept: Sequence[Head] = (), key: AuditKey | None = None
) -> tuple[list[Verdict], dict[uuid.UUID | None, Verdict]]:
    """The same, as this connection sees it."""

    async def work() -> list[Verdict]:
        source = OwnerSource(connection)
        return await verify(source, await source.heads(), kept=kept, key=key, on_rows=lambda _: None)

    verdicts = asyncio.run(work())
    return verdicts, {verdict.tenant_id: verdict for verdict in verdicts if verdict.problem}


@contextmanager
def tampered(
    database: Database, tenant_id: uuid.UUID, statements: str, *, kept: Sequence[Head] = ()
) -> Iterator[tuple[dict[str, uuid.UUID], dict[uuid.UUID | None, Verdict]]]:
    """What verification finds after the statements, which are taken back; before it, the ids that rows had before."""
    with psycopg.connect(database.superuser) as superuser:
        superuser.execute("set local session_replication_role = replica")
        superuser.execute(sql.SQL("set local app.tenant = {}").format(str(tenant_id)))
        superuser.execute(TAMPER)
        rows = superuser.execute(
            "select chain_seq::text, id from public.audit_logs where tenant_id = %s", [tenant_id]
        ).fetchall()
        superuser.execute(statements.encode())
        yield dict(rows), found_by(superuser, kept=kept)[1]
        superuser.rollback()


def months(connection: Connection) -> list[str]:
    """The partitions, by name."""
    found: list[str] = value(
        connection,
        "select coalesce(array_agg(c.relname order by c.relname), '{}') from pg_inherits i"
        " join pg_class c on c.oid = i.inhrelid where i.inhparent = 'public.audit_logs'::regclass",
    )
    return found
