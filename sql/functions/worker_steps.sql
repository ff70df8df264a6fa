-- One step of a run: the turn with the intents of its calls, then each call's start and finish.
-- Every function is fenced by the lease, atomic, and answers the same when it is called again after a lost connection.

create or replace function public.worker_context(p_task uuid, p_lease uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_agent public.agents;
begin
  select * into v_agent from public.agents a where a.id = v_task.agent_id;
  return jsonb_build_object(
    'task', to_jsonb(v_task),
    'agent', to_jsonb(v_agent) || jsonb_build_object(
      'model_name',
      case when v_agent.model_name = 'default' then private.config('default_model') #>> '{}' else v_agent.model_name end
    ),
    'tools', (
      select coalesce(jsonb_agg(to_jsonb(t) - 'usage_count' - 'created_at' - 'updated_at' order by t.name), '[]')
      from public.tools t
      where t.is_enabled
        and (t.tenant_id is null or t.tenant_id = v_task.tenant_id)
        and (t.category = 'control' or t.name = any (v_agent.tools_enabled))
    ),
    'messages', (
      select coalesce(jsonb_agg(to_jsonb(m) - 'tenant_id' order by m.seq), '[]')
      from public.messages m
      where m.conversation_id = v_task.conversation_id
    ),
    'executions', (
      select coalesce(
        jsonb_agg(
          to_jsonb(e) - 'tenant_id' || jsonb_build_object('tool_name', t.name, 'retry_class', t.retry_class)
          order by e.step, e.call_index
        ), '[]'
      )
      from public.tool_executions e
      join public.tools t on t.id = e.tool_id
      where e.task_id = v_task.id
    ),
    'files', private.workspace_files(v_task),
    'config', (select coalesce(jsonb_object_agg(c.config_key, c.config_value), '{}') from public.system_config c)
  );
end
$$;
comment on function public.worker_context(uuid, uuid) is 'Everything that a run is rebuilt from: nothing of it is kept by a worker.';

create or replace function public.worker_new_messages(p_task uuid, p_lease uuid, p_after bigint) returns setof public.messages
language plpgsql stable security definer set search_path = '' as $$
declare
  v_conversation uuid;
begin
  -- Only read, so nothing is locked; the write that follows is fenced.
  select t.conversation_id into v_conversation from public.tasks t where t.id = p_task and t.lease_token = p_lease;
  if not found then
    raise exception using errcode = 'AR001', message = format('the lease on task %s is lost', p_task);
  end if;
  return query
    select * from public.messages m where m.conversation_id = v_conversation and m.seq > p_after order by m.seq;
end
$$;
comment on function public.worker_new_messages(uuid, uuid, bigint) is 'What a person wrote while the agent worked.';

create or replace function public.worker_record_turn(
  p_task uuid, p_lease uuid, p_step integer, p_content text, p_calls jsonb, p_metadata jsonb, p_usage jsonb
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_steps integer := coalesce((v_task.usage ->> 'steps')::integer, 0);
  v_message uuid;
  v_call record;
begin
  if p_step = v_steps and p_step > 0 then
    -- Recorded already: the answer was lost on its way. Say again what was recorded.
    select m.id into v_message
    from public.messages m
    where m.task_id = p_task and m.role = 'assistant' and (m.metadata ->> 'step')::integer = p_step;
    return private.turn_record(v_message);
  elsif p_step is distinct from v_steps + 1 then
    raise exception using
      errcode = 'AR003', message = format('step %s cannot be recorded after step %s of task %s', p_step, v_steps, p_task);
  end if;

  v_message := private.add_message(
    v_task, 'assistant', p_content, p_metadata || jsonb_build_object('step', p_step),
    case when jsonb_array_length(p_calls) > 0 then p_calls end
  );
  for v_call in select c.value, (c.ordinality - 1)::integer as call_index from jsonb_array_elements(p_calls) with ordinality c loop
    perform private.record_intent(v_task, v_message, p_step, v_call.call_index, v_call.value);
  end loop;
  update public.tasks t
  set usage = private.bump_usage(t.usage, p_usage || jsonb_build_object('steps', 1))
  where t.id = p_task;
  return private.turn_record(v_message);
end
$$;
comment on function public.worker_record_turn(uuid, uuid, integer, text, jsonb, jsonb, jsonb) is
  'Writes the model''s answer, its usage and the intent of each of its calls. p_calls: array of {"id", "name", "arguments"}. '
  'Calls of tools that are unknown, disabled or not the agent''s are refused here, with a tool message that says why.';

create or replace function private.record_intent(
  p_task public.tasks, p_message uuid, p_step integer, p_call_index integer, p_call jsonb
) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_name text := p_call ->> 'name';
  v_tool public.tools;
  v_granted text[] := (select a.tools_enabled from public.agents a where a.id = p_task.agent_id);
  v_refusal text;
  v_execution uuid;
  v_arguments jsonb := coalesce(p_call -> 'arguments', '{}');
begin
  select * into v_tool from public.tools t where t.name = v_name and (t.tenant_id is null or t.tenant_id = p_task.tenant_id);
  if not found then
    v_refusal := format('There is no tool named %s.', to_jsonb(left(v_name, 100)));
  elsif not v_tool.is_enabled then
    v_refusal := format('The tool %s is disabled by an administrator.', v_name);
  elsif v_tool.category <> 'control' and not v_name = any (v_granted) then
    v_refusal := format('The tool %s is not among this agent''s tools.', v_name);
  end if;

  if v_tool.id is not null then
    insert into public.tool_executions (
      task_id, tool_id, message_id, input_parameters, status, started_at, completed_at, tool_call_id, step, call_index,
      error_message
    )
    values (
      p_task.id, v_tool.id, p_message, v_arguments,
      case
        when v_refusal is not null then 'denied'
        when private.tool_needs_approval(v_tool) then 'awaiting_approval'
        else 'pending'
      end,
      null, case when v_refusal is not null then now() end, p_call ->> 'id', p_step, p_call_index, v_refusal
    )
    returning id into v_execution;
  end if;
  if v_refusal is not null then
    perform private.add_message(
      p_task, 'tool', v_refusal,
      jsonb_build_object('tool', v_name, 'step', p_step, 'call_index', p_call_index, 'execution_id', v_execution, 'status', 'denied'),
      null, p_call ->> 'id'
    );
  end if;
end
$$;

create or replace function private.turn_record(p_message uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'message', to_jsonb(m) - 'tenant_id',
    'refusals', (
      select coalesce(jsonb_agg(to_jsonb(r) - 'tenant_id' order by r.seq), '[]')
      from public.messages r
      where r.conversation_id = m.conversation_id and r.seq > m.seq and r.role = 'tool' and r.task_id = m.task_id
        and r.metadata ->> 'step' = m.metadata ->> 'step' and r.metadata ->> 'status' = 'denied'
    ),
    'executions', (
      select coalesce(
        jsonb_agg(
          to_jsonb(e) - 'tenant_id' || jsonb_build_object('tool_name', t.name, 'retry_class', t.retry_class) order by e.call_index
        ), '[]'
      )
      from public.tool_executions e
      join public.tools t on t.id = e.tool_id
      where e.message_id = m.id
    )
  )
  from public.messages m
  where m.id = p_message
$$;

create or replace function public.worker_start_execution(p_task uuid, p_lease uuid, p_execution uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_execution public.tool_executions := private.execution_of(p_task, p_execution);
  v_tool public.tools;
begin
  if v_task.cancel_requested_at is not null then
    raise exception using errcode = 'AR003', message = format('task %s is being cancelled', p_task);
  end if;
  select * into v_tool from public.tools t where t.id = v_execution.tool_id;
  if v_execution.status = 'running' and v_tool.retry_class = 'unsafe' then
    raise exception using
      errcode = 'AR003',
      message = format('execution %s of unsafe tool %s was left running; it is in doubt and never runs again', p_execution, v_tool.name);
  end if;
  update public.tool_executions e
  set status = 'running', started_at = clock_timestamp()
  where e.id = p_execution;
  update public.tasks t
  set usage = private.bump_usage(t.usage, jsonb_build_object('tool_calls', 1)),
      tainted = t.tainted or v_tool.taints
  where t.id = p_task;
end
$$;
comment on function public.worker_start_execution(uuid, uuid, uuid) is
  'Marks a call running, before its effect. A call that a crash left running starts again only if its tool is not unsafe.';

create or replace function public.worker_finish_execution(
  p_task uuid, p_lease uuid, p_execution uuid, p_status text, p_content text, p_output jsonb, p_error text,
  p_execution_time_ms integer, p_effect jsonb default null, p_files jsonb default '[]'
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_execution public.tool_executions := private.execution_of(p_task, p_execution);
  v_tool_name text := (select t.name from public.tools t where t.id = v_execution.tool_id);
begin
  if p_status not in ('completed', 'failed', 'in_doubt') then
    raise exception using errcode = 'AR005', message = format('an execution cannot finish as %s', p_status);
  end if;
  if v_execution.status = p_status then
    return private.result_record(p_task, p_execution);  -- recorded already: the answer was lost on its way
  end if;

  update public.tool_executions e
  set status = p_status,
      output_result = p_output || jsonb_build_object('effect', p_effect),
      error_message = p_error,
      execution_time_ms = p_execution_time_ms,
      completed_at = case when p_status <> 'in_doubt' then clock_timestamp() end
  where e.id = p_execution;
  perform private.add_message(
    v_task, 'tool', p_content,
    jsonb_build_object(
      'tool', v_tool_name, 'execution_id', p_execution, 'step', v_execution.step, 'call_index', v_execution.call_index,
      'status', p_status
    ),
    null, v_execution.tool_call_id
  );
  perform private.add_files(v_task, p_execution, p_files);
  if p_effect is not null and p_status = 'completed' then
    perform private.apply_effect(v_task, p_effect);
  end if;
  return private.result_record(p_task, p_execution);
end
$$;
comment on function public.worker_finish_execution(uuid, uuid, uuid, text, text, jsonb, text, integer, jsonb, jsonb) is
  'Records a call''s result, the message that the model reads, the files it wrote and what it did to the task, all at once.';

create or replace function private.result_record(p_task uuid, p_execution uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'message', (
      select to_jsonb(m) - 'tenant_id' from public.messages m
      where m.task_id = p_task and m.role = 'tool' and m.metadata ->> 'execution_id' = p_execution::text
    ),
    'execution', (
      select to_jsonb(e) - 'tenant_id' || jsonb_build_object('tool_name', t.name, 'retry_class', t.retry_class)
      from public.tool_executions e
      join public.tools t on t.id = e.tool_id
      where e.id = p_execution
    ),
    'task', (select to_jsonb(t) from public.tasks t where t.id = p_task)
  )
$$;

create or replace function private.apply_effect(p_task public.tasks, p_effect jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_phases integer;
begin
  case p_effect ->> 'kind'
    when 'plan_set' then
      v_phases := case when jsonb_typeof(p_effect -> 'phases') = 'array' then jsonb_array_length(p_effect -> 'phases') else 0 end;
      if v_phases not between 1 and 50 then
        raise exception using errcode = 'AR005', message = 'a plan has 1 to 50 phases';
      end if;
      update public.tasks t
      set plan = (select jsonb_agg(jsonb_build_object('title', p.value) order by p.ordinality)
                  from jsonb_array_elements(p_effect -> 'phases') with ordinality p),
          current_phase = 1, total_phases = v_phases, progress_percentage = 0
      where t.id = p_task.id;
    when 'plan_advance' then
      -- 100 is for a completed task alone.
      update public.tasks t
      set current_phase = least(t.current_phase + 1, t.total_phases),
          progress_percentage = least(99, 100 * t.current_phase / t.total_phases)
      where t.id = p_task.id;
    when 'notify' then
      perform private.append_event(p_task.id, 'task.notice', jsonb_build_object('text', p_effect ->> 'text'));
    else
      null;  -- ask and complete are the loop's to act on: worker_suspend and worker_settle
  end case;
end
$$;
