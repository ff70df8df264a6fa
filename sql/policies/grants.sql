-- Who may do what at all, stated in full: Supabase's default privileges grant everything to anon, authenticated and
-- service_role by name, so each is revoked by name first. What a granted verb may touch is decided by the policies, and what
-- it may change by the triggers: a grant alone is never what protects a row.

do $$
declare
  v_tables constant text[] := array[
    'tenants', 'users', 'agents', 'conversations', 'messages', 'tasks', 'task_events', 'tools', 'tool_executions', 'execution_decisions', 'files',
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

grant select on public.tenants, public.task_events, public.tools, public.tool_executions, public.execution_decisions,
  public.system_config, public.audit_logs, public.workers, public.conversation_details, public.tool_statistics to authenticated;
grant select, update on public.users to authenticated;
grant select, insert, update, delete on public.agents to authenticated;
grant select, insert, update on public.conversations, public.tasks to authenticated;
grant select, insert on public.messages, public.files to authenticated;

grant update, delete on public.agents to service_role;
grant insert, update, delete on public.tools, public.system_config to service_role;
grant insert, update on public.tenants to service_role;
grant update on public.users to service_role;
grant update on public.tasks, public.conversations to service_role;

-- Functions. Nothing in private is callable but what the caller's own policies, triggers and functions name.
revoke all on all functions in schema private from public, anon, authenticated, service_role, agent_worker;
grant execute on function
  private.me(), private.my_tenant(), private.my_tenants(), private.me_by_hint(),
  private.my_tenant_as_admin(), private.is_admin(), private.can_write(), private.acts_as_owner(oid),
  private.agent_named(text), private.trimmed(text), private.json(jsonb), private.ask_of_task(uuid, boolean)
  to authenticated, service_role;

do $$
declare
  v_worker constant text[] := array[
    'worker_register(uuid, text, integer, text, integer, integer, text)',
    'worker_list()',
    'worker_backlog()',
    'worker_config()',
    'worker_renew(uuid, uuid[], uuid[], double precision)',
    'worker_stopped(uuid)',
    'worker_claim(uuid, integer, double precision, uuid, boolean)',
    'worker_reap(integer)',
    'worker_context(uuid, uuid)',
    'worker_record_turn(uuid, uuid, integer, text, jsonb, jsonb, jsonb, bigint, boolean)',
    'worker_start_execution(uuid, uuid, uuid, boolean)',
    'worker_finish_execution(uuid, uuid, uuid, text, text, jsonb, text, integer, jsonb, jsonb, bigint, uuid)',
    'worker_suspend(uuid, uuid, text)',
    'worker_settle(uuid, uuid, text, jsonb, text)',
    'worker_release(uuid, uuid, double precision, text)',
    'worker_add_files(uuid, uuid, jsonb)',
    'worker_expired_files(integer)',
    'worker_forget_files(uuid[])'
  ];
  v_person constant text[] := array[
    'submit_task(text, text, integer, text, uuid, uuid, jsonb, jsonb, timestamptz, text)',
    'cancel_task(uuid)',
    'answer_task(uuid, text)',
    'pause_task(uuid)',
    'resume_task(uuid)',
    'decide_execution(uuid, boolean, text, jsonb, text)',
    'settle_execution(uuid, boolean, text)',
    'runtime_status()'
  ];
  v_service constant text[] := array['sync_tools(jsonb)', 'cancel_task(uuid)'];
  v_nobody constant text[] := array['update_updated_at_column()'];
  v_function text;
begin
  foreach v_function in array v_worker || v_person || v_service || v_nobody loop
    execute format('revoke all on function public.%s from public, anon, authenticated, service_role, agent_worker', v_function);
  end loop;
  foreach v_function in array v_worker loop
    execute format('grant execute on function public.%s to agent_worker, service_role', v_function);
  end loop;
  foreach v_function in array v_person loop
    execute format('grant execute on function public.%s to authenticated', v_function);
  end loop;
  foreach v_function in array v_service loop
    execute format('grant execute on function public.%s to service_role', v_function);
  end loop;
end
$$;
