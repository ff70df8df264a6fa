-- Moves a user into a tenant, with a role there: what an invitation does, without one. For psql and the Supabase SQL editor, as
-- the owner of the tables; safe to run again. What the user has at home stays there; what it made in a team's tenant stays with the
-- team, with open tasks paused. Home again: the slug of its personal tenant.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_email text := '';                     -- the address that the user signed up with: 'ana@example.org'
  v_tenant text := '';                    -- where to: a tenant's slug, or the address of somebody in it
  v_role text := 'user';                  -- as what: 'admin', 'user' or 'viewer'
  --------------------------------------------------------------------------------------------------------------------------
  v_user public.users;
  v_found uuid;
  v_home uuid;
begin
  v_email := btrim(coalesce(v_email, ''));
  v_tenant := btrim(coalesce(v_tenant, ''));
  if v_email = '' or v_tenant = '' then
    raise exception using errcode = 'AR005', message = 'set v_email and v_tenant first, at the top of this script';
  end if;
  perform private.require_role(v_role);
  select * into v_user from public.users u where lower(u.email collate "C") = lower(v_email collate "C");
  if not found then
    raise exception using
      errcode = 'AR002',
      message = format('nobody has signed up as %s', v_email),
      hint = 'The user signs up first; the profile is made then.';
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
  if (v_user.tenant_id, v_user.role) is distinct from (v_found, v_role::varchar) then
    perform private.lock_tenants(array[v_user.tenant_id, v_user.home_tenant_id, v_found]);
    select * into v_user from public.users u where u.id = v_user.id for no key update;
    if v_user.tenant_id <> v_found or v_role <> 'admin' then
      perform private.require_other_admin(v_user);
    end if;
    v_home := case when v_user.tenant_id = v_found then v_user.home_tenant_id else private.home_for(v_user) end;
    update public.users u set tenant_id = v_found, home_tenant_id = v_home, role = v_role where u.id = v_user.id;
  end if;
  raise notice '% is in tenant % as %', v_user.email, v_tenant, v_role;
end
$$;

select
  u.email,
  u.role,
  t.slug as tenant,
  h.slug as home
from public.users u
join public.tenants t on t.id = u.tenant_id
join public.tenants h on h.id = u.home_tenant_id
order by u.email;
