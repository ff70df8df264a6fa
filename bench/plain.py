"""The bare loops' SQL: what a careful person would write by hand, without our functions and triggers.

One statement is one commit and one round trip, which is as cheap as it gets. The variants `…_WITH_RECORDS` also write
the rows of the timeline and of the audit that our triggers write: the same rows, in the same number of commits.
"""

from __future__ import annotations

ENQUEUE_CONVERSATIONS = """
with people as (
  select id, tenant_id, row_number() over (order by email) - 1 as number, count(*) over () as total from public.users
)
insert into public.conversations (title, user_id, agent_id, tenant_id, created_at)
select 'Measured', p.id, (select id from public.agents where tenant_id is null limit 1), p.tenant_id,
       now() + i * interval '1 microsecond'
from generate_series(0, %(count)s - 1) i
join people p on p.number = case when %(one_person)s then 0 else i %% p.total end
"""

ENQUEUE_TASKS = """
insert into public.tasks (conversation_id, title, description, tenant_id, user_id, agent_id, created_at)
select c.id, 'Measured', 'Do it.', c.tenant_id, c.user_id, c.agent_id, c.created_at
from public.conversations c
where not exists (select from public.tasks t where t.conversation_id = c.id)
"""

CLAIM = """
update public.tasks
set status = 'running', lease_token = gen_random_uuid(), lease_expires_at = now() + interval '30 seconds',
    worker_id = %(worker)s, started_at = coalesce(started_at, now()), updated_at = now()
where id = (
  select id from public.tasks
  where status = 'pending' and run_after is null
  order by priority desc, created_at, id
  limit 1
  for no key update skip locked
)
returning *
"""

SETTLE = """
update public.tasks
set status = 'completed', result = '{"answer": "Done.", "files": []}', completed_at = clock_timestamp(),
    progress_percentage = 100, lease_token = null, lease_expires_at = null, worker_id = null, updated_at = now()
where id = %(task)s and lease_token = %(lease)s
returning *
"""

CLAIM_WITH_RECORDS = f"""
with claimed as ({CLAIM}),
told as (
  insert into public.task_events (task_id, tenant_id, kind, payload)
  select id, tenant_id, 'task.status',
         jsonb_build_object('status', status, 'previous', 'pending', 'worker_id', worker_id, 'attempts', attempts)
  from claimed
),
audited as (
  insert into public.audit_logs (actor, action, resource_type, resource_id, tenant_id, old_values, new_values)
  select 'worker:' || worker_id, 'update', 'tasks', id, tenant_id,
         '{{"status": "pending", "worker_id": null, "started_at": null, "lease_token": null,
            "lease_expires_at": null}}',
         jsonb_build_object('status', status, 'worker_id', worker_id, 'started_at', started_at, 'lease_token', '***',
                            'lease_expires_at', lease_expires_at)
  from claimed
)
select * from claimed
"""

SETTLE_WITH_RECORDS = f"""
with settled as ({SETTLE}),
told as (
  insert into public.task_events (task_id, tenant_id, kind, payload)
  select id, tenant_id, 'task.status', jsonb_build_object('status', status, 'previous', 'running', 'attempts', attempts)
  from settled
  union all
  select id, tenant_id, 'task.plan',
         jsonb_build_object('plan', plan, 'current_phase', current_phase, 'total_phases', total_phases,
                            'progress_percentage', progress_percentage)
  from settled
)
insert into public.audit_logs (actor, action, resource_type, resource_id, tenant_id, old_values, new_values)
select 'worker', 'update', 'tasks', id, tenant_id,
       '{{"status": "running", "result": null, "completed_at": null, "progress_percentage": 0, "lease_token": "***"}}',
       jsonb_build_object('status', status, 'result', result, 'completed_at', completed_at, 'progress_percentage', 100,
                          'lease_token', null, 'lease_expires_at', null, 'worker_id', null)
from settled
"""

REGISTER = "insert into public.workers (id, host, pid, version, capacity) values (%s, 'measured', 1, '0', 1)"

RECORDED_ROWS = """
select (select count(*) from public.messages) as messages,
       (select count(*) from public.tool_executions) as tool_executions,
       (select count(*) from public.task_events) as task_events,
       (select count(*) from public.audit_logs where resource_type <> 'workers') as audit_logs
"""
