-- Sets which hosts of private networks the tools of a tenant may reach, besides the public internet. For psql and the Supabase SQL
-- editor, as the owner of the tables; safe to run again. Tasks heed it from their next claim on.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_tenant text := '';                    -- its slug, or the address of somebody in it: 'ana@example.org'
  v_hosts jsonb := null;                  -- '["wiki.internal:8080", "10.0.0.5:443"]': all of them; '[]' for none
  --------------------------------------------------------------------------------------------------------------------------
  v_found uuid;
begin
  v_tenant := btrim(coalesce(v_tenant, ''));
  if v_tenant = '' or v_hosts is null then
    raise exception using errcode = 'AR005', message = 'set v_tenant and v_hosts first, at the top of this script';
  end if;
  select t.id into v_found
  from public.tenants t
  where t.slug = v_tenant or t.id in (select u.tenant_id from public.users u where lower(u.email collate "C") = lower(v_tenant collate "C"))
  order by t.slug = v_tenant desc
  limit 1;
  if v_found is null then
    raise exception using
      errcode = 'AR002',
      message = format('there is no tenant %s, and nobody has signed up by that address', v_tenant);
  end if;
  -- A trigger checks their form (functions/allow_hosts.sql).
  update public.tenants t
  set settings = case when v_hosts = '[]' then t.settings - 'allow_hosts' else t.settings || jsonb_build_object('allow_hosts', v_hosts) end
  where t.id = v_found;
  raise notice 'what tenant % may reach is set', v_tenant;
end
$$;

select
  t.slug as tenant,
  t.settings -> 'allow_hosts' as allow_hosts
from public.tenants t
order by t.slug;
