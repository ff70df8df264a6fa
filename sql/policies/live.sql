-- The servers of live streams connect as agent_worker; a person reads the timeline by its own policy.

do $$
declare
  v_function text;
begin
  foreach v_function in array array['web_read_events(uuid[], bigint[], integer)', 'web_last_event(uuid)'] loop
    execute format('revoke all on function public.%s from public, anon, authenticated, service_role, agent_worker', v_function);
    execute format('grant execute on function public.%s to agent_worker', v_function);
  end loop;
end
$$;
