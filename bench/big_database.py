"""A big database, the same each time: a thousand tenants with what ten thousand people asked of their agents.

Put in by plain SQL as the superuser, with triggers and foreign keys off and the indexes made afterwards: what the
triggers would set is set here. Rows of different conversations lie mixed in the tables, as they come in over a year.

Shares are not fair: the first tenant owns a tenth of the conversations, and in it one heavy user has half of those.
One conversation of 101 is long, one of twenty is shared, one task of a hundred waits for somebody's approval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import LiteralString

from psycopg import sql

from bench.postgres import Connection, connect


@dataclass(frozen=True)
class Size:
    """How many rows there are."""

    tenants: int = 1_000
    users: int = 10_000
    conversations: int = 100_000
    messages: int = 1_000_000
    executions: int = 300_000
    files: int = 100_000

    def scaled(self, factor: float) -> Size:
        """So much of each."""
        return Size(**{name: int(value * factor) for name, value in asdict(self).items()})


FULL = Size()

_PREPARED: tuple[LiteralString, ...] = (
    "set session_replication_role = replica",
    "set synchronous_commit = off",
    "set maintenance_work_mem = '512MB'",
    # An id that looks drawn by lot, and is the same each time.
    "create function pg_temp.id(text, bigint) returns uuid language sql immutable as 'select md5($1 || $2)::uuid'",
    # From 0 to 1, by a number and what it is for.
    "create function pg_temp.chance(bigint, bigint) returns double precision language sql immutable"
    " as 'select (hashint8extended($1, $2) & 1048575) / 1048576.0'",
    # 2,000 words of three syllables, the first in most texts, the last in one of some hundred.
    "create function pg_temp.words(bigint, integer) returns text language sql immutable as $$"
    " select string_agg((array['bar', 'cel', 'dor', 'fim', 'gal', 'hum', 'jor', 'lap'])[1 + n % 8]"
    "   || (array['a', 'e', 'i', 'o', 'u'])[1 + n / 8 % 5]"
    "   || (array['bez', 'cof', 'dag', 'fup', 'gim'])[1 + n / 40 % 5]"
    "   || (array['', 'ak', 'en', 'ip', 'or', 'ul', 'ax', 'em', 'il', 'on'])[1 + n / 200], ' ')"
    " from (select floor(2000 * pg_temp.chance($1, k) ^ 3)::integer as n from generate_series(1, $2) k) w"
    " $$",
    "create temp table phrases as select n, pg_temp.words(n, 6) as short, pg_temp.words(n + 5000, 48) as long"
    " from generate_series(0, 4999) n",
    "analyze phrases",
    "create function pg_temp.moment(double precision) returns timestamptz language sql immutable"
    " as $$ select '2026-01-01 00:00Z'::timestamptz + $1 * interval '300 days' $$",
)

# Four rows of five go round all conversations, the fifth to the long ones.
_TURN: LiteralString = """
cross join lateral (
  select case when i %% 5 < 4 then (i / 5 * 4 + i %% 5) %% %(conversations)s
              else 101 * (i / 5 %% (%(conversations)s / 101)) end as n
) p
join public.conversations c on c.id = pg_temp.id('conversation', p.n)
"""

_FILLED: dict[str, LiteralString] = {
    "tenants": """
insert into public.tenants (id, slug, name)
select pg_temp.id('tenant', i), 'tenant-' || i, 'Tenant ' || i from generate_series(0, %(tenants)s - 1) i
""",
    "users": """
insert into public.users (id, email, username, role, tenant_id, home_tenant_id)
select pg_temp.id('user', i), 'person' || i || '@example.org', 'person' || i,
       case i %% 10 when 0 then 'admin' when 9 then 'viewer' else 'user' end,
       pg_temp.id('tenant', i / 10), pg_temp.id('tenant', i / 10)
from generate_series(0, %(users)s - 1) i
""",
    "agents": """
