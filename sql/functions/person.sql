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
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
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
  p_files := coalesce(private.json(p_files), '[]');
  p_limits := coalesce(private.json(p_limits), '{}');
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
language sql immutable set search_path = pg_catalog, pg_temp as $$
  -- Not \v, which is a letter v before Postgres 18.
  select coalesce(btrim(p_text, E' \t\r\n\f\x0b'), '')
$$;

create or replace function private.agent_named(p_name text) returns uuid
language plpgsql stable security invoker set search_path = pg_catalog, pg_temp as $$
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
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
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
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me uuid := (select private.me());
  v_task public.tasks;
begin
  select * into v_task
  from public.tasks t
  where t.id = p_task and t.user_id = v_me and t.tenant_id = any ((select private.my_tenants())::uuid[])
  for no key update;
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

create or replace function public.pause_task(p_task uuid) returns public.tasks
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  return private.ask_of_task(p_task, true);
end
$$;
comment on function public.pause_task(uuid) is 'Holds a task: at once, or when the call that runs has ended. resume_task lets it go on.';

create or replace function public.resume_task(p_task uuid) returns public.tasks
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  return private.ask_of_task(p_task, false);
end
$$;
comment on function public.resume_task(uuid) is 'Lets a paused task go on.';

create or replace function private.ask_of_task(p_task uuid, p_pause boolean) returns public.tasks
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
begin
  -- The triggers make the rest of it, as for cancel_task.
  update public.tasks t
  set pause_requested_at = case when p_pause then now() end
  where t.id = p_task
    and case
      when p_pause then t.status in ('pending', 'running', 'waiting') and t.pause_requested_at is null
      else t.pause_requested_at is not null and t.status in ('paused', 'running')
    end
  returning * into v_task;
  if found then
    return v_task;
  end if;
  select * into v_task from public.tasks t where t.id = p_task;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no task %s', p_task);
  elsif v_task.user_id is distinct from (select private.me()) or not (select private.can_write()) then
    raise exception using errcode = '42501', message = 'only the task''s owner can pause it and let it go on';
  elsif p_pause and v_task.pause_requested_at is not null and v_task.status in ('running', 'paused') then
    return v_task;
  end if;
  raise exception using
    errcode = 'AR003',
    message = case
      when p_pause then format('task %s is %s: there is nothing to pause', p_task, v_task.status)
      else format('task %s is %s: it is not paused', p_task, v_task.status)
    end;
end
$$;

create or replace function private.task_to_decide(p_execution uuid) returns public.tasks
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
begin
  perform private.require_person();
  -- The task first, as everywhere. Its owner decides, and the admins of its tenant.
  select t.* into v_task
  from public.tasks t
  join public.tool_executions e on e.task_id = t.id
  where e.id = p_execution
    and (
      (t.user_id = (select private.me()) and t.tenant_id = any ((select private.my_tenants())::uuid[]))
      or (t.tenant_id = (select private.my_tenant()) and (select private.is_admin()))
    )
  for no key update of t;
  if not found or not (select private.can_write()) then
    raise exception using errcode = 'AR002', message = format('there is no tool execution %s of yours', p_execution);
  end if;
  return v_task;
end
$$;

create or replace function public.decide_execution(
  p_execution uuid, p_approve boolean, p_reason text default null, p_arguments jsonb default null, p_digest text default null
) returns public.tool_executions
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me uuid := (select private.me());
  v_task public.tasks;
  v_execution public.tool_executions;
  v_needed integer;
  v_arguments jsonb := private.json(p_arguments);
