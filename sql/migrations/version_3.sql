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
  update public.users u set home_tenant_id = u.tenant_id where u.home_tenant_id is null;
  alter table public.users enable trigger user;
  -- audit
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
alter table public.users alter column home_tenant_id set not null;
insert into private.schema_version (version) values (3) on conflict do nothing;
