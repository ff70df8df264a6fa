-- From version 2: what `create … if not exists` and `create or replace` cannot change. On a new database nothing is there to change.

do $$
begin
  if not exists (select from private.schema_version v where v.version = 2)
     or exists (select from private.schema_version v where v.version >= 3)
     -- A new database has passed version 2 a moment ago, and has nothing yet.
     or to_regclass('public.audit_logs') is null then
    return;
  end if;
  -- tenancy
  -- The triggers are still those of the version before.
  alter table public.users disable trigger user;
  -- Home is the tenant from the sign-up, which the audit knows of whoever was moved since.
  update public.users u
  set home_tenant_id = coalesce(
    (
      select t.id
      from public.audit_logs l
      join public.tenants t on t.id::text = l.new_values ->> 'tenant_id'
      where l.resource_type = 'users' and l.resource_id = u.id and l.action = 'insert'
      order by l.created_at
      limit 1
    ),
    u.tenant_id
  )
  where u.home_tenant_id is null;
  alter table public.users enable trigger user;
  -- audit
  drop function if exists private.make_due();
  drop function if exists private.expire_approvals(integer);
  -- vault
  -- database tools
  -- speed
  -- Its columns begin another index, and owner_id stays null in the rows that are there: the policies take the longer way.
  drop index if exists public.idx_conversations_tenant_id;
  alter table public.users disable trigger user;
  update public.users u set owner_hints = false
  where exists (select from public.conversations c where c.user_id = u.id and c.tenant_id <> u.tenant_id);
  alter table public.users enable trigger user;
end
$$;
-- The audit becomes partitioned and chained: a table of its own, into which version_3_audit.sql copies what there was. Last of
-- all, because what is changed above is audited by the version before.
do $$
begin
  if (select c.relkind from pg_catalog.pg_class c where c.oid = to_regclass('public.audit_logs')) = 'r' then
    alter table public.audit_logs set schema private;
    alter table private.audit_logs rename to audit_logs_before_3;
  end if;
end
$$;
alter table public.users alter column home_tenant_id set not null;
insert into private.schema_version (version) values (3) on conflict do nothing;
