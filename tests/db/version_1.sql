-- Turns a fresh install of version 2, without rows, into what version 1 declared: the same tables, columns, constraints,
-- indexes, triggers and function signatures. What version 2 added is dropped; what it changed is put back. Functions that run
-- while the upgrade does (triggers, and what they call) have the calls that version 1's had; of the others, whose bodies
-- nothing reaches before they are replaced, only the signature is put back.

-- What version 2 added

drop table public.execution_decisions cascade;
alter table public.agents drop column standing_permissions;
alter table public.tools drop column approvals_required;
alter table public.workers drop column transport, drop column last_tenant;
alter table public.tasks
  drop column claimed_at, drop column active_seconds, drop column retries, drop column last_release, drop column search cascade;
alter table public.tool_executions
  drop column approvals_needed, drop column approval_used_at, drop column original_parameters;
drop index public.idx_tasks_turns, public.idx_tool_executions_expiry;
drop trigger append_only_truncate on public.tool_executions;

do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and p.proname in (
      'decide_execution', 'pause_task', 'resume_task', 'settle_execution', 'json', 'append_event', 'approval_time', 'approvals_for',
      'approvals_given', 'ask_of_task', 'check_limits', 'edited_note', 'end_task', 'execution_record', 'expire_approvals',
      'forget_workers', 'guard_decision', 'has_calls_left', 'has_unseen_message', 'index_task_words', 'limit_names', 'limits_of',
      'messages_after', 'next_in_turn', 'next_to_start', 'oldest_release', 'only_by_sign_up', 'permit_start', 'record_intent',
      'require_limit', 'result_record', 'start_execution', 'still_waits', 'task_to_decide', 'tell_decision', 'tool_message',
      'turn_record', 'wake', 'was_released', 'worker_backlog', 'worker_list', 'worker_finish_execution', 'worker_record_turn',
      'worker_register', 'worker_settle', 'worker_start_execution', 'worker_suspend'
    )
  loop
    execute format('drop function %s cascade', v_function);
  end loop;
end
$$;
delete from public.system_config where config_key = 'approval_timeout';
delete from private.schema_version where version = 2;

-- What version 2 changed or dropped

alter table public.tasks drop constraint tasks_wait_reason_check;
alter table public.tasks add constraint tasks_wait_reason_check
  check (wait_reason in ('answer', 'approval', 'children', 'schedule'));
alter table public.task_events drop constraint task_events_kind_check;
alter table public.task_events add constraint task_events_kind_check check (
  kind in ('task.created', 'task.status', 'task.plan', 'task.control', 'task.notice', 'message.created', 'execution.status',
           'file.created')
);
create index idx_tasks_title_description_gin on public.tasks
  using gin (to_tsvector('spanish', title || ' ' || coalesce(description, '')));
create index idx_tasks_title_description_english_gin on public.tasks
  using gin (to_tsvector('english', title || ' ' || coalesce(description, '')));

create function private.audit_is_on() returns boolean language sql stable set search_path = ''
as $$ select true $$;
create or replace function private.audit() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if private.audit_is_on() then
    insert into public.audit_logs (actor, action, resource_type) values ('version 1', lower(tg_op), tg_table_name);
  end if;
  return null;
end
$$;
create function private.append_event(p_task uuid, p_kind text, p_payload jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into public.task_events (task_id, tenant_id, kind, payload)
  select t.id, t.tenant_id, p_kind, p_payload from public.tasks t where t.id = p_task
$$;
create or replace function private.tell_task() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.append_event(new.id, case tg_op when 'INSERT' then 'task.created' else 'task.status' end, '{}');
  return null;
end
$$;
create or replace function private.tell_execution() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.append_event(new.task_id, 'execution.status', '{}');
  return null;
end
$$;
create or replace function private.tell_message() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.append_event(new.task_id, 'message.created', '{}');
  return null;
end
$$;
create or replace function private.tell_file() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.append_event(new.task_id, 'file.created', '{}');
  return null;
end
$$;
create or replace function private.count_usage() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.tools t set usage_count = t.usage_count + 1 where t.id = new.tool_id;
  return null;
end
$$;
create function private.tool_needs_approval(p_tool public.tools) returns boolean language sql immutable set search_path = ''
as $$ select p_tool.requires_confirmation $$;
create or replace function private.guard_execution() returns trigger language plpgsql set search_path = '' as $$
declare
  v_tool public.tools;
begin
  if tg_op = 'UPDATE' and new.status = 'running' then
    select * into v_tool from public.tools t where t.id = new.tool_id;
    if not v_tool.is_enabled or (private.tool_needs_approval(v_tool) and new.decided_at is null) then
      raise exception using errcode = 'AR004', message = 'not approved, or the tool is disabled';
    end if;
  end if;
  return new;
end
$$;
create or replace function private.guard_task() returns trigger language plpgsql set search_path = '' as $$
begin
  return new;
end
$$;
create or replace trigger guard_execution
  before insert or update on public.tool_executions for each row execute function private.guard_execution();
drop trigger count_usage on public.tasks;
create trigger count_usage after update on public.tool_executions for each row
  when (new.status = 'running' and old.status <> 'running') execute function private.count_usage();
create or replace trigger audit_update after update on public.tasks for each row
  when (new.lease_expires_at is not distinct from old.lease_expires_at or new.status is distinct from old.status)
  execute function private.audit();
create or replace trigger tell_task_changed after update on public.tasks for each row
  when ((new.status, new.plan, new.cancel_requested_at) is distinct from (old.status, old.plan, old.cancel_requested_at))
  execute function private.tell_task();

create function public.decide_execution(uuid, boolean, text default null) returns public.tool_executions
  language sql set search_path = '' as 'select null::public.tool_executions';
create function private.end_task(public.tasks, text, jsonb, text) returns void
  language sql set search_path = '' as '';
create function private.record_intent(public.tasks, uuid, integer, integer, jsonb) returns void
  language sql set search_path = '' as '';
create function private.result_record(uuid, uuid) returns jsonb
  language sql set search_path = '' as 'select null::jsonb';
create function private.still_waits(uuid, text) returns boolean
  language sql set search_path = '' as 'select true';
create function private.turn_record(uuid) returns jsonb
  language sql set search_path = '' as 'select null::jsonb';
create function public.worker_finish_execution(
  uuid, uuid, uuid, text, text, jsonb, text, integer, jsonb default null, jsonb default '[]'
) returns jsonb
  language sql set search_path = '' as 'select null::jsonb';
create function public.worker_new_messages(uuid, uuid, bigint) returns setof public.messages
  language sql set search_path = '' as 'select m from public.messages m limit 0';
create function public.worker_record_turn(uuid, uuid, integer, text, jsonb, jsonb, jsonb) returns jsonb
  language sql set search_path = '' as 'select null::jsonb';
create function public.worker_register(uuid, text, integer, text, integer) returns jsonb
  language sql set search_path = '' as 'select null::jsonb';
create function public.worker_settle(uuid, uuid, text, jsonb, text) returns void
  language sql set search_path = '' as '';
create function public.worker_start_execution(uuid, uuid, uuid) returns void
  language sql set search_path = '' as '';
create function public.worker_suspend(uuid, uuid, text) returns void
  language sql set search_path = '' as '';
