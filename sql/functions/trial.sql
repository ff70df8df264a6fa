-- Trying a tool as the runtime would run it: a task whose only turn is on record already.

create or replace function public.try_tool(p_tool uuid, p_arguments jsonb default '{}') returns public.tasks
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
  v_arguments constant jsonb := coalesce(private.json(p_arguments), '{}');
  v_tool public.tools;
  v_end public.tools;
  v_agent uuid;
  v_task public.tasks;
  v_seen bigint;
  v_calls jsonb;
  v_message uuid;
begin
  perform private.require_person();
  v_me := private.myself();
  if v_me.role <> 'admin' then
    raise exception using errcode = '42501', message = 'only an admin of the tenant can do this';
  end if;
  select * into v_tool from public.tools t where t.id = p_tool and (t.tenant_id is null or t.tenant_id = v_me.tenant_id);
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no tool %s', p_tool);
  elsif v_tool.category = 'control' then
    raise exception using
      errcode = 'AR005', message = format('%s is part of the loop: it is not to be tried by itself', v_tool.name);
  elsif not v_tool.is_enabled then
    raise exception using errcode = 'AR003', message = format('tool %s is disabled', v_tool.name);
  elsif jsonb_typeof(v_arguments) <> 'object' then
    raise exception using errcode = 'AR005', message = 'p_arguments is not an object with the tool''s arguments';
  elsif octet_length(v_arguments::text) > 131072 then
    raise exception using
      errcode = 'AR006',
      message = format('limit arguments_bytes reached: %s bytes, at most 131072 are taken', octet_length(v_arguments::text));
  end if;
  select * into strict v_end from public.tools t where t.name = 'task_complete' and t.tenant_id is null;
  select a.id into v_agent
  from public.agents a
  where a.tenant_id is null and a.is_public and a.is_active
  order by a.created_at, a.name
  limit 1;
  if v_agent is null then
    raise exception using errcode = 'AR002', message = 'there is no agent in the catalogue that could run the trial';
  end if;

  v_calls := jsonb_build_array(
    jsonb_build_object('id', 'trial_1', 'name', v_tool.name, 'arguments', v_arguments),
    jsonb_build_object('id', 'trial_2', 'name', v_end.name, 'arguments',
                       jsonb_build_object('answer', format('The trial of %s has ended: its result is above.', v_tool.name)))
  );
  insert into public.conversations (title, user_id, agent_id, metadata)
  values (left('Trial of ' || v_tool.name, 255), v_me.id, v_agent, jsonb_build_object('trial', v_tool.name))
  returning id into v_task.conversation_id;
  -- One step, which is done: no model is ever asked, whatever happens.
  insert into public.tasks (conversation_id, title, description, limits, usage)
  values (
    v_task.conversation_id, left('Trial of ' || v_tool.name, 255), 'An admin tries a tool.', '{"steps": 1}', '{"steps": 1}'
  )
  returning * into v_task;
  perform private.add_message(v_task, 'user', format('Try the tool %s.', v_tool.name), '{}');
  select max(m.seq) into v_seen from public.messages m where m.conversation_id = v_task.conversation_id;
  v_message := private.add_message(
    v_task, 'assistant', format('A trial of %s, with arguments that an admin gave.', v_tool.name),
    jsonb_build_object('step', 1, 'seen_seq', v_seen, 'trial', v_tool.id), v_calls
  );
  perform private.record_intent(v_task, v_tool, array[v_tool.name::text], v_message, 1, 0, v_calls -> 0, false);
  perform private.record_intent(v_task, v_end, array[v_tool.name::text], v_message, 1, 1, v_calls -> 1, false);
  return v_task;
end
$$;
comment on function public.try_tool(uuid, jsonb) is
  'An admin tries a tool with arguments: files a task that has the call on record, and task_complete after it, so that a worker runs '
  'it as any other call and asks no model. Approvals, limits and audit hold; the agent is the catalogue''s first. The conversation''s '
  'metadata has {"trial": its name}.';

create or replace function private.trial_tool(p_task uuid) returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- People write no assistant's messages, and so give no tool to an agent by this.
  select (m.metadata ->> 'trial')::uuid
  from public.messages m
  where m.task_id = p_task and m.role = 'assistant' and m.metadata ? 'trial'
  limit 1
$$;
comment on function private.trial_tool(uuid) is 'The tool that a task is a trial of, which its agent may not have; null for any other task.';
