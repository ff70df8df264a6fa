-- tools.usage_count: how often a tool was started.

create or replace function private.count_usage() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.tools t set usage_count = t.usage_count + 1 where t.id = new.tool_id;
  return null;
end
$$;
create or replace trigger count_usage
  after update on public.tool_executions for each row
  when (new.status = 'running' and old.status <> 'running') execute function private.count_usage();
