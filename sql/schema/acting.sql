-- Whom a transaction acts for, where a tool runs SQL for a task's owner. Only the runtime's own functions write it, so nothing
-- that such SQL can set (request.jwt.claims among it) makes it somebody else's. A row means something to its own
-- transaction alone, and is deleted before that ends.

create table if not exists private.acting (
  xid xid8 primary key,
  user_id uuid not null,
  task_id uuid not null
);
alter table private.acting enable row level security;

-- What a statement of db_execute came to, written in the transaction that carried it out: a call that is made again, after a crash
-- or a lost answer, is answered from here and not carried out twice.
create table if not exists private.executed_statements (
  execution_id uuid primary key references public.tool_executions (id) on delete cascade,
  result json not null,
  executed_at timestamptz not null default now()
);
alter table private.executed_statements enable row level security;

-- As whom such SQL runs: what `authenticated` may, this may, and nothing besides. Nobody logs in as it, and it owns no more than
-- the functions that run the SQL; a role of its own, so that `authenticated` owns nothing.
do $$
begin
  if to_regrole('agent_query') is null then
    create role agent_query nologin;
  end if;
  if not pg_catalog.pg_has_role('agent_query', 'authenticated', 'USAGE') then
    grant authenticated to agent_query;
  end if;
  -- So that whoever installs can hand functions over to it, and replace them.
  if not pg_catalog.pg_has_role(current_user, 'agent_query', 'USAGE') then
    execute format('grant agent_query to %I', current_user);
  end if;
end
$$;

-- Where Postgres's own parser reads a statement before it runs. Always empty: what is made here is undone at once.
create schema if not exists agent_statements;
revoke all on schema agent_statements from public;
grant usage, create on schema agent_statements to agent_query;
