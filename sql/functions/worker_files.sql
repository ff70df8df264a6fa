-- Files that a run wrote, and the sweeping of those that expired. The bytes are stored before the row is written, and removed
-- before the row is, so that a row never promises bytes that are not there for long, and nothing is forgotten.

create or replace function private.workspace_files(p_task public.tasks) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- What the task recorded itself; for other paths, what its conversation had when it was first claimed, so that a later task
  -- goes on where the last one ended and tasks that run at the same time do not see each other's files.
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'id', f.id, 'task_id', f.task_id, 'filename', f.filename, 'kind', f.kind, 'file_path', f.file_path,
        'file_size', f.file_size, 'mime_type', f.mime_type, 'file_hash', f.file_hash, 'version', f.version,
        'is_executable', f.is_executable, 'link_target', f.link_target, 'is_stored', f.is_stored,
        'is_temporary', f.is_temporary
      ) order by f.filename
    ), '[]'
  )
  from (
    select distinct on (f.filename) f.*
    from public.files f
    where f.conversation_id = p_task.conversation_id
      and (f.expires_at is null or f.expires_at > now())
      and (f.task_id = p_task.id or f.created_at <= p_task.started_at)
    order by f.filename, f.task_id = p_task.id desc, f.created_at desc, f.version desc
  ) f
  where f.kind <> 'removed'
$$;
comment on function private.workspace_files(public.tasks) is 'The workspace of a task as its last recorded step left it.';

create or replace function private.add_files(p_task public.tasks, p_execution uuid, p_files jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(jsonb_array_length(p_files), 0) = 0 then
    return;
  end if;
  update public.files f
  set is_stored = true
  from jsonb_to_recordset(p_files) as p (file_path text, is_stored boolean)
  where f.task_id = p_task.id and f.file_path = p.file_path and not f.is_stored and coalesce(p.is_stored, true);

  -- The same again is no version: the answer to the first time was lost on its way.
  insert into public.files (
    conversation_id, task_id, filename, original_filename, kind, file_path, file_size, mime_type, file_hash, is_executable,
    link_target, is_stored, is_temporary, expires_at, execution_id, version
  )
  select
    p_task.conversation_id, p_task.id, p.filename, regexp_replace(p.filename, '^.*/', ''), coalesce(p.kind, 'file'),
    coalesce(p.file_path, ''), coalesce(p.file_size, 0), coalesce(p.mime_type, ''), p.file_hash, coalesce(p.is_executable, false),
    p.link_target, coalesce(p.is_stored, true), coalesce(p.is_temporary, false),
    case when p.is_temporary then now() + interval '1 day' end, p_execution, coalesce(last.version, 0) + 1
  from jsonb_to_recordset(p_files) as p (
    filename text, kind text, file_path text, file_size bigint, mime_type text, file_hash text, is_executable boolean,
    link_target text, is_stored boolean, is_temporary boolean
  )
  left join lateral (
    select f.* from public.files f where f.task_id = p_task.id and f.filename = p.filename order by f.version desc limit 1
  ) last on true
  where last.id is null or last.expires_at <= now()
    or (last.kind, coalesce(last.file_hash, last.file_path), last.is_executable, last.link_target)
      is distinct from (
        coalesce(p.kind, 'file'), coalesce(p.file_hash, p.file_path, ''), coalesce(p.is_executable, false), p.link_target
      );
end
$$;

create or replace function public.worker_add_files(p_task uuid, p_lease uuid, p_files jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform private.add_files(private.leased_task(p_task, p_lease), null, private.json(p_files));
end
$$;
comment on function public.worker_add_files(uuid, uuid, jsonb) is
  'Records what is at paths of the workspace now. p_files: array of {"filename", "kind" (file, folder, link, removed), "file_path", '
  '"file_size", "mime_type", "file_hash", "is_executable", "link_target", "is_stored", "is_temporary"}.';

create or replace function public.worker_expired_files(p_limit integer default 100) returns table (id uuid, file_path text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select
      f.id,
      -- Bytes that another row still needs stay.
      case
        when not exists (
          select from public.files o
          where o.file_path = f.file_path and o.id <> f.id and (o.expires_at is null or o.expires_at > now())
        ) then f.file_path
      end
    from public.files f
    where f.expires_at <= now()
    order by f.expires_at
    limit p_limit;
  if to_regclass('storage.objects') is not null then
    -- Uploads whose task was never submitted, and what a run stored and did not live to record. A run that is not over may
    -- record it yet.
    return query execute $q$
      select null::uuid, o.name from storage.objects o
      where o.bucket_id = 'agent-files' and o.created_at < now() - interval '1 day'
        and not exists (select from public.files f where f.file_path = o.name)
        and not exists (
          select from public.tasks t
          where t.id = case when split_part(o.name, '/', 2) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                            then split_part(o.name, '/', 2)::uuid end
            and t.status not in ('completed', 'failed', 'cancelled')
        )
      limit $1
    $q$ using p_limit;
  end if;
end
$$;

create or replace function public.worker_forget_files(p_files uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenants uuid[];
begin
  with forgotten as (
    delete from public.files f where f.id = any (p_files) and f.expires_at <= now() returning f.tenant_id
  )
  select array_agg(distinct f.tenant_id) into v_tenants from forgotten f;
  perform private.lock_audit_heads(v_tenants);
end
$$;
