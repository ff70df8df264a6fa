-- What the worker's and the person's functions are made of.
--
-- Locks are taken in one order everywhere: the task's row, then the conversation's advisory lock, then the rest. The task's
-- row makes writes of one run serialise with a reap or a cancel; the conversation's lock makes the order of messages.seq and
-- of task_events.id the order of commit, so that a reader who resumes after the last id it saw misses nothing.
-- Rows are locked FOR NO KEY UPDATE: a foreign key's own lock, taken by a message that names the task while it holds the
-- conversation, must not wait for us, or each would wait for the other.
--
-- Error codes that clients map to exceptions:
--   AR001 lease lost          AR002 not found           AR003 not in a state that allows this
--   AR004 approval missing    AR005 invalid input       AR006 limit reached
--   AR007 releases do not fit together
create or replace function private.lock_conversation(p_conversation uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_conversation::text, 4201));
end
$$;

create or replace function private.digest(p_value jsonb) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_value::text, 'UTF8')), 'hex');
end
$$;

create or replace function private.append_event(p_task uuid, p_conversation uuid, p_tenant uuid, p_kind text, p_payload jsonb)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_conversation::text, 4201));
  insert into public.task_events (task_id, tenant_id, kind, payload, owner_id)
  values (p_task, p_tenant, p_kind, p_payload, (select t.user_id from public.tasks t where t.id = p_task));
end
$$;

create or replace function private.add_message(
  p_task public.tasks, p_role text, p_content text, p_metadata jsonb, p_tool_calls jsonb default null,
  p_tool_call_id text default null
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id uuid;
begin
  -- tenant_id and seq are set by triggers.
  insert into public.messages (conversation_id, task_id, role, content, metadata, tool_calls, tool_call_id)
  values (p_task.conversation_id, p_task.id, p_role, p_content, p_metadata, p_tool_calls, p_tool_call_id)
  returning id into v_id;
  return v_id;
end
$$;

create or replace function private.messages_after(p_conversation uuid, p_seq bigint) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_agg(to_jsonb(m) - '{tenant_id,owner_id}'::text[] order by m.seq), '[]')
  from public.messages m
  where m.conversation_id = p_conversation and m.seq > coalesce(p_seq, 0)
$$;

create or replace function private.has_unseen_message(p_task public.tasks) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from public.messages m
    where m.conversation_id = p_task.conversation_id and m.role = 'user' and (m.task_id = p_task.id or m.task_id is null)
      and m.seq > (
        select coalesce((a.metadata ->> 'seen_seq')::bigint, a.seq)
        from public.messages a
        where a.conversation_id = p_task.conversation_id and a.task_id = p_task.id and a.role = 'assistant'
        order by a.seq desc
        limit 1
      )
  )
$$;
comment on function private.has_unseen_message(public.tasks) is 'Whether a person wrote something that the model''s last turn had not seen.';

create or replace function private.leased_task(p_task uuid, p_lease uuid, p_release text default null) returns public.tasks
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
begin
  -- Lock first, compare after: a rescue that commits while we wait for the lock is then seen, and the late write refused.
  select * into v_task from public.tasks t where t.id = p_task for no key update;
  if not found or v_task.status <> 'running' or v_task.lease_token is distinct from p_lease then
    if v_task.last_release = p_release then
      return null;  -- given back in this very way: a repetition, whose first answer was lost
    end if;
    raise exception using errcode = 'AR001', message = format('the lease on task %s is lost', p_task);
  end if;
  perform pg_catalog.set_config('agent_runtime.actor', 'worker:' || coalesce(v_task.worker_id::text, '?'), true);
  return v_task;
end
$$;
comment on function private.leased_task(uuid, uuid, text) is
  'Locks and returns the task, or raises AR001; null when the lease was given back as p_release says. Every fenced write begins with it.';

create or replace function private.execution_of(p_task uuid, p_execution uuid) returns public.tool_executions
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_execution public.tool_executions;
begin
  select * into v_execution from public.tool_executions e where e.id = p_execution and e.task_id = p_task for no key update;
  if not found then
    raise exception using errcode = 'AR002', message = format('task %s has no tool execution %s', p_task, p_execution);
  end if;
  return v_execution;
end
$$;

create or replace function private.bump_usage(p_usage jsonb, p_added jsonb) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select p_usage || coalesce(
    (
      select pg_catalog.jsonb_object_agg(a.key, coalesce((p_usage ->> a.key)::numeric, 0) + (a.value #>> '{}')::numeric)
      from pg_catalog.jsonb_each(p_added) a
      where pg_catalog.jsonb_typeof(a.value) = 'number'
    ),
    '{}'
  )
$$;
comment on function private.bump_usage(jsonb, jsonb) is 'Adds each number of the second object to the first''s.';
