-- How a run ends: it waits, it settles, or its worker gives it back. Each can be called again after a lost answer.

create or replace function public.worker_suspend(p_task uuid, p_lease uuid, p_reason text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_release text := p_lease || ' suspend ' || p_reason;
begin
  v_task := private.leased_task(p_task, p_lease, v_release);
  if v_task.id is null then
    return (select t.status::text from public.tasks t where t.id = p_task);
  end if;
  if p_reason is null or p_reason not in ('answer', 'approval', 'doubt', 'children', 'schedule', 'pause') then
    raise exception using errcode = 'AR005', message = format('a task cannot wait for %s', to_jsonb(left(p_reason, 100)));
  end if;
  if v_task.cancel_requested_at is not null then
    perform private.end_task(v_task, 'cancelled', null, null, v_release);
    return 'cancelled';
  end if;
  if p_reason = 'pause' or not private.still_waits(v_task, p_reason) then
    -- The decision or the answer can have come while the worker was on its way here. A pause that was asked for, and not
    -- taken back meanwhile, turns this into 'paused' (triggers/state.sql).
    update public.tasks t
    set status = 'pending', last_release = v_release, lease_token = null, lease_expires_at = null, worker_id = null
    where t.id = p_task
    returning * into v_task;
  else
    update public.tasks t
    set status = 'waiting', wait_reason = p_reason,
        run_after = case when p_reason = 'children' then private.children_deadline(p_task) end, last_release = v_release, lease_token = null, lease_expires_at = null,
        worker_id = null
    where t.id = p_task
    returning * into v_task;
  end if;
  return v_task.status::text;
end
$$;
comment on function public.worker_suspend(uuid, uuid, text) is
  'Frees the slot while the task waits for an answer, approval, a doubt to be settled, children, or is paused. Returns its status.';

create or replace function private.still_waits(p_task public.tasks, p_reason text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case p_reason
    when 'approval' then exists (
      select from public.tool_executions e where e.task_id = p_task.id and e.status = 'awaiting_approval'
    ) and not exists (
      select from public.tool_executions e where e.task_id = p_task.id and e.status = 'pending'
    )
    when 'doubt' then exists (
      select from public.tool_executions e where e.task_id = p_task.id and e.status = 'in_doubt' and e.approvals_needed > 0
    )
    when 'answer' then not exists (
      select from public.messages m
      where m.conversation_id = p_task.conversation_id and m.role = 'user' and (m.task_id = p_task.id or m.task_id is null)
        and not m.metadata ? 'settles'  -- that a doubt was settled answers nothing
        -- What the turn that asked had not seen: the answer may be here before the asking itself is recorded as done.
        and m.seq > coalesce((
          select coalesce((a.metadata ->> 'seen_seq')::bigint, a.seq)
          from public.messages a
          where a.task_id = p_task.id and a.role = 'assistant'
          order by a.seq desc
          limit 1
        ), 0)
    )
    when 'children' then private.waits_for_children(p_task.id)
    else true
  end
$$;

create or replace function public.worker_settle(
  p_task uuid, p_lease uuid, p_status text, p_result jsonb, p_error text
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_release text := p_lease || ' settle ' || p_status;
begin
  if p_status is null or p_status not in ('completed', 'failed', 'cancelled') then
    raise exception using errcode = 'AR005', message = format('a task cannot settle as %s', p_status);
  end if;
  v_task := private.leased_task(p_task, p_lease, v_release);
  if v_task.id is null then
    return true;
  end if;
  if p_status = 'completed' and private.has_unseen_message(v_task) then
    return false;
  end if;
  perform private.end_task(v_task, p_status, private.json(p_result), p_error, v_release);
  return true;
end
$$;
comment on function public.worker_settle(uuid, uuid, text, jsonb, text) is
  'Ends a task; what was done so far is kept. False, and nothing changed, when a person wrote something that the model has not seen '
  'before it completed.';

create or replace function private.end_task(
  p_task public.tasks, p_status text, p_result jsonb, p_error text, p_release text default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.tasks t
  set status = p_status,
      result = coalesce(p_result, t.result),
      error_message = p_error,
      completed_at = clock_timestamp(),
      progress_percentage = case when p_status = 'completed' then 100 else t.progress_percentage end,
      current_phase = case when p_status = 'completed' then t.total_phases else t.current_phase end,
      run_after = null, wait_reason = null, last_release = p_release, lease_token = null, lease_expires_at = null,
      worker_id = null
  where t.id = p_task.id;
end
$$;

create or replace function public.worker_release(
  p_task uuid, p_lease uuid, p_delay_seconds double precision default 0, p_reason text default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_release text := p_lease || ' release';
begin
  v_task := private.leased_task(p_task, p_lease, v_release);
  if v_task.id is null then
    return;
  end if;
  if v_task.cancel_requested_at is not null then
    perform private.end_task(v_task, 'cancelled', null, null, v_release);
    return;
  end if;
  update public.tasks t
  set status = 'pending', last_release = v_release, lease_token = null, lease_expires_at = null, worker_id = null,
      retries = case when p_delay_seconds > 0 then t.retries + 1 else t.retries end,
      run_after = case when p_delay_seconds > 0 then now() + make_interval(secs => p_delay_seconds) end
  where t.id = p_task;
  if p_reason is not null then
    perform private.append_event(
      p_task, v_task.conversation_id, v_task.tenant_id, 'task.notice', jsonb_build_object('text', p_reason)
    );
  end if;
end
$$;
comment on function public.worker_release(uuid, uuid, double precision, text) is
  'Gives a task back without counting an attempt: on shutdown, or for later when a service is away.';
