-- Who may call what the database tools call.

do $$
declare
  v_function text;
begin
  revoke all on private.executed_statements from public, anon, authenticated, service_role, agent_worker, agent_query;
  foreach v_function in array array[
    'public.worker_query(uuid, uuid, text, integer, integer, integer)',
    'public.worker_execute(uuid, uuid, uuid, integer, integer, bigint)'
  ] loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role, agent_worker, agent_query', v_function);
    execute format('grant execute on function %s to agent_worker', v_function);
  end loop;
  -- A change runs in a session of its own, which is closed afterwards; the REST API keeps its sessions.
  grant execute on function public.worker_query(uuid, uuid, text, integer, integer, integer) to service_role;

  -- What runs as agent_query; it calls these and is called by the functions above.
  foreach v_function in array array[
    'run_query(text, integer, integer, timestamptz)', 'run_change(text, integer, integer, bigint)'
  ] loop
    execute format('revoke all on function private.%s from public, anon, authenticated, service_role, agent_worker', v_function);
  end loop;
  foreach v_function in array array[
    'is_callable(pg_catalog.pg_proc)', 'is_readable(pg_catalog.pg_class)', 'is_changeable(pg_catalog.pg_class)', 'parse_statement(text)',
    'require_statement(text, boolean)', 'lock_acting_task()', 'settle_constraints()',
    'result_row(json, integer)', 'read_rows(refcursor, integer, integer, bigint, timestamptz)'
  ] loop
    execute format('revoke all on function private.%s from public, anon, authenticated, service_role, agent_worker', v_function);
    execute format('grant execute on function private.%s to agent_query', v_function);
  end loop;
  -- What is a person's own decision asks this.
  grant execute on function private.is_acting() to authenticated, service_role;
end
$$;
