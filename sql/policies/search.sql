-- Who may search. What is found is decided in the function.

revoke all on function public.search_messages(text, integer) from public, anon, authenticated, service_role, agent_worker;
grant execute on function public.search_messages(text, integer) to authenticated;
