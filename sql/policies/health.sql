-- Who may say how things are, and who may ask.

revoke all on private.duties from public, anon, authenticated, service_role, agent_worker;
revoke all on function public.worker_report(uuid, jsonb) from public, anon, authenticated, service_role, agent_worker;
grant execute on function public.worker_report(uuid, jsonb) to agent_worker, service_role;
revoke all on function public.runtime_health() from public, anon, authenticated, service_role, agent_worker;
grant execute on function public.runtime_health() to authenticated;
