-- The state machine, as arrows that triggers hold against everybody, and the rule that only the runtime's own functions (and an
-- admin at psql) walk them. What a client may do to a task is to ask: for its end, for a pause, and to go on.
--
--   pending ──claim──▶ running ──settle──▶ completed | failed | cancelled
--      ▲                 │  └─ suspend ─▶ waiting ── answer, decision ──▶ pending
--      └── reap, release ┘  └─ pause ───▶ paused ── resume ──▶ pending

create or replace function private.guard_task() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_owner constant boolean := private.acts_as_owner(tg_relid);
begin
  if tg_op = 'INSERT' then
    if not v_owner and (
      new.status <> 'pending' or new.lease_token is not null or new.worker_id is not null or new.attempts <> 0
      or new.result is not null or new.started_at is not null or new.completed_at is not null or new.usage <> '{}'
      or new.plan <> '[]' or new.tainted or new.taint_sources <> '[]' or new.cancel_requested_at is not null or new.current_phase <> 1
      or new.total_phases <> 1 or new.pause_requested_at is not null or new.progress_percentage <> 0 or new.error_message is not null
      or new.claimed_at is not null or new.active_seconds <> 0 or new.retries <> 0 or new.last_release is not null
      or new.spawn_id is not null or new.spawn_item is not null or new.result_schema is not null
    ) then
      raise exception using errcode = '42501', message = 'a task begins as pending, with nothing done yet';
    end if;
    if not v_owner then
      -- Its age is its place in the queue; how many workers it may kill is not its owner's to raise.
      new.created_at := now();
      new.max_attempts := least(new.max_attempts, 5);
    end if;
    return new;
  end if;

  if not v_owner then
    if to_jsonb(old) - array['cancel_requested_at', 'pause_requested_at', 'title', 'updated_at', 'search']
       is distinct from to_jsonb(new) - array['cancel_requested_at', 'pause_requested_at', 'title', 'updated_at', 'search'] then
      raise exception using errcode = '42501', message = 'the state of a task is changed by the runtime''s functions alone';
    end if;
    if old.cancel_requested_at is not null then
      new.cancel_requested_at := old.cancel_requested_at;
    elsif new.cancel_requested_at is not null then
      new.cancel_requested_at := now();
    end if;
    if new.pause_requested_at is not null then
      new.pause_requested_at := coalesce(old.pause_requested_at, now());
    end if;
  end if;

  -- Nobody runs it, so nobody else could end it or stop it.
  if new.cancel_requested_at is not null and old.cancel_requested_at is null
     and new.status in ('pending', 'waiting', 'paused') then
    new.status := 'cancelled';
    new.completed_at := now();
    new.run_after := null;
    new.wait_reason := null;
  elsif new.pause_requested_at is not null and new.status in ('pending', 'waiting')
        and (old.pause_requested_at is null or old.status = 'running') then
    new.status := 'paused';
    new.wait_reason := null;
    if old.status = 'waiting' then
      new.run_after := null;  -- until when it would have waited
    end if;
  elsif new.pause_requested_at is null and old.status = 'paused' and new.status = 'paused' then
    -- What it waited for, if anything, the next run finds out again.
    new.status := 'pending';
  end if;

  if new.status = 'running' and old.status <> 'running' then
    new.claimed_at := clock_timestamp();
  elsif old.status = 'running' and new.status <> 'running' then
    -- A dead worker's time counts as long as its lease did.
    new.active_seconds := old.active_seconds
      + greatest(0, extract(epoch from least(clock_timestamp(), old.lease_expires_at) - old.claimed_at));
    new.claimed_at := null;
  end if;

  if new.status is distinct from old.status and not (
    case old.status
      when 'pending' then new.status in ('running', 'paused', 'cancelled', 'failed')
      when 'running' then new.status in ('pending', 'waiting', 'paused', 'completed', 'failed', 'cancelled')
      when 'waiting' then new.status in ('pending', 'paused', 'cancelled', 'failed')
      when 'paused' then new.status in ('pending', 'cancelled', 'failed')
      else false
    end
  ) then
    raise exception using
      errcode = 'AR003', message = format('task %s cannot go from %s to %s', old.id, old.status, new.status);
  end if;
  return new;
end
$$;
create or replace trigger guard_task before insert or update on public.tasks for each row execute function private.guard_task();

