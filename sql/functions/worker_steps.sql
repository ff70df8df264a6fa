-- One step of a run: the turn with the intents of its calls, then each call's start and finish.
-- Every function is fenced by the lease, atomic, and answers the same when it is called again after a lost connection.
--
-- An ordinary step is two transactions: the first call that may be repeated is started with the turn that asked for it, and a
-- call's finish starts the next one. A call that must not be repeated (`unsafe`) has a start of its own, right before its
-- effect: so one that a crash kept from starting is told from one that is in doubt, and simply runs.

create or replace function public.worker_context(p_task uuid, p_lease uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_agent public.agents;
begin
  -- Only read, so nothing is locked; the writes that follow are fenced.
  select * into v_task from public.tasks t where t.id = p_task and t.status = 'running' and t.lease_token = p_lease;
  if not found then
    raise exception using errcode = 'AR001', message = format('the lease on task %s is lost', p_task);
  end if;
  select * into v_agent from public.agents a where a.id = v_task.agent_id;
  return jsonb_build_object(
    'task', to_jsonb(v_task) - '{search,taint_sources}'::text[] || jsonb_build_object('tainted', private.is_tainted(v_task)),
    'agent', to_jsonb(v_agent) || jsonb_build_object(
      'model_name',
      case when v_agent.model_name = 'default' then private.config('default_model') #>> '{}' else v_agent.model_name end
    ),
    'limits', private.limits_of(v_task),
    'allow_hosts', (select coalesce(t.settings -> 'allow_hosts', '[]') from public.tenants t where t.id = v_task.tenant_id),
    'tools', (
      select coalesce(jsonb_agg(to_jsonb(t) - 'usage_count' - 'created_at' - 'updated_at' order by t.name), '[]')
      from public.tools t
      where t.is_enabled
        and (t.tenant_id is null or t.tenant_id = v_task.tenant_id)
        and (t.category = 'control' or t.name = any (v_agent.tools_enabled) or t.id = private.trial_tool(p_task))
        and (t.category <> 'delegate' or private.may_spawn(v_task))
    ),
    'messages', private.messages_after(v_task.conversation_id, 0),
    'executions', (
      select coalesce(jsonb_agg(private.execution_record(e, t) order by e.step, e.call_index), '[]')
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

create or replace function private.execution_record(p_execution public.tool_executions, p_tool public.tools) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return pg_catalog.to_jsonb(p_execution) - 'tenant_id'
    || pg_catalog.jsonb_build_object('tool_name', p_tool.name, 'retry_class', p_tool.retry_class);
end
$$;

create or replace function public.worker_record_turn(
  p_task uuid, p_lease uuid, p_step integer, p_content text, p_calls jsonb, p_metadata jsonb, p_usage jsonb,
  p_seen bigint default null, p_start boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_steps integer := coalesce((v_task.usage ->> 'steps')::integer, 0);
  v_limits jsonb;
  v_granted text[];
  v_message uuid;
  v_call record;
  v_tool public.tools;
  v_execution public.tool_executions;
  v_executions jsonb := '[]'::jsonb;
  v_started boolean := false;  -- the turn's first call was
  v_open boolean := false;     -- an earlier call of the turn has to run first
  v_sources text[];            -- what the started call brings in from outside
  v_source_tool text;
begin
  if p_step = v_steps and p_step > 0 then
    return private.turn_record(v_task, p_step, p_seen);  -- recorded already: the answer was lost on its way
  elsif p_step is distinct from v_steps + 1 then
    raise exception using
      errcode = 'AR003', message = format('step %s cannot be recorded after step %s of task %s', p_step, v_steps, p_task);
  end if;
  v_limits := private.limits_of(v_task);
  perform private.require_limit(v_limits, 'steps', p_step);
  p_calls := coalesce(private.json(p_calls), '[]');
  p_usage := private.json(p_usage);

  v_message := private.add_message(
    v_task, 'assistant', p_content, private.json(p_metadata) || jsonb_build_object('step', p_step, 'seen_seq', p_seen),
    case when jsonb_array_length(p_calls) > 0 then p_calls end
  );
  for v_call in select c.value, (c.ordinality - 1)::integer as call_index from jsonb_array_elements(p_calls) with ordinality c loop
    if v_granted is null then
      v_granted := (select a.tools_enabled from public.agents a where a.id = v_task.agent_id);
    end if;
    select * into v_tool
    from public.tools t
    where t.name = v_call.value ->> 'name' and (t.tenant_id is null or t.tenant_id = v_task.tenant_id);
    v_execution := private.record_intent(
      v_task, v_tool, v_granted, v_message, p_step, v_call.call_index, v_call.value,
      p_start and not v_open and v_task.cancel_requested_at is null and v_task.pause_requested_at is null
        and private.has_calls_left(v_task, v_limits)
    );
    continue when v_execution.id is null;
    if v_execution.status = 'running' then
      v_started := true;
      if private.brings_in(v_tool, v_task.agent_id) then
        v_sources := private.source_of(v_tool, v_execution.input_parameters);
        v_source_tool := v_tool.name;
      end if;
    end if;
    v_open := v_open or v_execution.status in ('pending', 'running');
    v_executions := v_executions || private.execution_record(v_execution, v_tool);
  end loop;
  update public.tasks t
  set usage = private.bump_usage(
        t.usage,
        p_usage || jsonb_build_object('steps', 1, 'tool_calls', v_started::integer, 'output_bytes', octet_length(p_content))
      ),
      tainted = t.tainted or v_sources is not null,
      taint_sources = private.with_sources(t.taint_sources, v_sources, v_source_tool, p_step),
      retries = 0
  where t.id = p_task
  returning * into v_task;
  return jsonb_build_object(
    'messages', private.messages_after(v_task.conversation_id, p_seen), 'executions', v_executions, 'usage', v_task.usage
  );
end
$$;
comment on function public.worker_record_turn(uuid, uuid, integer, text, jsonb, jsonb, jsonb, bigint, boolean) is
  'Writes the model''s answer, its usage and the intent of each of its calls. p_calls: array of {"id", "name", "arguments"}; p_seen: '
  'the last message that the model saw; p_start: start the first call too, if it may be repeated. Calls of tools that are unknown, '
  'disabled or not the agent''s are refused here, with a tool message that says why. Returns the messages after p_seen, the '
  'executions and the usage.';

create or replace function private.record_intent(
  p_task public.tasks, p_tool public.tools, p_granted text[], p_message uuid, p_step integer, p_call_index integer, p_call jsonb,
  p_start boolean
) returns public.tool_executions
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_name text := p_call ->> 'name';
  v_refusal text;
  v_needed integer;
  v_gate jsonb;
  v_status text := 'denied';
  v_execution public.tool_executions;
begin
  if p_tool.id is null then
    v_refusal := format('There is no tool named %s.', to_jsonb(left(v_name, 100)));
  elsif not p_tool.is_enabled then
    v_refusal := format('The tool %s is disabled by an administrator.', v_name);
  elsif p_tool.category <> 'control' and not v_name = any (p_granted) then
    v_refusal := format('The tool %s is not among this agent''s tools.', v_name);
  else
    v_needed := private.approvals_for(p_tool, p_task.agent_id);
    v_gate := private.outward_gate(p_tool, p_task, coalesce(p_call -> 'arguments', '{}'));
    if v_gate is not null then
      v_needed := p_tool.approvals_required;
    end if;
    v_status := case
      when v_needed > 0 then 'awaiting_approval' when p_start and p_tool.retry_class <> 'unsafe' then 'running' else 'pending'
    end;
  end if;

  if p_tool.id is not null then
    insert into public.tool_executions (
      task_id, tool_id, message_id, input_parameters, status, started_at, completed_at, tool_call_id, step, call_index,
      error_message, approvals_needed, approval_expires_at, gate, tenant_id
    )
    values (
      p_task.id, p_tool.id, p_message, coalesce(p_call -> 'arguments', '{}'), v_status,
      case when v_status = 'running' then clock_timestamp() end, case when v_refusal is not null then now() end,
      p_call ->> 'id', p_step, p_call_index, v_refusal, coalesce(v_needed, 0),
      case when v_needed > 0 then now() + private.approval_time() end, v_gate, p_task.tenant_id
    )
    returning * into v_execution;
  end if;
  if v_refusal is not null then
    perform private.add_message(
      p_task, 'tool', v_refusal,
      jsonb_build_object(
        'tool', v_name, 'step', p_step, 'call_index', p_call_index, 'execution_id', v_execution.id, 'status', 'denied'
      ),
      null, p_call ->> 'id'
    );
  end if;
  return v_execution;
end
$$;

create or replace function private.turn_record(p_task public.tasks, p_step integer, p_seen bigint) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object(
    'messages', private.messages_after(p_task.conversation_id, p_seen),
    'executions', (
      select coalesce(jsonb_agg(private.execution_record(e, t) order by e.call_index), '[]')
      from public.tool_executions e
      join public.tools t on t.id = e.tool_id
      where e.task_id = p_task.id and e.step = p_step
    ),
    'usage', p_task.usage
  )
$$;

create or replace function public.worker_start_execution(
  p_task uuid, p_lease uuid, p_execution uuid, p_again boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_execution public.tool_executions := private.execution_of(p_task, p_execution);
begin
  if v_task.cancel_requested_at is not null then
    raise exception using errcode = 'AR003', message = format('task %s is being cancelled', p_task);
  end if;
  -- A call that this lease's holder is starting, and that runs: it was started by the call whose answer was lost.
  if not (p_again and v_execution.status = 'running') then
    v_execution := private.start_execution(v_task, v_execution);
    select * into v_task from public.tasks t where t.id = p_task;
  end if;
  return jsonb_build_object(
    'execution', (
      select private.execution_record(v_execution, t) from public.tools t where t.id = v_execution.tool_id
    ),
    'usage', v_task.usage
  );
end
$$;
comment on function public.worker_start_execution(uuid, uuid, uuid, boolean) is
  'Marks a call running, before its effect; or awaiting_approval, where what the task has read since makes that necessary. A call that '
  'a crash left running starts again only if its tool is not unsafe. p_again: the same was asked for before, and the answer was lost.';

create or replace function private.start_execution(p_task public.tasks, p_execution public.tool_executions)
returns public.tool_executions
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_execution public.tool_executions := p_execution;
  v_tool public.tools;
  v_gate jsonb;
  v_sources text[];
begin
  select * into v_tool from public.tools t where t.id = v_execution.tool_id;
  if v_execution.status = 'running' and v_tool.retry_class = 'unsafe' then
    raise exception using
      errcode = 'AR003',
      message = format('execution %s of unsafe tool %s was left running; it is in doubt and never runs again', v_execution.id, v_tool.name);
  end if;
  if v_execution.status = 'running' and v_execution.started_at >= p_task.claimed_at then
    return v_execution;  -- started by this very run: the answer was lost on its way
  end if;
  if v_execution.status = 'running' and v_execution.output_result ? 'spawn_id' then
    return v_execution;  -- it waited for its children: the same call goes on
  end if;
  v_gate := private.gate_at_start(p_task, v_tool, v_execution);
  if v_gate is not null then
    update public.tool_executions e
    set status = 'awaiting_approval', approvals_needed = v_tool.approvals_required,
        approval_expires_at = now() + private.approval_time(), gate = v_gate
    where e.id = v_execution.id
    returning * into v_execution;
    return v_execution;
  end if;
  perform private.require_limit(
    private.limits_of(p_task), 'tool_calls', coalesce((p_task.usage ->> 'tool_calls')::numeric, 0) + 1
  );
  update public.tool_executions e
  set status = 'running', started_at = clock_timestamp()
  where e.id = v_execution.id
  returning * into v_execution;
  if private.brings_in(v_tool, p_task.agent_id) then
    v_sources := private.source_of(v_tool, v_execution.input_parameters);
  end if;
  update public.tasks t
  set usage = private.bump_usage(t.usage, '{"tool_calls": 1}'),
      tainted = t.tainted or v_sources is not null,
      taint_sources = private.with_sources(t.taint_sources, v_sources, v_tool.name, v_execution.step)
  where t.id = p_task.id;
  return v_execution;
end
$$;

create or replace function public.worker_finish_execution(
  p_task uuid, p_lease uuid, p_execution uuid, p_status text, p_content text, p_output jsonb, p_error text,
  p_execution_time_ms integer, p_effect jsonb default null, p_files jsonb default '[]', p_seen bigint default null,
  p_next uuid default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_execution public.tool_executions := private.execution_of(p_task, p_execution);
  v_tool public.tools;
  v_next public.tool_executions;
  v_next_tool public.tools;
  v_sources text[];
begin
  select * into v_tool from public.tools t where t.id = v_execution.tool_id;
  if p_status is null or p_status not in ('completed', 'failed', 'in_doubt') then
    raise exception using errcode = 'AR005', message = format('an execution cannot finish as %s', p_status);
  end if;
  if v_execution.status = p_status then
    -- Recorded already: the answer was lost on its way.
    return private.result_record(v_task, v_execution, v_tool, p_next, p_seen);
  elsif v_execution.status = 'in_doubt' then
    raise exception using
      errcode = 'AR003', message = format('tool execution %s is in doubt: a person settles it', p_execution);
  end if;
  p_effect := private.json(p_effect);
  p_files := coalesce(private.json(p_files), '[]');

  update public.tool_executions e
  set status = p_status,
      output_result = private.json(p_output) || jsonb_build_object('effect', p_effect),
      error_message = p_error,
      execution_time_ms = p_execution_time_ms,
      completed_at = case when p_status <> 'in_doubt' then clock_timestamp() end
  where e.id = p_execution
  returning * into v_execution;
  -- A doubt about what people had to approve is theirs to settle, and the model hears what they say (settle_execution).
  if p_status <> 'in_doubt' or v_execution.approvals_needed = 0 then
    if v_execution.original_parameters is not null then
      p_content := p_content || E'\n\nA person changed the arguments before approving. What was run instead: '
        || left(v_execution.input_parameters::text, 4096);
    end if;
    perform private.tool_message(v_task, v_execution, v_tool.name, p_content, p_status);
  end if;
  if p_files <> '[]' then
    perform private.add_files(v_task, p_execution, p_files);
  end if;
  if jsonb_typeof(v_execution.output_result -> 'sources') = 'array' then
    v_sources := array(select s.value from jsonb_array_elements_text(v_execution.output_result -> 'sources') s);
  end if;
  if cardinality(v_sources) > 0 then
    -- Before the next call is looked at.
    v_task.tainted := true;
    v_task.taint_sources := private.with_sources(v_task.taint_sources, v_sources, v_tool.name, v_execution.step);
    update public.tasks t set tainted = true, taint_sources = v_task.taint_sources where t.id = p_task;
  end if;
  if p_effect is not null and p_status = 'completed' then
    perform private.apply_effect(v_task, p_effect);
  end if;
  if p_next is not null then
    v_next := private.next_to_start(v_task, p_next);
  end if;
  if v_next.id is not null then
    v_task.usage := private.bump_usage(v_task.usage, '{"tool_calls": 1}');
    update public.tool_executions e set status = 'running', started_at = clock_timestamp() where e.id = p_next;
    select * into v_next_tool from public.tools n where n.id = v_next.tool_id;
    if private.brings_in(v_next_tool, v_task.agent_id) then
      v_task.tainted := true;
      v_task.taint_sources := private.with_sources(
        v_task.taint_sources, private.source_of(v_next_tool, v_next.input_parameters), v_next_tool.name, v_next.step
      );
    end if;
  end if;
  update public.tasks t
  set usage = private.bump_usage(
        v_task.usage,
        jsonb_build_object(
          'tool_seconds', coalesce(p_execution_time_ms, 0) / 1000.0,
          'output_bytes', octet_length(p_content) + case
            when p_files = '[]' then 0
            else (select coalesce(sum((f.value ->> 'file_size')::bigint), 0) from jsonb_array_elements(p_files) f)
          end
        )
      ),
      tainted = v_task.tainted,
      taint_sources = v_task.taint_sources
  where t.id = p_task
  returning * into v_task;
  return private.result_record(v_task, v_execution, v_tool, p_next, p_seen);
end
$$;
comment on function public.worker_finish_execution(
  uuid, uuid, uuid, text, text, jsonb, text, integer, jsonb, jsonb, bigint, uuid
) is
  'Records a call''s result, the message that the model reads, the files it wrote and what it did to the task, all at once, and starts '
  'the call p_next with it if that may be repeated. Returns the messages after p_seen, both executions and the task.';

create or replace function private.next_to_start(p_task public.tasks, p_next uuid) returns public.tool_executions
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_next public.tool_executions;
begin
  if p_next is null or p_task.cancel_requested_at is not null or p_task.pause_requested_at is not null then
    return null;
  end if;
  select e.* into v_next
  from public.tool_executions e
  join public.tools t on t.id = e.tool_id
  where e.id = p_next and e.task_id = p_task.id and e.status = 'pending' and e.approvals_needed = 0
    and t.is_enabled and t.retry_class <> 'unsafe' and private.approvals_for(t, p_task.agent_id) = 0
    and private.gate_at_start(p_task, t, e) is null
    and private.has_calls_left(p_task, private.limits_of(p_task));
  return v_next;
end
$$;

create or replace function private.result_record(
  p_task public.tasks, p_execution public.tool_executions, p_tool public.tools, p_next uuid, p_seen bigint
) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object(
    'messages', private.messages_after(p_task.conversation_id, p_seen),
    'executions', jsonb_build_array(private.execution_record(p_execution, p_tool)) || case
      when p_next is null then '[]'
      else (
        select coalesce(jsonb_agg(private.execution_record(e, t)), '[]')
        from public.tool_executions e
        join public.tools t on t.id = e.tool_id
        where e.id = p_next and e.task_id = p_task.id
      )
    end,
    'task', jsonb_build_object(
      'plan', p_task.plan, 'current_phase', p_task.current_phase, 'total_phases', p_task.total_phases,
      'progress_percentage', p_task.progress_percentage, 'usage', p_task.usage, 'tainted', p_task.tainted
    )
  )
$$;

create or replace function private.apply_effect(p_task public.tasks, p_effect jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
      perform private.append_event(
        p_task.id, p_task.conversation_id, p_task.tenant_id, 'task.notice', jsonb_build_object('text', p_effect ->> 'text')
      );
    else
      null;  -- ask and complete are the loop's to act on: worker_suspend and worker_settle
  end case;
end
$$;
