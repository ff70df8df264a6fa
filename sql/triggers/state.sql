-- The state machine, as arrows that triggers hold against everybody, and the rule that only the runtime's own functions (and an
-- admin at psql) walk them. The one thing that a client may do to a task is to ask for its end.
--
--   pending ──claim──▶ running ──settle──▶ completed | failed | cancelled
--      ▲                 │  └─ suspend ─▶ waiting ── answer, decision ──▶ pending
--      └── reap, release ┘  └─ pause ───▶ paused ── resume ──▶ pending

create or replace function private.guard_task() returns trigger
language plpgsql security invoker set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    if not private.acts_as_owner(tg_relid) and (
      new.status <> 'pending' or new.lease_token is not null or new.worker_id is not null or new.attempts <> 0
      or new.result is not null or new.started_at is not null or new.completed_at is not null or new.usage <> '{}'
      or new.plan <> '[]' or new.tainted or new.cancel_requested_at is not null or new.current_phase <> 1
      or new.total_phases <> 1 or new.pause_requested_at is not null or new.progress_percentage <> 0 or new.error_message is not null
    ) then
      raise exception using errcode = '42501', message = 'a task begins as pending, with nothing done yet';
    end if;
    if not private.acts_as_owner(tg_relid) then
      -- Its age is its place in the queue; how many workers it may kill is not its owner's to raise.
      new.created_at := now();
      new.max_attempts := least(new.max_attempts, 5);
    end if;
    return new;
  end if;

  if not private.acts_as_owner(tg_relid) then
    if to_jsonb(old) - array['cancel_requested_at', 'title', 'updated_at']
       is distinct from to_jsonb(new) - array['cancel_requested_at', 'title', 'updated_at'] then
      raise exception using errcode = '42501', message = 'the state of a task is changed by the runtime''s functions alone';
    end if;
    if old.cancel_requested_at is not null then
      new.cancel_requested_at := old.cancel_requested_at;
    elsif new.cancel_requested_at is not null then
      new.cancel_requested_at := now();
    end if;
  end if;

  -- Nobody runs it, so nobody else could end it.
  if new.cancel_requested_at is not null and old.cancel_requested_at is null
     and new.status in ('pending', 'waiting', 'paused') then
    new.status := 'cancelled';
    new.completed_at := now();
    new.run_after := null;
    new.wait_reason := null;
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
language plpgsql security invoker set search_path = '' as $$
declare
  v_tool public.tools;
begin
  if not private.acts_as_owner(tg_relid) then
    raise exception using errcode = '42501', message = 'tool executions are written by the runtime''s functions alone';
  end if;
  if tg_op = 'INSERT' then
    return new;
  end if;
  if new.status = 'running' and old.status in ('pending', 'awaiting_approval', 'running') then
    select * into v_tool from public.tools t where t.id = new.tool_id;
    if not v_tool.is_enabled then
      raise exception using errcode = 'AR003', message = format('tool %s is disabled', v_tool.name);
    end if;
    if old.status = 'awaiting_approval' or (private.tool_needs_approval(v_tool) and new.decided_at is null) then
      raise exception using
        errcode = 'AR004', message = format('tool execution %s of %s has not been approved', new.id, v_tool.name);
    end if;
  end if;
  if new.status is distinct from old.status and not (
    case old.status
      when 'pending' then new.status in ('running', 'failed', 'cancelled')
      when 'awaiting_approval' then new.status in ('pending', 'denied', 'cancelled')
      when 'running' then new.status in ('completed', 'failed', 'in_doubt', 'cancelled')
      when 'in_doubt' then new.status in ('completed', 'failed', 'cancelled')
      else false
    end
  ) then
    raise exception using
      errcode = 'AR003', message = format('tool execution %s cannot go from %s to %s', old.id, old.status, new.status);
  end if;
  -- What was approved, or is running, is what was asked for. The digest is set after this trigger, so the arguments are compared.
  if new.input_parameters is distinct from old.input_parameters and (old.status <> 'pending' or old.decided_at is not null) then
    raise exception using errcode = 'AR003', message = format('the arguments of execution %s cannot change', old.id);
  end if;
  return new;
end
$$;
create or replace trigger guard_execution
  before insert or update on public.tool_executions for each row execute function private.guard_execution();

-- An ended task has no open execution. One that is in doubt stays so: that nobody knows is the truth, until a person says more.
create or replace function private.close_executions() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.tool_executions e
  set status = 'cancelled', completed_at = clock_timestamp()
  where e.task_id = new.id and e.status in ('pending', 'awaiting_approval', 'running');
  return null;
end
$$;
create or replace trigger close_executions
  after update on public.tasks for each row
  when (new.completed_at is not null and old.completed_at is null)
  execute function private.close_executions();
