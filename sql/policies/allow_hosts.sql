-- Who may say which hosts the tools of a tenant reach. The function asks by itself whether it is an operator.

revoke all on function public.set_tenant_allow_hosts(uuid, jsonb) from public, anon, authenticated, service_role, agent_worker;
grant execute on function public.set_tenant_allow_hosts(uuid, jsonb) to authenticated;
revoke all on function private.check_allow_hosts() from public, anon, authenticated, service_role, agent_worker;
