-- How a run ends: it waits, it settles, or its worker gives it back.

create or replace function public.worker_suspend(p_task uuid, p_lease uuid, p_reason text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
begin
  if v_task.cancel_requested_at is not null then
    perform private.end_task(v_task, 'cancelled', null, null);
    return;
  end if;
  update public.tasks t
  set status = 'waiting', wait_reason = p_reason, lease_token = null, lease_expires_at = null, worker_id = null
  where t.id = p_task;
  -- The decision or the answer can have come while the worker was on its way here.
  if not private.still_waits(p_task, p_reason) then
    update public.tasks t set status = 'pending', wait_reason = null where t.id = p_task;
  end if;
end
$$;
comment on function public.worker_suspend(uuid, uuid, text) is 'Frees the slot while the task waits for an answer, approval, children.';

create or replace function private.still_waits(p_task uuid, p_reason text) returns boolean
language sql stable security definer set search_path = '' as $$
  select case p_reason
    when 'approval' then exists (
      select from public.tool_executions e where e.task_id = p_task and e.status = 'awaiting_approval'
    ) and not exists (
      select from public.tool_executions e where e.task_id = p_task and e.status = 'pending'
    )
    when 'answer' then not exists (
      select from public.messages m
      join public.tasks t on t.id = p_task and t.conversation_id = m.conversation_id
      where m.role = 'user' and (m.task_id = p_task or m.task_id is null)
        -- After the turn that asked: the answer may be here before the asking itself is recorded as done.
        and m.seq > coalesce((select max(a.seq) from public.messages a where a.task_id = p_task and a.role = 'assistant'), 0)
    )
    else true
  end
$$;

create or replace function public.worker_settle(
  p_task uuid, p_lease uuid, p_status text, p_result jsonb, p_error text
) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if p_status not in ('completed', 'failed', 'cancelled') then
    raise exception using errcode = 'AR005', message = format('a task cannot settle as %s', p_status);
  end if;
  perform private.end_task(private.leased_task(p_task, p_lease), p_status, p_result, p_error);
end
$$;
comment on function public.worker_settle(uuid, uuid, text, jsonb, text) is 'Ends a task; what was done so far is kept.';

create or replace function private.end_task(p_task public.tasks, p_status text, p_result jsonb, p_error text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update public.tasks t
  set status = p_status,
      result = coalesce(p_result, t.result),
      error_message = p_error,
      completed_at = clock_timestamp(),
      progress_percentage = case when p_status = 'completed' then 100 else t.progress_percentage end,
      current_phase = case when p_status = 'completed' then t.total_phases else t.current_phase end,
      run_after = null, wait_reason = null, lease_token = null, lease_expires_at = null, worker_id = null
  where t.id = p_task.id;
end
$$;

create or replace function public.worker_release(
  p_task uuid, p_lease uuid, p_delay_seconds double precision default 0, p_reason text default null
) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
begin
  if v_task.cancel_requested_at is not null then
    perform private.end_task(v_task, 'cancelled', null, null);
    return;
  end if;
  update public.tasks t
  set status = 'pending', lease_token = null, lease_expires_at = null, worker_id = null,
      run_after = case when p_delay_seconds > 0 then now() + make_interval(secs => p_delay_seconds) end
  where t.id = p_task;
  if p_reason is not null then
    perform private.append_event(p_task, 'task.notice', jsonb_build_object('text', p_reason));
  end if;
end
$$;
comment on function public.worker_release(uuid, uuid, double precision, text) is
  'Gives a task back without counting an attempt: on shutdown, or for later when the model server is away.';
