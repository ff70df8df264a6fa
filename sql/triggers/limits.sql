-- Limits that hold whatever the client: each names itself in the error.

create or replace function private.limit_file_size() returns trigger
language plpgsql security definer set search_path = '' as $$
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
