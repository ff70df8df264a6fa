-- What the web UI's server asks while somebody watches a task: the timelines, and nothing else. Who may see which task it asks
-- the REST API with the person's own token, before it asks here; these two functions know no person.

create or replace function public.web_read_events(p_tasks uuid[], p_after bigint[], p_limit integer)
returns table (id bigint, task_id uuid, kind text, payload jsonb, created_at timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select e.id, e.task_id, e.kind::text, e.payload, e.created_at
    from unnest(p_tasks, p_after) as w (task_id, after)
    cross join lateral (
      select t.*
      from public.task_events t
      where t.task_id = w.task_id and t.id > coalesce(w.after, 0)
      order by t.id
      limit least(greatest(p_limit, 1), 1000)
    ) e
    order by e.id;
end
$$;
comment on function public.web_read_events(uuid[], bigint[], integer) is
  'The events of each task after the id that stands beside it, at most p_limit (1000) of each, oldest first: for servers of live streams.';

create or replace function public.web_last_event(p_task uuid) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select coalesce((select max(e.id) from public.task_events e where e.task_id = t.id), 0)
    from public.tasks t
    where t.id = p_task
  );
end
$$;
comment on function public.web_last_event(uuid) is
  'The id of the task''s last event, 0 where it has none; null when there is no such task: for servers of live streams.';
