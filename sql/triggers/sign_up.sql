-- A profile and a personal tenant for everybody who signs up. The only thing of ours on a table that Supabase owns.
--
-- Sign-ups insert as supabase_auth_admin with search_path = auth, and an error here blocks the sign-up: hence security
-- definer, a fixed search_path, and names that give way instead of failing. Of raw_user_meta_data, which is the user's
-- own, only what the user could set afterwards is taken: never role or tenant.

create or replace function private.create_profile(p_id uuid, p_email text, p_metadata jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_email text := left(coalesce(nullif(p_email, ''), p_id || '@no-email.invalid'), 255);
  v_base text := left(regexp_replace(lower(split_part(v_email, '@', 1)), '[^a-z0-9]+', '-', 'g'), 60);
  v_username text;
  v_tenant uuid;
begin
  if exists (select from public.users u where u.id = p_id) then
    return;
  end if;
  -- Two accounts may have one address, where people come through single sign-on.
  if exists (select from public.users u where u.email = v_email) then
    v_email := p_id || '@no-email.invalid';
  end if;
  v_base := coalesce(nullif(btrim(v_base, '-'), ''), 'user');
  v_username := v_base;
  -- The id makes it unique where the short name is taken.
  if exists (select from public.users u where u.username = v_base) or exists (select from public.tenants t where t.slug = v_base) then
    v_username := v_base || '-' || left(replace(p_id::text, '-', ''), 32);
  end if;
  begin
    insert into public.tenants (slug, name) values (v_username, v_username) returning id into v_tenant;
    insert into public.users (id, email, username, full_name, avatar_url, tenant_id, home_tenant_id)
    values (
      p_id, v_email, v_username, left(p_metadata ->> 'full_name', 255), left(p_metadata ->> 'avatar_url', 2048), v_tenant, v_tenant
    );
  exception when unique_violation then
    -- Two people with the same short name at the same moment.
    v_username := v_base || '-' || left(replace(p_id::text, '-', ''), 32);
    insert into public.tenants (slug, name) values (v_username, v_username) returning id into v_tenant;
    insert into public.users (id, email, username, full_name, avatar_url, tenant_id, home_tenant_id)
    values (
      p_id, v_email, v_username, left(p_metadata ->> 'full_name', 255), left(p_metadata ->> 'avatar_url', 2048), v_tenant, v_tenant
    );
  end;
end
$$;

create or replace function private.follow_auth_user() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    perform private.create_profile(new.id, new.email, coalesce(new.raw_user_meta_data, '{}'));
    perform private.accept_at_sign_up(new.id, private.confirmed_address(new.email, new.email_confirmed_at));
    return new;
  elsif tg_op = 'UPDATE' then
    update public.users u set email = left(new.email, 255)
    where u.id = new.id and u.email <> new.email and new.email <> ''
      and not exists (select from public.users o where o.email = left(new.email, 255));
    -- The sign-up ends with the first confirmation. Whoever takes another address later accepts by hand.
    if old.email_confirmed_at is null then
      perform private.accept_at_sign_up(new.id, private.confirmed_address(new.email, new.email_confirmed_at));
    end if;
    return new;
  end if;
  perform private.leave_estate(old.id);
  return old;
end
$$;

create or replace trigger agent_runtime_sign_up
  after insert on auth.users for each row execute function private.follow_auth_user();
create or replace trigger agent_runtime_new_email
  after update of email, email_confirmed_at on auth.users for each row
  when (old.email is distinct from new.email or (old.email_confirmed_at is null and new.email_confirmed_at is not null))
  execute function private.follow_auth_user();
create or replace trigger agent_runtime_account_deleted
  after delete on auth.users for each row execute function private.follow_auth_user();
