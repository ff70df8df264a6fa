-- The bytes of files, in Supabase Storage's private bucket agent-files: what a person uploads at {tenant}/{task}/{filename},
-- what a run makes at {tenant}/{task}/.sha256/{sha256}. Where there is no Storage (a plain Postgres), there is nothing to
-- protect here.

create or replace function private.may_upload(p_name text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task text := split_part(p_name, '/', 2);
begin
  -- Bytes go up before their task is submitted, so the task may not be there yet; if it is, it must be one's own.
  return private.can_write()
    -- At home, too: a conversation there goes on while one works elsewhere.
    and split_part(p_name, '/', 1) = any (private.my_tenants()::text[])
    and v_task ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    -- Whatever begins with a dot is the worker's: what is at .sha256/ has to have that sha256.
    and split_part(p_name, '/', 3) <> '' and not starts_with(split_part(p_name, '/', 3), '.')
    and not exists (select from public.tasks t where t.id = v_task::uuid and t.user_id is distinct from private.me());
end
$$;
revoke all on function private.may_upload(text) from public, anon, authenticated, service_role, agent_worker;
grant execute on function private.may_upload(text) to authenticated, service_role;

-- A signed URL is good until it expires, whatever becomes of the right to read; so none is made but by the secret key. Storage
-- says what it is doing in storage.operation, hosted and embedded alike: storage.object.sign, .sign_many, .sign_upload_url. One
-- that says nothing is refused everything. To set it in SQL of one's own opens nothing: bytes come from Storage alone.
create or replace function private.signs_nothing() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(nullif(pg_catalog.current_setting('storage.operation', true), '') not like '%sign%', false)
$$;
comment on function private.signs_nothing() is 'Whether Storage asks for something else than a signed URL.';
revoke all on function private.signs_nothing() from public, anon, authenticated, service_role, agent_worker;
grant execute on function private.signs_nothing() to authenticated, service_role;

-- Storage's own set-up grants TRUNCATE on its tables to everybody, which no policy is asked about, and SQL that a tool runs for
-- its person could call.
create or replace function private.refuse_truncate() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = '42501', message = format('nobody truncates %s', tg_table_name);
end
$$;
revoke all on function private.refuse_truncate() from public, anon, authenticated, service_role, agent_worker;

do $storage$
begin
  if to_regclass('storage.objects') is null then
    return;
  end if;
  drop policy if exists "agent-files: people can read files they can see" on storage.objects;
  create policy "agent-files: people can read files they can see" on storage.objects
    for select to authenticated
    using (
      bucket_id = 'agent-files'
      and (
        exists (select from public.files f where f.file_path = name)
        or (owner_id = (select private.me())::text and private.may_upload(name))
      )
    );
  drop policy if exists "agent-files: people can upload for their own tasks" on storage.objects;
  create policy "agent-files: people can upload for their own tasks" on storage.objects
    for insert to authenticated
    with check (bucket_id = 'agent-files' and private.may_upload(name));
  drop policy if exists "agent-files: nobody signs a URL to read" on storage.objects;
  create policy "agent-files: nobody signs a URL to read" on storage.objects as restrictive
    for select to authenticated
    using (bucket_id <> 'agent-files' or (select private.signs_nothing()));
  drop policy if exists "agent-files: nobody signs a URL to upload" on storage.objects;
  create policy "agent-files: nobody signs a URL to upload" on storage.objects as restrictive
    for insert to authenticated
    with check (bucket_id <> 'agent-files' or (select private.signs_nothing()));
  -- Where whoever installs may not, Supabase keeps its tables itself.
  if pg_catalog.has_table_privilege('storage.objects', 'TRIGGER') then
    create or replace trigger agent_runtime_no_truncate
      before truncate on storage.objects for each statement execute function private.refuse_truncate();
  end if;
end
$storage$;
