-- Who may read what lists are made of. The views show what the caller's own policies let through.

do $$
declare
  v_name text;
begin
  foreach v_name in array array['current_files', 'task_overview', 'waiting_executions'] loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role, agent_worker', v_name);
    execute format('grant select on public.%I to authenticated', v_name);
  end loop;
  grant select on public.current_files, public.task_overview to service_role;
  foreach v_name in array array['owner_name(uuid)', 'decider_name(uuid)'] loop
    execute format('revoke all on function private.%s from public, anon, authenticated, service_role, agent_worker', v_name);
    execute format('grant execute on function private.%s to authenticated, service_role', v_name);
  end loop;
  revoke all on function private.found_tasks(text, text[], uuid, timestamptz, uuid, integer, text)
    from public, anon, authenticated, service_role, agent_worker;
  grant execute on function private.found_tasks(text, text[], uuid, timestamptz, uuid, integer, text) to authenticated;
  foreach v_name in array array[
    'search_tasks(text, text[], uuid, timestamptz, integer, uuid, text)', 'task_people(uuid)'
  ] loop
    execute format('revoke all on function public.%s from public, anon, authenticated, service_role, agent_worker', v_name);
    execute format('grant execute on function public.%s to authenticated', v_name);
  end loop;
end
$$;
