-- What a person does. Security invoker: row-level security and the triggers decide, exactly as for a direct write.

create or replace function public.submit_task(
  p_prompt text,
  p_agent text default null,
  p_priority integer default 1,
  p_title text default null,
  p_conversation uuid default null,
  p_task uuid default null,
  p_files jsonb default '[]',
  p_limits jsonb default '{}',
  p_run_after timestamptz default null,
  p_idempotency_key text default null
) returns public.tasks
language plpgsql security invoker set search_path = '' as $$
declare
  v_me uuid := (select private.me());
  v_agent uuid;
  v_conversation uuid := p_conversation;
  v_title text := left(private.trimmed(coalesce(nullif(private.trimmed(p_title), ''), split_part(private.trimmed(p_prompt), E'\n', 1))), 255);
  v_task public.tasks;
begin
  if v_me is null then
    raise exception using errcode = '42501', message = 'sign in to submit a task';
  end if;
  if private.trimmed(p_prompt) = '' then
    raise exception using errcode = 'AR005', message = 'the prompt is empty: say what the agent should do';
  end if;
  if octet_length(p_prompt) > 262144 then
    raise exception using
      errcode = 'AR006',
      message = format('limit prompt_bytes reached: the prompt has %s bytes, at most 262144 are taken; put long text into a file',
                       octet_length(p_prompt));
  end if;
  -- The embedded API hands JSON arguments over as strings that hold the JSON.
  if jsonb_typeof(p_files) = 'string' then
    p_files := (p_files #>> '{}')::jsonb;
  end if;
  if jsonb_typeof(p_limits) = 'string' then
    p_limits := (p_limits #>> '{}')::jsonb;
  end if;
  if p_priority is null or p_priority not between 1 and 5 then
    raise exception using errcode = 'AR005', message = format('priority %s is not between 1 and 5', p_priority);
  end if;
  if p_idempotency_key is not null then
    select * into v_task from public.tasks t where t.user_id = v_me and t.idempotency_key = p_idempotency_key;
    if found then
      return v_task;
    end if;
  end if;

  if v_conversation is null then
    v_agent := private.agent_named(p_agent);
  else
    select c.agent_id into v_agent from public.conversations c where c.id = v_conversation and c.user_id = v_me;
    if not found then
      raise exception using errcode = 'AR002', message = format('there is no conversation %s of yours', v_conversation);
    end if;
    if p_agent is not null then
      v_agent := private.agent_named(p_agent);
    end if;
  end if;

  begin
    if v_conversation is null then
      insert into public.conversations (title, user_id, agent_id) values (v_title, v_me, v_agent) returning id into v_conversation;
    end if;
    insert into public.tasks (id, conversation_id, agent_id, title, description, priority, limits, run_after, idempotency_key)
    values (
      coalesce(p_task, gen_random_uuid()), v_conversation, v_agent, v_title, p_prompt, p_priority, p_limits,
      case when p_run_after > now() then p_run_after end,
      p_idempotency_key
    )
    returning * into v_task;
  exception when unique_violation then
    -- The same key at the same moment: one of the two submitted it, and the other's conversation is undone with its task.
    select * into v_task from public.tasks t where t.user_id = v_me and t.idempotency_key = p_idempotency_key;
    if found then
      return v_task;
    end if;
    raise exception using errcode = 'AR005', message = format('task id %s is taken: leave it out', p_task);
  end;
  insert into public.files (
    conversation_id, task_id, filename, original_filename, file_path, file_size, mime_type, file_hash, uploaded_by
  )
  select v_conversation, v_task.id, f.filename, coalesce(f.original_filename, f.filename), f.file_path, f.file_size, f.mime_type,
         f.file_hash, v_me
  from jsonb_to_recordset(p_files) as f (
    filename text, original_filename text, file_path text, file_size bigint, mime_type text, file_hash text
  );
  insert into public.messages (conversation_id, task_id, role, content, metadata)
  values (
    v_conversation, v_task.id, 'user', p_prompt,
    case when jsonb_array_length(p_files) = 0 then '{}' else jsonb_build_object('files', (
      select jsonb_agg(jsonb_build_object('filename', f.filename, 'file_size', f.file_size, 'mime_type', f.mime_type))
      from jsonb_to_recordset(p_files) as f (filename text, file_size bigint, mime_type text)
    )) end
  );
  return v_task;
end
$$;
comment on function public.submit_task(text, text, integer, text, uuid, uuid, jsonb, jsonb, timestamptz, text) is
  'Files a task for the signed-in person. Files are uploaded first, to {tenant}/{p_task}/…, and named in p_files: array of '
  '{"filename", "original_filename", "file_path", "file_size", "mime_type", "file_hash"}. The same p_idempotency_key gives the same task.';

create or replace function private.trimmed(p_text text) returns text
language sql immutable set search_path = '' as $$
  select coalesce(btrim(p_text, E' \t\r\n\f\v'), '')
$$;

create or replace function private.agent_named(p_name text) returns uuid
language plpgsql stable security invoker set search_path = '' as $$
declare
  v_agent uuid;
  v_names text;
begin
  -- One's own first, then the tenant's, then the catalogue's; with no name, the catalogue's oldest.
  select a.id into v_agent
  from public.agents a
  where a.is_active and case when p_name is null then a.tenant_id is null else a.name = p_name or a.id::text = p_name end
  order by a.created_by is not distinct from (select private.me()) desc, a.tenant_id is null, a.created_at, a.name
  limit 1;
  if v_agent is null then
    -- In the message, since not every API hands a hint on.
    select left(string_agg(a.name, ', ' order by a.name), 500) into v_names from public.agents a where a.is_active;
    raise exception using
      errcode = 'AR002',
      message = case
        when p_name is null then 'there is no agent to run the task'
        else format('there is no agent named %s; there are: %s', to_jsonb(left(p_name, 100)), v_names)
      end;
  end if;
  return v_agent;
end
$$;

create or replace function public.cancel_task(p_task uuid) returns public.tasks
language plpgsql security invoker set search_path = '' as $$
declare
  v_task public.tasks;
begin
  -- The triggers make the rest of it: who may, and that a running task ends through its worker.
  update public.tasks t
  set cancel_requested_at = now()
  where t.id = p_task and t.status in ('pending', 'running', 'waiting', 'paused')
  returning * into v_task;
  if found then
    return v_task;
  end if;
  select * into v_task from public.tasks t where t.id = p_task;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no task %s', p_task);
  elsif v_task.status in ('completed', 'failed', 'cancelled') then
    raise exception using errcode = 'AR003', message = format('task %s is %s already', p_task, v_task.status);
  end if;
  raise exception using errcode = '42501', message = 'only the task''s owner can cancel it';
end
$$;
comment on function public.cancel_task(uuid) is 'Ends a task that nobody runs at once; asks the worker to stop one that runs.';

create or replace function public.answer_task(p_task uuid, p_answer text) returns public.tasks
language plpgsql security definer set search_path = '' as $$
declare
  v_me uuid := (select private.me());
  v_task public.tasks;
begin
  select * into v_task from public.tasks t where t.id = p_task and t.user_id = v_me for no key update;
  if not found or not (select private.can_write()) then
    raise exception using errcode = 'AR002', message = format('there is no task %s of yours', p_task);
  end if;
  if v_task.status not in ('pending', 'running', 'waiting', 'paused') then
    raise exception using errcode = 'AR003', message = format('task %s is %s already', p_task, v_task.status);
  end if;
  if private.trimmed(p_answer) = '' then
    raise exception using errcode = 'AR005', message = 'the answer is empty';
  end if;
  if octet_length(p_answer) > 262144 then
    raise exception using
      errcode = 'AR006',
      message = format('limit prompt_bytes reached: the answer has %s bytes, at most 262144 are taken', octet_length(p_answer));
  end if;
  perform private.add_message(v_task, 'user', p_answer, '{}');
  if v_task.status = 'waiting' and v_task.wait_reason = 'answer' then
    update public.tasks t set status = 'pending', wait_reason = null where t.id = p_task returning * into v_task;
  end if;
  return v_task;
end
$$;
comment on function public.answer_task(uuid, text) is
  'Gives the agent a message; a task that waited for an answer goes on. Security definer, since it moves the state; it lets '
  'only the task''s owner do so.';

create or replace function public.decide_execution(p_execution uuid, p_approve boolean, p_reason text default null)
returns public.tool_executions
language plpgsql security definer set search_path = '' as $$
declare
  v_me uuid := (select private.me());
  v_task public.tasks;
  v_execution public.tool_executions;
begin
  if p_approve is null then
    raise exception using errcode = 'AR005', message = 'p_approve is true or false';
  end if;
  -- The task first, as everywhere.
  select t.* into v_task
  from public.tasks t
  join public.tool_executions e on e.task_id = t.id
  where e.id = p_execution and t.user_id = v_me
  for no key update of t;
  if not found or not (select private.can_write()) then
    raise exception using errcode = 'AR002', message = format('there is no tool execution %s of yours', p_execution);
  end if;
  v_execution := private.execution_of(v_task.id, p_execution);
  if v_execution.status <> 'awaiting_approval' then
    raise exception using
      errcode = 'AR003', message = format('tool execution %s is %s: there is nothing to decide', p_execution, v_execution.status);
  end if;
  update public.tool_executions e
  set status = case when p_approve then 'pending' else 'denied' end,
      decided_by = v_me, decided_at = now(), decision_reason = p_reason,
      completed_at = case when p_approve then null else now() end,
      error_message = case when p_approve then null else coalesce('Denied: ' || nullif(p_reason, ''), 'Denied.') end
  where e.id = p_execution
  returning * into v_execution;
  if not p_approve then
    perform private.add_message(
      v_task, 'tool', coalesce('The person denied this call: ' || nullif(p_reason, ''), 'The person denied this call.'),
      jsonb_build_object(
        'tool', (select t.name from public.tools t where t.id = v_execution.tool_id), 'execution_id', p_execution,
        'step', v_execution.step, 'call_index', v_execution.call_index, 'status', 'denied'
      ),
      null, v_execution.tool_call_id
    );
  end if;
  if v_task.status = 'waiting' and v_task.wait_reason = 'approval' then
    update public.tasks t set status = 'pending', wait_reason = null where t.id = v_task.id;
  end if;
  return v_execution;
end
$$;
comment on function public.decide_execution(uuid, boolean, text) is 'The task''s owner approves a call that waits, or denies it with a reason.';

create or replace function public.runtime_status() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'workers', (
      select count(*) from public.workers w where w.stopped_at is null and w.heartbeat_at > now() - interval '1 minute'
    ),
    'my_pending', (select count(*) from public.tasks t where t.user_id = private.me() and t.status = 'pending'),
    'schema_version', (select max(v.version) from private.schema_version v)
  )
$$;
comment on function public.runtime_status() is 'Whether anybody works, for a screen that must say why nothing moves.';

create or replace function public.sync_tools(p_declarations jsonb) returns table (name text, change text)
language plpgsql security definer set search_path = '' as $$
begin
  -- What the code says (schema, description) follows the code; what an admin governs stays as it is.
  return query
    with declared as (
      select * from jsonb_to_recordset(p_declarations) as d (
        name text, display_name text, description text, category text, function_schema jsonb, implementation_type text,
        security_level text, retry_class text, taints boolean, outward boolean, timeout_seconds integer,
        output_limit_bytes integer
      )
    ),
    changed as (
      update public.tools t
      set function_schema = d.function_schema, description = d.description
      from declared d
      where t.name = d.name and t.tenant_id is null
        and (t.function_schema is distinct from d.function_schema or t.description is distinct from d.description)
      returning t.name::text
    ),
    added as (
      insert into public.tools (
        name, display_name, description, category, function_schema, implementation_type, is_enabled, security_level,
        retry_class, taints, outward, timeout_seconds, output_limit_bytes
      )
      select d.name, d.display_name, d.description, d.category, d.function_schema, d.implementation_type, false,
             d.security_level, d.retry_class, d.taints, d.outward, d.timeout_seconds, d.output_limit_bytes
      from declared d
      on conflict on constraint tools_name_key do nothing
      returning tools.name::text
    )
    select c.name, 'updated' from changed c
    union all
    select a.name, 'added, disabled' from added a;
end
$$;
comment on function public.sync_tools(jsonb) is 'Registers tools that a folder declares; a new one is disabled until an admin enables it.';
