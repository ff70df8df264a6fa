-- Tasks as a list shows them. security_invoker: the caller's own policies decide which rows there are. What is looked up for each row
-- is looked up after the list was cut to its length, and so is no join.

create or replace view public.task_overview with (security_invoker = true) as
select
  t.id,
  t.title,
  t.status,
  t.wait_reason,
  t.priority,
  t.agent_id,
  (select a.name from public.agents a where a.id = t.agent_id) as agent_name,
  t.user_id,
  private.owner_name(t.conversation_id) as owner_name,
  t.user_id = (select private.me()) as is_mine,
  t.conversation_id,
  t.tenant_id,
  t.created_at,
  t.started_at,
  t.completed_at,
  -- Since when it is what it is now: nothing writes to one that waits.
  case
    when t.completed_at is not null then t.completed_at
    when t.status = 'running' then t.claimed_at
    when t.status = 'pending' then t.created_at
    else t.updated_at
  end as age_from,
  t.run_after,
  t.cancel_requested_at,
  t.pause_requested_at,
  coalesce((t.usage ->> 'steps')::integer, 0) as current_step,
  t.current_phase,
  t.total_phases,
  t.progress_percentage,
  t.plan -> (t.current_phase - 1) ->> 'title' as phase_title,
  t.error_message,
  (
    select count(*) from public.tool_executions e where e.task_id = t.id and e.status = 'awaiting_approval'
  ) as approvals_waiting,
  (select count(*) from public.current_files f where f.task_id = t.id) as files_count,
  t.parent_task_id,
  t.spawn_item,
  (
    select count(distinct concat(c.spawn_id, c.spawn_item))
    from public.tasks c
    where c.parent_task_id = t.id and c.spawn_id is not null
  ) as children_count,
  (
    select count(distinct concat(c.spawn_id, c.spawn_item))
    from public.tasks c
    where c.parent_task_id = t.id and c.spawn_id is not null and c.status = 'completed'
  ) as children_completed,
  (
    select count(*)
    from public.tasks c
    where c.parent_task_id = t.id and c.spawn_id is not null and c.wait_reason in ('answer', 'approval', 'doubt')
  ) as children_waiting
from public.tasks t;
comment on column public.task_overview.children_count is 'Items of its calls of spawn_tasks; children_completed: those with a result; children_waiting: tasks of '
  'these that wait for a person.';
comment on column public.task_overview.age_from is 'Age counts from here: since when the task is in its status.';