begin
  if p_approve is null then
    raise exception using errcode = 'AR005', message = 'p_approve is true or false';
  elsif octet_length(p_reason) > 65536 then
    raise exception using
      errcode = 'AR006', message = format('limit reason_bytes reached: %s bytes, at most 65536 are taken', octet_length(p_reason));
  elsif v_arguments is not null and (not p_approve or jsonb_typeof(v_arguments) <> 'object') then
    raise exception using
      errcode = 'AR005', message = 'p_arguments is an object with the arguments to run instead, and goes with an approval';
  elsif octet_length(p_reason) > 65536 then
    raise exception using
      errcode = 'AR006', message = format('limit reason_bytes reached: %s bytes, at most 65536 are taken', octet_length(p_reason));
  end if;
  v_task := private.task_to_decide(p_execution);
  v_execution := private.execution_of(v_task.id, p_execution);
  if v_execution.status <> 'awaiting_approval' then
    raise exception using
      errcode = 'AR003', message = format('tool execution %s is %s: there is nothing to decide', p_execution, v_execution.status);
  elsif v_execution.approval_expires_at <= clock_timestamp() then
    raise exception using
      errcode = 'AR003', message = format('the time to decide about tool execution %s is over', p_execution);
  elsif p_digest is not null and p_digest <> v_execution.input_digest then
    raise exception using
      errcode = 'AR003', message = format('the arguments of tool execution %s were changed meanwhile: look at them again', p_execution);
  end if;

  -- The tool may ask for more by now than when the call was recorded; never for less.
  select greatest(v_execution.approvals_needed, private.approvals_for(t, v_task.agent_id)) into v_needed
  from public.tools t
  where t.id = v_execution.tool_id;
  if v_needed > v_execution.approvals_needed or v_arguments <> v_execution.input_parameters then
    -- Earlier approvals were of other arguments, and count no more.
    update public.tool_executions e
    set approvals_needed = v_needed,
        input_parameters = coalesce(v_arguments, e.input_parameters),
        original_parameters = case
          when v_arguments <> e.input_parameters then coalesce(e.original_parameters, e.input_parameters) else e.original_parameters
        end
    where e.id = p_execution
    returning * into v_execution;
  end if;
  insert into public.execution_decisions (execution_id, user_id, tenant_id, verdict, input_digest, reason)
  values (
    p_execution, v_me, v_task.tenant_id, case when p_approve then 'approved' else 'denied' end, v_execution.input_digest, p_reason
  )
  on conflict on constraint execution_decisions_once do nothing;
  if not found then
    raise exception using
      errcode = 'AR003',
      message = format('you approved tool execution %s already: it needs another person, too', p_execution);
  end if;
  if p_approve and private.approvals_given(p_execution, v_execution.input_digest) < v_execution.approvals_needed then
    return v_execution;
  end if;

  update public.tool_executions e
  set status = case when p_approve then 'pending' else 'denied' end,
      decided_by = v_me, decided_at = now(), decision_reason = p_reason,
      approval_expires_at = case when p_approve then now() + private.approval_time() else e.approval_expires_at end,
      completed_at = case when p_approve then null else now() end,
      error_message = case when p_approve then null else coalesce('Denied: ' || nullif(p_reason, ''), 'Denied.') end
  where e.id = p_execution
  returning * into v_execution;
  if not p_approve then
    perform private.tool_message(
      v_task, v_execution, null, coalesce('The person denied this call: ' || nullif(p_reason, ''), 'The person denied this call.'), 'denied'
    );
  end if;
  perform private.wake(v_task, array['approval']);
  return v_execution;
end
$$;
comment on function public.decide_execution(uuid, boolean, text, jsonb, text) is
  'The task''s owner, or an admin of the tenant, approves a call that waits or denies it with a reason. p_arguments: run these '
  'instead; p_digest: the input_digest of what the person saw, so that nobody approves what somebody else just changed. A tool with '
  'approvals_required = 2 needs two people.';

create or replace function public.settle_execution(p_execution uuid, p_happened boolean, p_result text default null)
returns public.tool_executions
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_execution public.tool_executions;
  v_told boolean;
  v_said text := nullif(private.trimmed(p_result), '');
