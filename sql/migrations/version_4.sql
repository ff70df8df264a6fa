-- From version 3: what `create … if not exists` and `create or replace` cannot change. On a new database nothing is there to change.

do $$
begin
  if not exists (select from private.schema_version v where v.version = 3)
     or exists (select from private.schema_version v where v.version >= 4) then
    return;
  end if;
  -- Its column begins another index.
  drop index if exists public.idx_tasks_tenant_id;
end
$$;
insert into private.schema_version (version) values (4) on conflict do nothing;
