-- The roles of a cluster of our own, with the rights that they have on hosted Supabase.
-- Run by the cluster's superuser at each start of the embedded stack; running it again changes nothing.
-- Passwords are set apart from this file.
--
--   supabase_admin   superuser: sets up, nothing else (made by initdb)
--   postgres         owns the database and everything that our SQL makes; not a superuser
--   supabase_api     what the Supabase API logs in as; owns the schemas auth and storage, and nothing in public:
--                    at the first request after each start the API runs GRANT ALL ON ALL TABLES to anon and
--                    authenticated, and a grant by a role that owns nothing changes nothing
--   agent_worker     what a worker logs in as
--   anon, authenticated, service_role   what requests run as

do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role', 'postgres', 'supabase_api', 'agent_worker'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      execute format('create role %I', v_role);
    end if;
  end loop;
end
$$;

alter role anon with nologin noinherit nosuperuser;
alter role authenticated with nologin noinherit nosuperuser;
alter role service_role with nologin noinherit nosuperuser bypassrls;
alter role agent_worker with nosuperuser nobypassrls nocreatedb nocreaterole noreplication;
alter role supabase_api with login inherit nosuperuser nobypassrls nocreatedb nocreaterole noreplication;
alter role postgres with login nosuperuser createdb createrole replication bypassrls;

grant anon, authenticated, service_role to supabase_api;
grant anon, authenticated, service_role to postgres with admin option;
grant agent_worker to postgres with admin option;
-- For the trigger on auth.users and the policies on storage.objects.
grant supabase_api to postgres;
