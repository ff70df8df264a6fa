-- Whoever disables a server of tools means its tools too; each is enabled again by itself.
create or replace function private.disable_with_server() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.tools t
  set is_enabled = false
  where t.implementation_type = 'mcp' and t.config ->> 'server' = new.name
    and t.tenant_id is not distinct from new.tenant_id and t.is_enabled;
  return null;
end
$$;
create or replace trigger disable_with_server
  after update of is_enabled on public.tools for each row
  when (old.is_enabled and not new.is_enabled and new.implementation_type = 'mcp' and new.config ? 'transport')
  execute function private.disable_with_server();
