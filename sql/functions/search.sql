-- Full-text search over the messages that the caller may read.
--
-- Under row-level security the words cannot be looked up in the index: `@@` is not leakproof, so that the policies come first, row
-- by row. This function goes past the policies and applies the rule of visibility itself (policies/conversations.sql), so that
-- the index and the rule narrow the search together. tests/db/test_visibility.py holds it against the policies.

create or replace function public.search_messages(p_query text, p_limit integer default 50) returns setof public.messages
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_me constant uuid := private.me();
  v_mine constant uuid[] := private.my_tenants();
  v_tenant constant uuid := private.my_tenant();
  v_administered constant uuid := private.my_tenant_as_admin();
  v_spanish constant tsquery := websearch_to_tsquery('pg_catalog.spanish', p_query);
  v_english constant tsquery := websearch_to_tsquery('pg_catalog.english', p_query);
begin
  return query
  select m.*
  from public.messages m
  join public.conversations c on c.id = m.conversation_id
  where (
      to_tsvector('pg_catalog.spanish', m.content) @@ v_spanish or to_tsvector('pg_catalog.english', m.content) @@ v_english
    )
    and (
      (c.user_id = v_me and c.tenant_id = any (v_mine))
      or (c.tenant_id = v_tenant and c.is_shared)
      or c.tenant_id = v_administered
    )
  order by m.seq desc
  limit least(greatest(coalesce(p_limit, 50), 1), 200);
end
$$;
comment on function public.search_messages(text, integer) is
  'The newest messages, of those that the caller may read, with these words, in Spanish or in English; "quoted phrases", or, and -not are understood.';
