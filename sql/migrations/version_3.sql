-- From version 2: what `create … if not exists` and `create or replace` cannot change. On a new database nothing is there to change.

do $$
begin
  if not exists (select from private.schema_version v where v.version = 2)
     or exists (select from private.schema_version v where v.version >= 3) then
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
  -- vault
  -- database tools
end
$$;
alter table public.users alter column home_tenant_id set not null;
insert into private.schema_version (version) values (3) on conflict do nothing;
