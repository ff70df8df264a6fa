-- Makes a user an operator of the platform, or takes that back. For psql and the Supabase SQL editor, as the owner of the tables;
-- safe to run again. No API can do this. Of the tenant an operator is what the user's role says.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_email text := '';                     -- the address that the user signed up with: 'ana@example.org'
  v_is_operator boolean := true;          -- false: an operator no more
  --------------------------------------------------------------------------------------------------------------------------
  v_user public.users;
begin
  if btrim(coalesce(v_email, '')) = '' then
    raise exception using errcode = 'AR005', message = 'set v_email first, at the top of this script';
  end if;
  select * into v_user from public.users u where lower(u.email collate "C") = lower(btrim(v_email) collate "C") for no key update;
  if not found then
    raise exception using
      errcode = 'AR002',
      message = format('nobody has signed up as %s', btrim(v_email)),
      hint = 'The user signs up first; the profile is made then.';
  elsif v_is_operator is null then
    raise exception using errcode = 'AR005', message = 'v_is_operator is true or false';
  elsif v_is_operator and not v_user.is_active then
    raise exception using
      errcode = 'AR003',
      message = format('%s is deactivated', v_user.email),
      hint = format('First: update public.users set is_active = true where id = ''%s'';', v_user.id);
  end if;
  update public.users u set is_operator = v_is_operator where u.id = v_user.id and u.is_operator <> v_is_operator;
  raise notice '% is %', v_user.email, case when v_is_operator then 'an operator' else 'no operator' end;
end
$$;

select
  u.email,
  u.username,
  u.role,
  t.slug as tenant
from public.users u
join public.tenants t on t.id = u.tenant_id
where u.is_operator
order by u.email;
