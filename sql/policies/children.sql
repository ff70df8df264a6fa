-- Who may make children: a worker for the call that it runs, a person again for what failed.

revoke all on private.family_news from public, anon, authenticated, service_role, agent_worker;
revoke all on function public.worker_children(uuid, uuid, uuid), public.retry_children(uuid, integer, integer[])
  from public, anon, authenticated, service_role, agent_worker;
grant execute on function public.worker_children(uuid, uuid, uuid) to agent_worker, service_role;
grant execute on function public.retry_children(uuid, integer, integer[]) to authenticated;