insert into public.agents (id, name, system_prompt, model_name, created_by, tenant_id, is_public)
select pg_temp.id('agent', i), 'Agent ' || i, 'Work.', 'default', pg_temp.id('user', i * 10),
       pg_temp.id('tenant', i), true
from generate_series(0, %(tenants)s - 1) i
""",
    # The big tenant has each tenth, half of it the heavy user's; a viewer has none.
    "conversations": """
insert into public.conversations (id, title, user_id, agent_id, tenant_id, is_shared, created_at, updated_at)
select pg_temp.id('conversation', i), h.short, pg_temp.id('user', u), pg_temp.id('agent', u / 10),
       pg_temp.id('tenant', u / 10), i / 100 %% 20 = 3, m, m + interval '1 hour'
from generate_series(0, %(conversations)s - 1) i
join pg_temp.phrases h on h.n = i %% 5000
cross join lateral (
  select case
    when i %% 20 = 10 then 1
    when i %% 20 = 0 then i / 20 %% 9
    else 10 * floor(%(tenants)s * pg_temp.chance(i, 1))::bigint + floor(9 * pg_temp.chance(i, 2))::bigint
  end as u, pg_temp.moment(i::double precision / %(conversations)s) as m
) p
order by i
""",
    "tasks": """
insert into public.tasks (
  id, conversation_id, title, description, status, created_at, updated_at, completed_at, tenant_id, user_id, agent_id,
  lease_token, lease_expires_at, wait_reason, search
)
select pg_temp.id('task', n), c.id, c.title, c.title, s.status, c.created_at, c.created_at,
       case when s.status in ('completed', 'failed') then c.created_at + interval '1 minute' end,
       c.tenant_id, c.user_id, c.agent_id,
       case when s.status = 'running' then pg_temp.id('lease', n) end,
       case when s.status = 'running' then c.created_at end,
       case when s.status = 'waiting' then 'approval' end, to_tsvector('simple', c.title)
from generate_series(0, %(conversations)s - 1) n
join public.conversations c on c.id = pg_temp.id('conversation', n)
cross join lateral (
  select case n / 20 %% 100 when 0 then 'running' when 1 then 'waiting' when 2 then 'failed'
         else 'completed' end as status
) s
""",
    "messages": """
insert into public.messages (
  id, conversation_id, role, content, metadata, created_at, tenant_id, task_id, seq, owner_id
)
select pg_temp.id('message', i), c.id, (array['user', 'assistant', 'tool', 'assistant', 'tool'])[1 + i %% 5],
       a.short || ' ' || case when i %% 10 = 2 then b.long else b.short end, '{"step": 1}',
       pg_temp.moment(i::double precision / %(messages)s), c.tenant_id, pg_temp.id('task', p.n), i + 1, c.user_id
from generate_series(0, %(messages)s - 1) i
join pg_temp.phrases a on a.n = floor(5000 * pg_temp.chance(i, 3))::integer
join pg_temp.phrases b on b.n = floor(5000 * pg_temp.chance(i, 4))::integer
"""
    + _TURN
    + "order by i",
    "tool_executions": """
insert into public.tool_executions (
  id, task_id, tool_id, input_parameters, output_result, status, execution_time_ms, started_at, completed_at, tenant_id,
  tool_call_id, step, call_index, input_digest, approvals_needed, approval_expires_at,
  owner_id
)
select pg_temp.id('execution', i), pg_temp.id('task', p.n), t.ids[1 + i %% cardinality(t.ids)],
       jsonb_build_object('path', 'notes/' || i || '.md'), case when not w.waits then '{"content": "done"}'::jsonb end,
       case when w.waits then 'awaiting_approval' else 'completed' end, i %% 1000, m.moment,
       case when not w.waits then m.moment end, c.tenant_id, 'call_' || i, 1 + i / %(conversations)s, 0,
       repeat('0', 64),
       w.waits::integer, case when w.waits then m.moment + interval '1 day' end, c.user_id
