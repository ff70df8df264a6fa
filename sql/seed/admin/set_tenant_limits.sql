-- Sets the limits of a tenant: they hold for each of its tasks, and the tightest of the tenant's, the agent's and the task's own
-- counts. For psql and the Supabase SQL editor, as the owner of the tables; safe to run again. Tasks that run heed it from their
-- next claim at the latest.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_tenant text := '';                    -- its slug, or the address of somebody in it: 'ana@example.org'
  v_limits jsonb := null;                 -- '{"steps": 50, "model_tokens": 200000}': all that hold; '{}' for none
  --------------------------------------------------------------------------------------------------------------------------
  v_found uuid;
begin
  v_tenant := btrim(coalesce(v_tenant, ''));
  if v_tenant = '' or v_limits is null then
    raise exception using errcode = 'AR005', message = 'set v_tenant and v_limits first, at the top of this script';
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
  -- A trigger checks the names and the numbers (functions/limits.sql).
  update public.tenants t
  set settings = case when v_limits = '{}' then t.settings - 'limits' else t.settings || jsonb_build_object('limits', v_limits) end
  where t.id = v_found;
  raise notice 'the limits of tenant % are set', v_tenant;
end
$$;

select
  t.slug as tenant,
  t.settings -> 'limits' as limits
from public.tenants t
order by t.slug;
