-- From version 1: what `create … if not exists` and `create or replace` cannot change. On a new database nothing is there to change.

do $$
begin
  if not exists (select from private.schema_version v where v.version = 1)
     or exists (select from private.schema_version v where v.version >= 2) then
    return;
  end if;
  -- Functions whose parameters or answers changed.
  drop function if exists public.worker_register(uuid, text, integer, text, integer);
  drop function if exists public.worker_record_turn(uuid, uuid, integer, text, jsonb, jsonb, jsonb);
  drop function if exists public.worker_finish_execution(uuid, uuid, uuid, text, text, jsonb, text, integer, jsonb, jsonb);
  drop function if exists public.worker_suspend(uuid, uuid, text);
  drop function if exists public.worker_settle(uuid, uuid, text, jsonb, text);
  drop function if exists public.worker_release(uuid, uuid, double precision, text);
  drop function if exists public.worker_start_execution(uuid, uuid, uuid);
  drop function if exists public.worker_claim(uuid, integer, double precision);
  drop function if exists public.worker_new_messages(uuid, uuid, bigint);
  drop function if exists public.decide_execution(uuid, boolean, text);
  drop function if exists private.append_event(uuid, text, jsonb);
  drop function if exists private.add_message(public.tasks, text, text, jsonb, jsonb, text);
  drop function if exists private.record_intent(public.tasks, uuid, integer, integer, jsonb);
  drop function if exists private.turn_record(uuid);
  drop function if exists private.result_record(uuid, uuid);
  drop function if exists private.tool_needs_approval(public.tools) cascade;
  drop function if exists private.end_task(public.tasks, text, jsonb, text);
  drop function if exists private.still_waits(uuid, text);
  drop function if exists private.leased_task(uuid, uuid);
  drop trigger if exists count_usage on public.tool_executions;
  drop trigger if exists notify_control on public.tasks;
  drop function if exists private.notify_control();
  -- Written by triggers alone, with the tenant of their task.
  alter table public.task_events drop constraint if exists task_events_tenant_id_fkey;

  alter table public.tasks drop constraint if exists tasks_wait_reason_check;
  alter table public.tasks add constraint tasks_wait_reason_check
    check (wait_reason in ('answer', 'approval', 'doubt', 'children', 'schedule'));

  alter table public.task_events drop constraint if exists task_events_kind_check;
  alter table public.task_events add constraint task_events_kind_check check (
    kind in ('task.created', 'task.status', 'task.plan', 'task.control', 'task.notice', 'message.created',
             'execution.status', 'execution.decision', 'file.created', 'file.removed')
  );

  drop index if exists public.idx_tasks_title_description_english_gin;
  if exists (
    select from pg_catalog.pg_indexes i where i.indexname = 'idx_tasks_title_description_gin' and i.indexdef like '%to_tsvector%'
  ) then
    drop index public.idx_tasks_title_description_gin;
    create index idx_tasks_title_description_gin on public.tasks using gin (search);
    alter table public.tasks disable trigger user;
    update public.tasks t
    set search = to_tsvector('pg_catalog.spanish', t.title || ' ' || coalesce(t.description, ''))
              || to_tsvector('pg_catalog.english', t.title || ' ' || coalesce(t.description, '')),
        claimed_at = case when t.status = 'running' then now() end;
    alter table public.tasks enable trigger user;
  end if;

  -- Approvals were columns of the call, and are rows now, which the start of a call reads. Who waits for one has a day from
  -- now, who was given one has a day to start, and a call that runs began with its own.
  alter table public.tool_executions disable trigger user;
  update public.tool_executions e
  set approvals_needed = 1,
      approval_expires_at = now() + interval '1 day',
      approval_used_at = case when e.status = 'running' then e.started_at end
  where e.status = 'awaiting_approval' or (e.status in ('pending', 'running') and e.decided_at is not null);
  alter table public.tool_executions enable trigger user;
  insert into public.execution_decisions (execution_id, user_id, tenant_id, verdict, input_digest, reason, created_at)
  select e.id, e.decided_by, e.tenant_id, case when e.status = 'denied' then 'denied' else 'approved' end, e.input_digest,
         left(e.decision_reason, 16384), e.decided_at
  from public.tool_executions e
  where e.decided_at is not null;

  -- Dangerous tools ask now, unless the agent has a standing permission: the catalogue's keeps what it had.
  update public.agents a set standing_permissions = array['shell_exec']
  where a.tenant_id is null and a.name = 'Asistente General' and 'shell_exec' = any (a.tools_enabled);
  -- Not before the change above is audited, by version 1's trigger.
  drop function if exists private.audit_is_on();
end
$$;
insert into private.schema_version (version) values (2) on conflict do nothing;