from generate_series(0, %(executions)s - 1) i
cross join (select array_agg(id order by name) as ids from public.tools) t
cross join lateral (select i < %(conversations)s and i %% 5 < 4 and (i / 5 * 4 + i %% 5) / 20 %% 100 = 1 as waits) w
cross join lateral (select pg_temp.moment(i::double precision / %(executions)s) as moment) m
"""
    + _TURN,
    "execution_decisions": """
insert into public.execution_decisions (id, execution_id, user_id, tenant_id, verdict, input_digest)
select pg_temp.id('decision', i), pg_temp.id('execution', i), k.user_id, k.tenant_id, 'approved', repeat('0', 64)
from generate_series(4, %(executions)s - 1, 30) i
join public.tool_executions e on e.id = pg_temp.id('execution', i)
join public.tasks k on k.id = e.task_id
""",
    "files": """
insert into public.files (
  id, conversation_id, task_id, filename, original_filename, file_path, file_size, mime_type, file_hash, created_at,
  tenant_id, owner_id
)
select pg_temp.id('file', i), c.id, pg_temp.id('task', p.n), 'report-' || i || '.md', 'report.md',
       c.tenant_id || '/' || pg_temp.id('task', p.n) || '/.sha256/' || i, i, 'text/markdown', repeat('0', 64),
       pg_temp.moment(i::double precision / %(files)s), c.tenant_id, c.user_id
from generate_series(0, %(files)s - 1) i
"""
    + _TURN,
    "task_events": """
insert into public.task_events (task_id, kind, payload, created_at, tenant_id, owner_id)
select task_id, kind, payload, created_at, tenant_id, owner_id
from (
  select id as task_id, 'task.created' as kind, jsonb_build_object('title', title) as payload, created_at, tenant_id,
         user_id as owner_id
  from public.tasks
  union all
  select id, 'task.status', jsonb_build_object('status', status), updated_at, tenant_id, user_id from public.tasks
  union all
  select task_id, 'message.created', jsonb_build_object('message_id', id, 'seq', seq), created_at, tenant_id, owner_id
  from public.messages
  union all
  select task_id, 'execution.status', jsonb_build_object('execution_id', id, 'status', status), started_at, tenant_id,
         owner_id
  from public.tool_executions
) e
order by created_at
""",
}


async def fill(superuser: str, size: Size, done: Callable[[str], None]) -> None:
    """Fill a database that has our SQL and nobody in it; `done` hears which part of `parts()` is ready."""
    async with await connect(superuser) as connection:
        for statement in _PREPARED:
            await connection.execute(statement)
        # Whoever writes more finds it as the triggers would have left it.
        await connection.execute("select setval('public.messages_seq', %s)", [size.messages])
        indexes = await _take_indexes(connection)
        for table, statement in _FILLED.items():
            await connection.execute(statement, asdict(size))
            done(table)
            for definition in indexes[table]:
                await connection.execute(sql.SQL(definition))
            await connection.execute(sql.SQL("vacuum (analyze) public.{}").format(sql.Identifier(table)))
            done(f"indexes of {table}")


def parts() -> int:
    """How many times `fill` says that a part is done."""
    return 2 * len(_FILLED)


async def _take_indexes(connection: Connection) -> dict[str, list[str]]:
    """Drops what only speeds reading up, and says how to make it again, by table."""
    found = await connection.execute(
        "select c.relname::text as table_name, i.indexrelid::regclass::text as name,"
        " pg_catalog.pg_get_indexdef(i.indexrelid) as definition"
        " from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indrelid"
        " where c.relnamespace = 'public'::regnamespace and not i.indisunique"
    )
    taken: dict[str, list[str]] = {table: [] for table in _FILLED}
    for row in await found.fetchall():
        if row["table_name"] in taken:
            await connection.execute(sql.SQL("drop index {}").format(sql.SQL(row["name"])))
            taken[row["table_name"]].append(row["definition"])
    return taken
