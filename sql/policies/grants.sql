-- Who may do what at all, stated in full: Supabase's default privileges grant everything to anon, authenticated and
-- service_role by name, so each is revoked by name first. What a granted verb may touch is decided by the policies, and what
-- it may change by the triggers: a grant alone is never what protects a row.

do $$
declare
  v_tables constant text[] := array[
    'tenants', 'users', 'agents', 'conversations', 'messages', 'tasks', 'task_events', 'tools', 'tool_executions', 'files',
    'system_config', 'audit_logs', 'workers', 'conversation_details', 'tool_statistics'
  ];
  v_name text;
begin
  foreach v_name in array v_tables loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role, agent_worker', v_name);
    -- The service key reads everything. What it writes is stated below; the state of tasks it changes by functions alone.
    execute format('grant select on public.%I to service_role', v_name);
  end loop;
  revoke all on public.messages_seq, public.task_events_id_seq from public, anon, authenticated, service_role, agent_worker;
  grant select on public.messages_seq, public.task_events_id_seq to service_role;
end
$$;

grant select on public.tenants, public.task_events, public.tools, public.tool_executions, public.system_config, public.audit_logs,
  public.workers, public.conversation_details, public.tool_statistics to authenticated;
grant select, update on public.users to authenticated;
grant select, insert, update, delete on public.agents to authenticated;
grant select, insert, update on public.conversations, public.tasks to authenticated;
grant select, insert on public.messages, public.files to authenticated;

grant insert, update, delete on public.agents, public.tools, public.system_config to service_role;
grant insert, update on public.tenants to service_role;
grant update on public.users to service_role;
grant update on public.tasks, public.conversations to service_role;

-- Functions. Nothing in private is callable but what the caller's own policies, triggers and functions name.
revoke all on all functions in schema private from public, anon, authenticated, service_role, agent_worker;
grant execute on function
  private.me(), private.my_tenant(), private.is_admin(), private.can_write(), private.acts_as_owner(oid),
  private.agent_named(text), private.trimmed(text)
  to authenticated, service_role;

revoke all on function
  public.update_updated_at_column(),
  public.worker_register(uuid, text, integer, text, integer),
  public.worker_config(),
  public.worker_renew(uuid, uuid[], uuid[], double precision),
  public.worker_stopped(uuid),
  public.worker_claim(uuid, integer, double precision),
  public.worker_reap(integer),
  public.worker_context(uuid, uuid),
  public.worker_new_messages(uuid, uuid, bigint),
  public.worker_record_turn(uuid, uuid, integer, text, jsonb, jsonb, jsonb),
  public.worker_start_execution(uuid, uuid, uuid),
  public.worker_finish_execution(uuid, uuid, uuid, text, text, jsonb, text, integer, jsonb, jsonb),
  public.worker_suspend(uuid, uuid, text),
  public.worker_settle(uuid, uuid, text, jsonb, text),
  public.worker_release(uuid, uuid, double precision, text),
  public.worker_add_files(uuid, uuid, jsonb),
  public.worker_expired_files(integer),
  public.worker_forget_files(uuid[]),
  public.sync_tools(jsonb),
  public.submit_task(text, text, integer, text, uuid, uuid, jsonb, jsonb, timestamptz, text),
  public.cancel_task(uuid),
  public.answer_task(uuid, text),
  public.decide_execution(uuid, boolean, text),
  public.runtime_status()
  from public, anon, authenticated, service_role, agent_worker;

grant execute on function
  public.worker_register(uuid, text, integer, text, integer),
  public.worker_config(),
  public.worker_renew(uuid, uuid[], uuid[], double precision),
  public.worker_stopped(uuid),
  public.worker_claim(uuid, integer, double precision),
  public.worker_reap(integer),
  public.worker_context(uuid, uuid),
  public.worker_new_messages(uuid, uuid, bigint),
  public.worker_record_turn(uuid, uuid, integer, text, jsonb, jsonb, jsonb),
  public.worker_start_execution(uuid, uuid, uuid),
  public.worker_finish_execution(uuid, uuid, uuid, text, text, jsonb, text, integer, jsonb, jsonb),
  public.worker_suspend(uuid, uuid, text),
  public.worker_settle(uuid, uuid, text, jsonb, text),
  public.worker_release(uuid, uuid, double precision, text),
  public.worker_add_files(uuid, uuid, jsonb),
  public.worker_expired_files(integer),
  public.worker_forget_files(uuid[])
  to agent_worker, service_role;

grant execute on function
  public.submit_task(text, text, integer, text, uuid, uuid, jsonb, jsonb, timestamptz, text),
  public.cancel_task(uuid),
  public.answer_task(uuid, text),
  public.decide_execution(uuid, boolean, text),
  public.runtime_status()
  to authenticated;

grant execute on function public.sync_tools(jsonb), public.cancel_task(uuid) to service_role;
