-- The list of tasks: filtered, searched, newest first, page by page. Tasks that another one spawned are counted there; only who looks
-- for words or states finds them in the list, too.
--
-- Which tasks is asked past the policies, with their rule, so that each way to see a task is read from an index of its own and the
-- words from theirs (as in functions/search.sql). What is shown of them comes from the view, under the caller's own policies.

create or replace function private.found_tasks(
  p_query text, p_status text[], p_agent uuid, p_before timestamptz, p_before_id uuid, p_limit integer, p_whose text
) returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_me constant uuid := private.me();
  v_mine constant uuid[] := private.my_tenants();
  v_tenant constant uuid := private.my_tenant();
  v_administered constant uuid := private.my_tenant_as_admin();
  v_words constant text := nullif(btrim(p_query), '');
  v_spanish constant tsquery := websearch_to_tsquery('pg_catalog.spanish', v_words);
  v_english constant tsquery := websearch_to_tsquery('pg_catalog.english', v_words);
  v_before_id constant uuid := coalesce(p_before_id, '00000000-0000-0000-0000-000000000000');
  v_found uuid[];
begin
  select array_agg(f.id) into v_found
  from (
    (
      select t.id, t.created_at
      from public.tasks t
      where t.user_id = v_me and t.tenant_id = any (v_mine) and coalesce(p_whose, 'mine') = 'mine'
        and (p_status is null or t.status = any (p_status))
        and (p_agent is null or t.agent_id = p_agent)
        and (p_before is null or (t.created_at, t.id) < (p_before, v_before_id))
        and (v_words is null or t.search @@ v_spanish or t.search @@ v_english)
        and (t.spawn_id is null or v_words is not null or p_status is not null)
      order by t.created_at desc, t.id desc
      limit p_limit
    )
    union all
    (
      select t.id, t.created_at
      from public.tasks t
      where t.tenant_id = v_administered and t.user_id <> v_me and coalesce(p_whose, 'shared') = 'shared'
        and (p_status is null or t.status = any (p_status))
        and (p_agent is null or t.agent_id = p_agent)
        and (p_before is null or (t.created_at, t.id) < (p_before, v_before_id))
        and (v_words is null or t.search @@ v_spanish or t.search @@ v_english)
        and (t.spawn_id is null or v_words is not null or p_status is not null)
      order by t.created_at desc, t.id desc
      limit p_limit
    )
    union all
    (
      select t.id, t.created_at
      from public.conversations c
      join public.tasks t on t.conversation_id = c.id
      where c.tenant_id = v_tenant and c.is_shared and v_administered is null and t.user_id <> v_me
        and coalesce(p_whose, 'shared') = 'shared'
        and (p_status is null or t.status = any (p_status))
        and (p_agent is null or t.agent_id = p_agent)
        and (p_before is null or (t.created_at, t.id) < (p_before, v_before_id))
        and (v_words is null or t.search @@ v_spanish or t.search @@ v_english)
        and (t.spawn_id is null or v_words is not null or p_status is not null)
      order by t.created_at desc, t.id desc
      limit p_limit
    )
    order by created_at desc, id desc
    limit p_limit
  ) f;
  return coalesce(v_found, '{}');
end
$$;
comment on function private.found_tasks(text, text[], uuid, timestamptz, uuid, integer, text) is
  'The ids of those tasks that the caller sees and that fit: own ones, and then those of an admin''s tenant, or what is shared.';

create or replace function public.search_tasks(
  p_query text default null, p_status text[] default null, p_agent uuid default null, p_before timestamptz default null,
  p_limit integer default 50, p_before_id uuid default null, p_whose text default null
) returns setof public.task_overview
language plpgsql stable security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_ids uuid[];
begin
  if p_whose is not null and p_whose not in ('mine', 'shared') then
    raise exception using errcode = 'AR005', message = format('p_whose %s is not mine or shared', to_jsonb(left(p_whose, 100)));
  end if;
  v_ids := private.found_tasks(p_query, p_status, p_agent, p_before, p_before_id, v_limit, p_whose);
  return query
  select o.* from public.task_overview o where o.id = any (v_ids) order by o.created_at desc, o.id desc;
end
$$;
comment on function public.search_tasks(text, text[], uuid, timestamptz, integer, uuid, text) is
  'The newest tasks that the caller may see: with these words, in Spanish or in English ("quoted phrases", or, and -not are understood), '
  'in one of these states, of this agent, mine or (of others, to be seen by me) shared. The next page: p_before and p_before_id are '
  'created_at and id of the last row.';
