-- The private schema, the worker's role, and the version of what is installed.
--
-- `private` holds what policies and triggers call. It is never exposed through the REST API, so nothing in it can be
-- called from outside, whatever is granted there.

create schema if not exists private;
revoke all on schema private from public;
-- Functions that run as the caller name functions of `private` in their bodies, hence USAGE.
grant usage on schema private to authenticated, service_role;

do $$
begin
  if to_regrole('agent_worker') is null then
    -- An admin gives it LOGIN and a password; it owns nothing and bypasses nothing.
    create role agent_worker nologin noinherit;
  end if;
end
$$;
grant usage on schema public to agent_worker;

create table if not exists private.schema_version (
  version integer primary key,
  installed_at timestamptz not null default now()
);
comment on table private.schema_version is 'One row per version of sql/ that was applied; a worker refuses a newer one than it knows.';
alter table private.schema_version enable row level security;
insert into private.schema_version (version) values (1) on conflict do nothing;
