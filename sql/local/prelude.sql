-- What hosted Supabase and the embedded API bring along, for a plain Postgres that has neither: the roles that requests
-- run as, and of the schema auth what our tables, triggers and policies refer to. What is there already is left alone.
-- Run by the owner of the database, who may create roles (or finds them made).

do $$
begin
  if to_regrole('anon') is null then
    create role anon nologin noinherit;
  end if;
  if to_regrole('authenticated') is null then
    create role authenticated nologin noinherit;
  end if;
  if to_regrole('service_role') is null then
    create role service_role nologin noinherit;
    -- Only who bypasses row-level security can hand that on, and before Postgres 16 only a superuser.
    if exists (
      select from pg_catalog.pg_roles
      where rolname = current_user
        and (rolsuper or (rolbypassrls and current_setting('server_version_num')::integer >= 160000))
    ) then
      alter role service_role bypassrls;
    end if;
  end if;
end
$$;

do $$
begin
  if to_regnamespace('auth') is not null then
    return;
  end if;

  create schema auth;
  grant usage on schema auth to anon, authenticated, service_role;

  create table auth.users (
    id uuid primary key default gen_random_uuid(),
    aud text,
    role text,
    email text unique,
    encrypted_password text,
    email_confirmed_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb not null default '{}',
    raw_user_meta_data jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  );

  -- Both ways in which an API may hand over the claims of a request.
  create function auth.jwt() returns jsonb
  language sql stable set search_path = pg_catalog, pg_temp as $f$
    select coalesce(
      nullif(current_setting('request.jwt.claim', true), ''),
      nullif(current_setting('request.jwt.claims', true), ''),
      '{}'
    )::jsonb
  $f$;

  create function auth.uid() returns uuid
  language sql stable set search_path = pg_catalog, pg_temp as $f$
    select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), auth.jwt() ->> 'sub')::uuid
  $f$;

  create function auth.role() returns text
  language sql stable set search_path = pg_catalog, pg_temp as $f$
    select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''), auth.jwt() ->> 'role')
  $f$;

  grant execute on function auth.jwt(), auth.uid(), auth.role() to anon, authenticated, service_role;
end
$$;

-- What an earlier version of this file made looked for types in the temporary schema first.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace = to_regnamespace('auth') and p.proname in ('uid', 'jwt', 'role') and p.pronargs = 0
      and p.proowner = current_user::regrole and p.proconfig = array['search_path=""']
  loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', v_function);
  end loop;
end
$$;
