-- Conversations with their agent and counts. security_invoker: the caller's own policies decide which rows there are.

create or replace view public.conversation_details with (security_invoker = true) as
select
  c.id,
  c.title,
  c.status,
  c.created_at,
  c.updated_at,
  u.username,
  u.full_name,
  a.name as agent_name,
  a.description as agent_description,
  (select count(*) from public.messages m where m.conversation_id = c.id) as message_count,
  (select count(*) from public.tasks t where t.conversation_id = c.id) as task_count
from public.conversations c
-- Left joins: somebody else's profile and a retired agent may be hidden, the conversation is not.
left join public.users u on u.id = c.user_id
left join public.agents a on a.id = c.agent_id;
