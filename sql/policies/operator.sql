-- Who may call what changes the platform, and makes agents and trials. Each asks by itself who it is.

do $$
declare
  v_function text;
begin
  foreach v_function in array array[
    'my_access()',
    'set_configuration(text, jsonb)',
    'set_tool(uuid, boolean, boolean, integer, integer, integer)',
    'platform_tenants(text, integer)',
    'set_tenant_limits(uuid, jsonb)',
    'clone_agent(uuid, text)',
    'publish_agent(uuid, text)',
    'try_tool(uuid, jsonb)'
  ] loop
    execute format('revoke all on function public.%s from public, anon, authenticated, service_role, agent_worker', v_function);
    execute format('grant execute on function public.%s to authenticated', v_function);
  end loop;
  -- What policies and triggers ask, as the caller.
  revoke all on function private.is_operator() from public, anon, authenticated, service_role, agent_worker;
  grant execute on function private.is_operator() to authenticated, service_role;
end
$$;
