-- Who must approve a call, and what becomes of calls that nobody decided about.

create or replace function private.approvals_for(p_tool public.tools, p_agent uuid) returns integer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_tool.requires_confirmation then
    return p_tool.approvals_required;
  elsif p_tool.security_level <> 'dangerous' then
    return 0;
  elsif p_tool.approvals_required > 1 then
    -- An agent's owner gives the standing permission, so it stands for one person's approval and never for two people's.
    return p_tool.approvals_required;
  elsif exists (select from public.agents a where a.id = p_agent and p_tool.name = any (a.standing_permissions)) then
    return 0;
  end if;
  return p_tool.approvals_required;
end
$$;
comment on function private.approvals_for(public.tools, uuid) is 'How many people must approve a call of this tool by this agent.';

create or replace function private.approvals_given(p_execution uuid, p_digest text) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(distinct d.user_id)
  from public.execution_decisions d
  where d.execution_id = p_execution and d.verdict = 'approved' and d.input_digest = p_digest
$$;
comment on function private.approvals_given(uuid, text) is 'How many different people approved these very arguments.';

create or replace function private.approval_time() returns interval
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select make_interval(secs => private.config_number('approval_timeout', 86400))
$$;

create or replace function private.tool_message(
  p_task public.tasks, p_execution public.tool_executions, p_tool text, p_content text, p_status text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform private.add_message(
    p_task, 'tool', p_content,
    jsonb_build_object(
      'tool', coalesce(p_tool, (select t.name from public.tools t where t.id = p_execution.tool_id)),
      'execution_id', p_execution.id, 'step', p_execution.step, 'call_index', p_execution.call_index, 'status', p_status
    ),
    null, p_execution.tool_call_id
  );
end
$$;

create or replace function private.wake(p_task public.tasks, p_reasons text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- While it still waits for the rest of a turn's calls, a run would only find that out again.
  if p_task.status = 'waiting' and p_task.wait_reason = any (p_reasons) and not private.still_waits(p_task, p_task.wait_reason) then
    update public.tasks t set status = 'pending', wait_reason = null, run_after = null where t.id = p_task.id;
  end if;
end
$$;

create or replace function private.expire_approvals(p_limit integer) returns uuid[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_late record;
  v_task public.tasks;
  v_execution public.tool_executions;
  v_tenants uuid[] := '{}'::uuid[];
begin
  for v_late in
    select e.id, e.task_id from public.tool_executions e
    where e.status = 'awaiting_approval' and e.approval_expires_at <= now()
    order by e.approval_expires_at
    limit p_limit
  loop
    select * into v_task from public.tasks t where t.id = v_late.task_id for no key update skip locked;
    continue when not found;
    -- One conversation at a time: whoever holds it now is at work on it, and the next sweep comes soon.
    continue when not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(v_task.conversation_id::text, 4201));
    update public.tool_executions e
    set status = 'denied', completed_at = clock_timestamp(), error_message = 'The approval expired: nobody decided in time.'
    where e.id = v_late.id and e.status = 'awaiting_approval'
    returning * into v_execution;
    continue when not found;
    perform private.tool_message(
      v_task, v_execution, null, 'This call was not run: nobody decided about it in time. Go on without it, or say why it is needed.',
      'denied'
    );
    perform private.wake(v_task, array['approval']);
    v_tenants := v_tenants || v_task.tenant_id;
  end loop;
  return v_tenants;
end
$$;
comment on function private.expire_approvals(integer) is 'Denies calls whose time to decide is over, and lets their tasks go on; whose tenants'' they are.';
