-- Limits that hold whatever the client: each names itself in the error.

create or replace function private.limit_file_size() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_limit bigint := private.config_number('file_upload_max_size', 104857600);
begin
  if new.file_size > v_limit then
    raise exception using
      errcode = 'AR006',
      message = format('limit file_upload_max_size reached: %s has %s bytes, at most %s are taken', new.filename, new.file_size, v_limit);
  end if;
  return new;
end
$$;
create or replace trigger check_limits
  before insert or update of limits on public.tasks for each row execute function private.check_limits();
create or replace trigger check_limits
  before insert or update of configuration on public.agents for each row execute function private.check_limits();
create or replace trigger check_limits
  before insert or update of settings on public.tenants for each row execute function private.check_limits();
create or replace trigger limit_file_size
  before insert on public.files for each row execute function private.limit_file_size();

create or replace function private.limit_workspace_size() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_limit bigint := private.config_number('workspace_max_size', 1073741824);
  v_over record;
begin
  select s.task_id, s.size_bytes into v_over
  from (
    select c.task_id, sum(c.file_size) as size_bytes
    from (
      select distinct on (f.task_id, f.filename) f.task_id, f.file_size
      from public.files f
      where f.task_id in (select a.task_id from added a where a.kind = 'file')
        and (f.expires_at is null or f.expires_at > now())
      order by f.task_id, f.filename, f.version desc
    ) c
    group by c.task_id
  ) s
  where s.size_bytes > v_limit
  limit 1;
  if found then
    raise exception using
      errcode = 'AR006',
      message = format('limit workspace_max_size reached: the files of task %s have %s bytes, at most %s are kept',
                       v_over.task_id, v_over.size_bytes, v_limit);
  end if;
  return null;
end
$$;
create or replace trigger limit_workspace_size
  after insert on public.files referencing new table as added
  for each statement execute function private.limit_workspace_size();