begin
  if p_happened is null then
    raise exception using errcode = 'AR005', message = 'p_happened is true or false';
  elsif octet_length(p_result) > 65536 then
    raise exception using
      errcode = 'AR006', message = format('limit result_bytes reached: %s bytes, at most 65536 are taken', octet_length(p_result));
  end if;
  v_task := private.task_to_decide(p_execution);
  v_execution := private.execution_of(v_task.id, p_execution);
  if v_execution.status <> 'in_doubt' then
    raise exception using
      errcode = 'AR003', message = format('tool execution %s is %s: it is not in doubt', p_execution, v_execution.status);
  end if;
  -- Where nobody had to approve the call, the model was told of the doubt when it arose.
  v_told := v_execution.approvals_needed = 0;
  insert into public.execution_decisions (execution_id, user_id, tenant_id, verdict, input_digest, reason)
  values (
    p_execution, (select private.me()), v_task.tenant_id, case when p_happened then 'happened' else 'did_not_happen' end,
    v_execution.input_digest, p_result
  );
  update public.tool_executions e
  set status = case when p_happened then 'completed' else 'failed' end,
      output_result = coalesce(e.output_result, '{}')
        || jsonb_strip_nulls(jsonb_build_object('content', v_said, 'settled', case when p_happened then 'happened' else 'did not happen' end)),
      error_message = case when p_happened then null else 'it did not happen, a person found' end,
      completed_at = now()
  where e.id = p_execution
  returning * into v_execution;
  if v_task.status in ('pending', 'running', 'waiting', 'paused') then
    v_said := case when p_happened then 'it did take effect.' else 'it did not take effect.' end || coalesce(' ' || v_said, '');
    if v_told then
      perform private.add_message(
        v_task, 'user',
        format('About the call of %s in step %s that was in doubt: ', (select t.name from public.tools t where t.id = v_execution.tool_id),
               v_execution.step) || v_said,
        jsonb_build_object('settles', p_execution)
      );
    else
      perform private.tool_message(
        v_task, v_execution, null, 'The worker stopped while this call was running. A person looked: ' || v_said, v_execution.status
      );
    end if;
    perform private.wake(v_task, array['doubt']);
  end if;
  return v_execution;
end
$$;
comment on function public.settle_execution(uuid, boolean, text) is
  'The task''s owner, or an admin of the tenant, says of a call in doubt whether it happened, with its result, or not; the model hears it.';

create or replace function public.sync_tools(p_declarations jsonb) returns table (name text, change text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
    select from jsonb_to_recordset(private.json(p_declarations)) as d (tenant text)
    where d.tenant is not null and not exists (select from public.tenants o where o.slug = d.tenant)
  ) then
    raise exception using errcode = 'AR002', message = 'there is no tenant of that slug';
  end if;
  -- What the code says (schema, description, destination) follows the code; what an admin governs stays as it is. A tool whose row
  -- says itself what it does (implementation_code, config) is that row's in this too.
  return query
    with declared as (
      select * from jsonb_to_recordset(private.json(p_declarations)) as d (
        name text, display_name text, description text, category text, function_schema jsonb, implementation_type text,
        security_level text, retry_class text, taints boolean, outward boolean, destination text,
        timeout_seconds integer, output_limit_bytes integer, implementation_code text, config jsonb,
        requires_confirmation boolean, tenant text
      )
      left join lateral (select o.id as tenant_id from public.tenants o where o.slug = d.tenant) o on true
    ),
    changed as (
      update public.tools t
      set function_schema = d.function_schema, description = d.description, destination = d.destination,
          implementation_code = coalesce(d.implementation_code, t.implementation_code), config = coalesce(d.config, t.config),
          implementation_type = case
            when d.config is null and d.implementation_code is null then t.implementation_type else d.implementation_type
          end
      from declared d
      where t.name = d.name and t.tenant_id is not distinct from d.tenant_id
        and (t.function_schema, t.description, t.destination, t.implementation_code, t.config) is distinct from (
          d.function_schema, d.description, d.destination, coalesce(d.implementation_code, t.implementation_code),
          coalesce(d.config, t.config)
        )
      returning t.name::text
    ),
    added as (
      insert into public.tools (
        name, display_name, description, category, function_schema, implementation_type, is_enabled, security_level,
        retry_class, taints, outward, destination, timeout_seconds, output_limit_bytes, implementation_code, config,
        requires_confirmation, tenant_id
      )
      select d.name, d.display_name, d.description, d.category, d.function_schema, d.implementation_type, false,
             d.security_level, d.retry_class, d.taints, d.outward, d.destination, d.timeout_seconds, d.output_limit_bytes,
             d.implementation_code, coalesce(d.config, '{}'), coalesce(d.requires_confirmation, false), d.tenant_id
      from declared d
      on conflict on constraint tools_name_key do nothing
      returning tools.name::text
    )
    select c.name, 'updated' from changed c
    union all
    select a.name, 'added, disabled' from added a;
end
$$;
comment on function public.sync_tools(jsonb) is 'Registers tools that a folder or a file declares; a new one is disabled until an admin enables it.';
