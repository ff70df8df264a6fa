-- What waits for the caller: calls that the caller may decide about (awaiting_approval) or settle (in_doubt). security_invoker: the
-- caller's own policies decide which rows there are; who may decide is as decide_execution has it.

create or replace view public.waiting_executions with (security_invoker = true) as
select
  e.id,
  e.status,
  e.task_id,
  t.title as task_title,
  t.status as task_status,
  t.conversation_id,
  e.tenant_id,
  t.agent_id,
  (select a.name from public.agents a where a.id = t.agent_id) as agent_name,
  t.user_id,
  private.owner_name(t.conversation_id) as owner_name,
  t.user_id = (select private.me()) as is_mine,
  e.tool_id,
  o.name as tool_name,
  o.display_name,
  o.category,
  o.security_level,
  o.function_schema,
  e.step,
  e.call_index,
  (select m.content from public.messages m where m.id = e.message_id) as why,
  e.input_parameters as arguments,
  e.original_parameters as original_arguments,
  e.input_digest,
  (select m.created_at from public.messages m where m.id = e.message_id) as asked_at,
  e.approval_expires_at,
  e.approvals_needed,
  (
    select count(distinct d.user_id)
    from public.execution_decisions d
    where d.execution_id = e.id and d.verdict = 'approved' and d.input_digest = e.input_digest
  ) as approvals_given,
  exists(
    select
    from public.execution_decisions d
    where d.execution_id = e.id and d.verdict = 'approved' and d.input_digest = e.input_digest
      and d.user_id = (select private.me())
  ) as approved_by_me,
  (
    select coalesce(jsonb_agg(
      jsonb_build_object(
        'id', d.id, 'user_id', d.user_id, 'name', private.decider_name(d.id), 'is_me', d.user_id = (select private.me()),
        'verdict', d.verdict, 'input_digest', d.input_digest, 'reason', d.reason, 'created_at', d.created_at,
        -- Of other arguments, if somebody edited them since.
        'counts', d.input_digest = e.input_digest
      )
      order by d.created_at, d.id
    ), '[]')
    from public.execution_decisions d
    where d.execution_id = e.id
  ) as decisions,
  o.outward,
  -- At the time when it was held, and by now.
  e.gate,
  t.tainted,
  t.taint_sources
from public.tool_executions e
join public.tasks t on t.id = e.task_id
join public.tools o on o.id = e.tool_id
where e.status in ('awaiting_approval', 'in_doubt')
  and e.tenant_id = any((select private.my_tenants())::uuid[])
  and (t.user_id = (select private.me()) or e.tenant_id = (select private.my_tenant_as_admin()))
  and (select private.can_write());
comment on column public.waiting_executions.why is 'What the agent said in the turn that asked for the call.';