create or replace function private.guard_execution() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if not private.acts_as_owner(tg_relid) then
    raise exception using errcode = '42501', message = 'tool executions are written by the runtime''s functions alone';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if tg_op = 'INSERT' then
    -- record_intent has just read the tool, the agent and what they need.
    if new.status in ('running', 'pending') and new.approvals_needed > 0 then
      raise exception using errcode = 'AR004', message = format('tool execution %s has not been approved', new.id);
    end if;
    return new;
  end if;
  if new.status = 'running' and (
    old.status in ('pending', 'awaiting_approval')
    or (old.status = 'running' and new.started_at is distinct from old.started_at)
  ) then
    new := private.permit_start(new, old.status);
  end if;
  if new.status is distinct from old.status and not (
    case old.status
      when 'pending' then new.status in ('running', 'awaiting_approval', 'failed', 'cancelled')
      when 'awaiting_approval' then new.status in ('pending', 'denied', 'cancelled')
      when 'running' then new.status in ('completed', 'failed', 'in_doubt', 'cancelled')
      when 'in_doubt' then new.status in ('completed', 'failed', 'cancelled')
      else false
    end
  ) then
    raise exception using
      errcode = 'AR003', message = format('tool execution %s cannot go from %s to %s', old.id, old.status, new.status);
  end if;
  -- What was approved, or is running, is what was asked for; only a person who decides can change what waits.
  if new.input_parameters is distinct from old.input_parameters and not (
    old.status = 'awaiting_approval' or (old.status = 'pending' and old.decided_at is null)
  ) then
    raise exception using errcode = 'AR003', message = format('the arguments of execution %s cannot change', old.id);
  end if;
  if new.approvals_needed < old.approvals_needed or (old.gate is not null and new.gate is null) or (old.approval_used_at is not null and new.approval_used_at is null) then
    raise exception using errcode = 'AR003', message = format('what execution %s needs cannot be made less', old.id);
  end if;
  return new;
end
$$;

-- The capability: a call that needs approval starts only if so many people approved these very arguments, in time, and once.
-- It reads the decisions themselves, not what a column says of them, so it holds against everybody who can update the row. So does
-- the outward gate (functions/taint.sql).
create or replace function private.permit_start(p_execution public.tool_executions, p_from text)
returns public.tool_executions
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_tool public.tools;
  v_needed integer;
begin
  select * into v_task from public.tasks t where t.id = p_execution.task_id;
  select * into v_tool from public.tools t where t.id = p_execution.tool_id;
  if not v_tool.is_enabled then
    raise exception using errcode = 'AR003', message = format('tool %s is disabled', v_tool.name);
  end if;
  v_needed := greatest(p_execution.approvals_needed, private.approvals_for(v_tool, v_task.agent_id));
  p_execution.status := p_from;
  if v_needed = 0 and private.gate_at_start(v_task, v_tool, p_execution) is not null then
    v_needed := v_tool.approvals_required;
  end if;
  p_execution.status := 'running';
  if v_needed = 0 and p_from is distinct from 'awaiting_approval' then
    return p_execution;
  end if;
  if p_from = 'awaiting_approval'
     or private.approvals_given(p_execution.id, private.digest(p_execution.input_parameters)) < v_needed then
    raise exception using
      errcode = 'AR004', message = format('tool execution %s of %s has not been approved', p_execution.id, v_tool.name);
  elsif p_from = 'running' then
    return p_execution;  -- what a crash cut short goes on by the approval that it began with
  elsif p_execution.approval_used_at is not null then
    raise exception using
      errcode = 'AR004', message = format('the approval of tool execution %s was used already', p_execution.id);
  elsif p_execution.approval_expires_at <= clock_timestamp() then
    raise exception using
      errcode = 'AR004', message = format('the approval of tool execution %s of %s has expired', p_execution.id, v_tool.name);
  end if;
  p_execution.approval_used_at := clock_timestamp();
  return p_execution;
end
$$;
create or replace trigger guard_execution
  before insert or update or delete on public.tool_executions for each row execute function private.guard_execution();

-- A decision is made by decide_execution and settle_execution, which know who asks. Whoever else can write the table, the
-- service key included, would only have to make up a person.
create or replace function private.guard_decision() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if not private.acts_as_owner(tg_relid) then
    raise exception using errcode = '42501', message = 'decisions are written by the runtime''s functions alone';
  end if;
  perform private.require_person();
  select e.tenant_id into new.tenant_id from public.tool_executions e where e.id = new.execution_id;
  if new.user_id is not null and not private.is_of_tenant(new.user_id, new.tenant_id) then
    raise exception using errcode = 'AR002', message = format('there is no member %s', new.user_id);
  end if;
  return new;
end
$$;
create or replace trigger guard_decision
  before insert on public.execution_decisions for each row execute function private.guard_decision();

-- An ended task has no open execution. One that is in doubt stays so: that nobody knows is the truth, until a person says more.
create or replace function private.close_executions() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.completed_at is null or old.completed_at is not null or new.usage = '{}' then
    return null;
  end if;
  update public.tool_executions e
  set status = 'cancelled', completed_at = clock_timestamp()
  where e.task_id = new.id and e.status in ('pending', 'awaiting_approval', 'running');
  return null;
end
$$;
create or replace trigger close_executions
  after update on public.tasks for each row
  execute function private.close_executions();
