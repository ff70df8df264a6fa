-- Who is asking. Policies call these as (select private.me()), so that they run once per query and not once per row.
-- They read public.users, not token claims: a deactivated or demoted user is one at once.

create or replace function private.me() returns uuid
language sql stable security definer set search_path = '' as $$
  select u.id from public.users u where u.id = auth.uid() and u.is_active
$$;
comment on function private.me() is 'The signed-in, active user; null for everybody else.';

create or replace function private.my_tenant() returns uuid
language sql stable security definer set search_path = '' as $$
  select u.tenant_id from public.users u where u.id = auth.uid() and u.is_active
$$;

create or replace function private.is_admin() returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from public.users u where u.id = auth.uid() and u.is_active and u.role = 'admin')
$$;
comment on function private.is_admin() is 'Admin of the own tenant. What belongs to the platform is changed by SQL scripts alone.';

create or replace function private.can_write() returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from public.users u where u.id = auth.uid() and u.is_active and u.role in ('admin', 'user'))
$$;
comment on function private.can_write() is 'A viewer reads what is shared with it and changes nothing.';

-- Security invoker on purpose: it asks about the caller. Inside a security definer function of ours the caller is the owner.
-- The guards ask at every write, so whoever installs this is named in it, and the catalog is asked about others alone.
do $do$
begin
  execute format(
    $f$
      create or replace function private.acts_as_owner(p_table oid) returns boolean
      language plpgsql stable set search_path = '' as $$
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
