-- Files that a run wrote, and the sweeping of those that expired. The bytes are stored before the row is written, and removed
-- before the row is, so that a row never promises bytes that are not there for long, and nothing is forgotten.

create or replace function private.add_files(p_task public.tasks, p_execution uuid, p_files jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.files (
    conversation_id, task_id, filename, original_filename, file_path, file_size, mime_type, file_hash, is_temporary, expires_at,
    execution_id, version
  )
  select
    p_task.conversation_id, p_task.id, f.filename, regexp_replace(f.filename, '^.*/', ''), f.file_path, f.file_size, f.mime_type,
    f.file_hash, coalesce(f.is_temporary, false), case when f.is_temporary then now() + interval '1 day' end, p_execution,
    coalesce(f.version, 1)
  from jsonb_to_recordset(p_files) as f (
    filename text, file_path text, file_size bigint, mime_type text, file_hash text, is_temporary boolean, version integer
  )
  on conflict on constraint files_path_is_one_file do nothing;
end
$$;

create or replace function public.worker_add_files(p_task uuid, p_lease uuid, p_files jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_files(private.leased_task(p_task, p_lease), null, private.json(p_files));
end
$$;
comment on function public.worker_add_files(uuid, uuid, jsonb) is
  'Records files whose bytes are stored. p_files: array of {"filename", "file_path", "file_size", "mime_type", "file_hash", '
  '"is_temporary", "version"}.';

create or replace function public.worker_expired_files(p_limit integer default 100) returns table (id uuid, file_path text)
language plpgsql stable security definer set search_path = '' as $$
begin
  return query
    select f.id, f.file_path from public.files f
    where f.expires_at <= now()
    order by f.expires_at
    limit p_limit;
  if to_regclass('storage.objects') is not null then
    -- Uploads whose task was never submitted.
    return query execute $q$
      select null::uuid, o.name from storage.objects o
      where o.bucket_id = 'agent-files' and o.created_at < now() - interval '1 day'
        and not exists (select from public.files f where f.file_path = o.name)
      limit $1
    $q$ using p_limit;
  end if;
end
$$;

create or replace function public.worker_forget_files(p_files uuid[]) returns void
language sql security definer set search_path = '' as $$
  delete from public.files f where f.id = any (p_files) and f.expires_at <= now()
$$;
