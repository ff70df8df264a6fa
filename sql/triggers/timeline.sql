-- The timeline: an event for each change of a task or an execution, each message and each file. Events name rows; what is in
-- them is read from the rows themselves, under their own policies.

create or replace function private.tell_task() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    perform private.append_event(
      new.id, new.conversation_id, new.tenant_id, 'task.created', jsonb_build_object('status', new.status, 'title', new.title, 'priority', new.priority)
    );
    return null;
  end if;
  if new.status is distinct from old.status then
    perform private.append_event(
      new.id, new.conversation_id, new.tenant_id, 'task.status',
      jsonb_strip_nulls(jsonb_build_object(
        'status', new.status, 'previous', old.status, 'wait_reason', new.wait_reason, 'worker_id', new.worker_id,
        'attempts', new.attempts, 'error_message', new.error_message,
        -- Of one that waits it is until when it waits.
        'run_after', case when new.status <> 'waiting' then new.run_after end
      ))
    );
  end if;
  if (new.plan, new.current_phase, new.progress_percentage) is distinct from (old.plan, old.current_phase, old.progress_percentage) then
    perform private.append_event(
      new.id, new.conversation_id, new.tenant_id, 'task.plan',
      jsonb_build_object(
        'plan', new.plan, 'current_phase', new.current_phase, 'total_phases', new.total_phases,
        'progress_percentage', new.progress_percentage
      )
    );
  end if;
  if new.status = 'running' and old.status = 'running' then
    if new.cancel_requested_at is not null and old.cancel_requested_at is null then
      perform private.append_event(
        new.id, new.conversation_id, new.tenant_id, 'task.control', jsonb_build_object('request', 'cancel')
      );
    elsif (new.pause_requested_at is null) <> (old.pause_requested_at is null) then
      perform private.append_event(
        new.id, new.conversation_id, new.tenant_id, 'task.control',
        jsonb_build_object('request', case when new.pause_requested_at is null then 'resume' else 'pause' end)
      );
    end if;
  end if;
  return null;
end
$$;
create or replace trigger tell_task_created
  after insert on public.tasks for each row execute function private.tell_task();
create or replace trigger tell_task_changed
  after update on public.tasks for each row execute function private.tell_task();

create or replace function private.tell_execution() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_conversation uuid;
  v_tool text;
begin
  select t.conversation_id, o.name::text into v_conversation, v_tool
  from public.tasks t, public.tools o
  where t.id = new.task_id and t.tenant_id = new.tenant_id and o.id = new.tool_id
    and (o.tenant_id is null or o.tenant_id = new.tenant_id);
  if not found then
    raise exception using errcode = 'AR002', message = format('task %s has no such tool', new.task_id);
  end if;
  perform private.append_event(
    new.task_id, v_conversation, new.tenant_id, 'execution.status',
    jsonb_strip_nulls(jsonb_build_object(
      'execution_id', new.id, 'tool', v_tool, 'status', new.status,
      'step', new.step, 'call_index', new.call_index, 'execution_time_ms', new.execution_time_ms,
      'error_message', left(new.error_message, 500), 'approvals_needed', nullif(new.approvals_needed, 0),
      'gated', case when new.status = 'awaiting_approval' and new.gate is not null then true end
    ))
  );
  return null;
end
$$;
create or replace trigger tell_execution_created
  after insert on public.tool_executions for each row execute function private.tell_execution();
create or replace trigger tell_execution_changed
  after update on public.tool_executions for each row
  when (new.status is distinct from old.status) execute function private.tell_execution();

create or replace function private.tell_message() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform private.append_event(
    new.task_id, new.conversation_id, new.tenant_id, 'message.created',
    jsonb_strip_nulls(jsonb_build_object(
      'message_id', new.id, 'seq', new.seq, 'role', new.role,
      -- A person's metadata is the person's to write, and may hold anything.
      'step', case when new.role <> 'user' then new.metadata -> 'step' end
    ))
  );
  return null;
end
$$;
create or replace trigger tell_message
  after insert on public.messages for each row when (new.task_id is not null) execute function private.tell_message();

create or replace function private.tell_file() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform private.append_event(
    new.task_id, new.conversation_id, new.tenant_id, case when new.kind = 'removed' then 'file.removed' else 'file.created' end,
    jsonb_strip_nulls(jsonb_build_object(
      'file_id', new.id, 'filename', new.filename, 'version', new.version, 'file_size', new.file_size,
      'execution_id', new.execution_id
    ))
  );
  return null;
end
$$;
create or replace trigger tell_file
  after insert on public.files for each row when (new.task_id is not null and new.kind in ('file', 'removed'))
  execute function private.tell_file();

create or replace function private.tell_decision() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
begin
  select t.* into v_task
  from public.tasks t
  join public.tool_executions e on e.task_id = t.id
  where e.id = new.execution_id;
  perform private.append_event(
    v_task.id, v_task.conversation_id, v_task.tenant_id, 'execution.decision',
    jsonb_strip_nulls(jsonb_build_object(
      'execution_id', new.execution_id, 'verdict', new.verdict, 'user_id', new.user_id, 'reason', left(new.reason, 500)
    ))
  );
  return null;
end
$$;
create or replace trigger tell_decision
  after insert on public.execution_decisions for each row execute function private.tell_decision();
