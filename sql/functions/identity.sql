-- Who is asking. Policies call these as (select private.me()), so that they run once per query and not once per row.
-- They read public.users, not token claims: a deactivated or demoted user is one at once.
--
-- They cost each query that anybody asks: plpgsql keeps its plans for the session, where a function in SQL is planned anew.

create or replace function private.claimed() returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_user uuid;
begin
  -- SQL that a tool runs can set the claims, but not what is in private.acting.
  if pg_catalog.pg_current_xact_id_if_assigned() is not null then
    select a.user_id into v_user from private.acting a where a.xid = pg_catalog.pg_current_xact_id_if_assigned();
  end if;
  -- As auth.uid() has it, which is a function in SQL.
  return coalesce(
    v_user,
    coalesce(
      nullif(current_setting('request.jwt.claim.sub', true), ''),
      nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
  );
end
$$;
comment on function private.claimed() is 'Whose token it is, or for whom a tool runs SQL; whether active or not, and whether there is such a user or not.';

create or replace function private.me() returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select u.id from public.users u where u.id = private.claimed() and u.is_active);
end
$$;
comment on function private.me() is 'The signed-in, active user; null for everybody else.';

create or replace function private.my_tenant() returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select u.tenant_id from public.users u where u.id = private.claimed() and u.is_active);
end
$$;
comment on function private.my_tenant() is 'Where the person works now.';

create or replace function private.my_tenants() returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select array[u.tenant_id, u.home_tenant_id] from public.users u where u.id = private.claimed() and u.is_active);
end
$$;
comment on function private.my_tenants() is 'Where the person works now, and home: what is one''s own in these is there, and in no other.';

create or replace function private.me_by_hint() returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me uuid;
begin
  select u.id into v_me from public.users u where u.id = private.claimed() and u.is_active and u.owner_hints;
  return v_me;
end
$$;
comment on function private.me_by_hint() is
  'As me(), for who has all that was ever theirs: there owner_id is believed (triggers/owner_hints.sql). Null for everybody else.';

create or replace function private.is_admin() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (select from public.users u where u.id = private.claimed() and u.is_active and u.role = 'admin');
end
$$;
comment on function private.is_admin() is 'Admin of the own tenant. What belongs to the platform is the operators''.';

create or replace function private.is_operator() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (select from public.users u where u.id = private.claimed() and u.is_active and u.is_operator);
end
$$;
comment on function private.is_operator() is 'Whether the person may change what belongs to the platform. The owner''s SQL alone makes somebody one.';

create or replace function private.my_tenant_as_admin() returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select u.tenant_id from public.users u where u.id = private.claimed() and u.is_active and u.role = 'admin');
end
$$;
comment on function private.my_tenant_as_admin() is 'The tenant of which the person is an admin; null for everybody else.';

create or replace function private.can_write() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (select from public.users u where u.id = private.claimed() and u.is_active and u.role in ('admin', 'user'));
end
$$;
comment on function private.can_write() is 'A viewer reads what is shared with it and changes nothing.';

-- Security invoker on purpose: it asks about the caller. Inside a security definer function of ours the caller is the owner.
-- The guards ask at every write, so whoever installs this is named in it, and the catalog is asked about others alone.
do $do$
begin
  execute format(
    $f$
      create or replace function private.acts_as_owner(p_table oid) returns boolean
      language plpgsql stable set search_path = pg_catalog, pg_temp as $$
      begin
        if current_user = %L then
          return true;
        end if;
        return (select pg_catalog.pg_has_role(current_user, c.relowner, 'MEMBER') from pg_catalog.pg_class c where c.oid = p_table);
      end
      $$
    $f$, current_user
  );
end
$do$;
comment on function private.acts_as_owner(oid) is
  'True inside the runtime''s own functions and for an admin at psql; false for every API client, service_role included.';
