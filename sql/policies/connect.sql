-- Who may take a server's tools into the table. The function asks by itself who it is, and whose the server is.

revoke all on function public.adopt_server_tools(uuid) from public, anon, authenticated, service_role, agent_worker;
grant execute on function public.adopt_server_tools(uuid) to authenticated;
revoke all on function private.server_listing(uuid) from public, anon, authenticated, service_role, agent_worker;
revoke all on function private.disable_with_server() from public, anon, authenticated, service_role, agent_worker;
