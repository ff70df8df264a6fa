-- tools.usage_count: how often a tool was started. Counted when a task ends, all its calls at once: at each start, every worker
-- would wait for the one row of a tool that all of them use.

create or replace function private.count_usage() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.completed_at is null or old.completed_at is not null or not new.usage ->> 'tool_calls' > '0' then
    return null;
  end if;
  -- In one order, so that two tasks that end together do not wait for each other.
  perform from public.tools t
  where t.id in (select e.tool_id from public.tool_executions e where e.task_id = new.id and e.started_at is not null)
  order by t.id
  for no key update;
  update public.tools t
  set usage_count = t.usage_count + c.calls
  from (
    select e.tool_id, count(*)::integer as calls
    from public.tool_executions e
    where e.task_id = new.id and e.started_at is not null
    group by e.tool_id
  ) c
  where t.id = c.tool_id;
  return null;
end
$$;
create or replace trigger count_usage
  after update on public.tasks for each row
  execute function private.count_usage();
