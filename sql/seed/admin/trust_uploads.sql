-- Says whether the files that people of a tenant upload are trusted: a task that works on them is then not tainted by them, and sends
-- without asking (docs/taint.md). For psql and the Supabase SQL editor, as the owner of the tables; safe to run again. It holds for
-- what is uploaded from now on.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_tenant text := '';                    -- its slug, or the address of somebody in it: 'ana@example.org'
  v_trusted boolean := null;              -- true: nobody but people of the tenant ever wrote what they upload
  --------------------------------------------------------------------------------------------------------------------------
  v_found uuid;
begin
  v_tenant := btrim(coalesce(v_tenant, ''));
  if v_tenant = '' or v_trusted is null then
    raise exception using errcode = 'AR005', message = 'set v_tenant and v_trusted first, at the top of this script';
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
  update public.tenants t
  set settings = t.settings || jsonb_build_object('trust_uploads', v_trusted)
  where t.id = v_found;
  raise notice 'uploads of tenant % are %', v_tenant, case when v_trusted then 'trusted' else 'not trusted' end;
end
$$;

select
  t.slug as tenant,
  coalesce((t.settings -> 'trust_uploads')::boolean, false) as trusts_uploads
from public.tenants t
order by t.slug;
