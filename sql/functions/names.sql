-- Who people are to one another: a name, and no more. Profiles stay hidden (policies/users.sql), but whose task it is that one may
-- see, and who decided about its calls, is no secret. Each function looks first whether the caller sees the conversation.

create or replace function private.sees_conversation(p_conversation uuid) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- The rule of policies/conversations.sql, asked of one row.
  return exists (
    select from public.users m
    join public.conversations c on c.id = p_conversation
    where m.id = private.claimed() and m.is_active
      and (
        (c.user_id = m.id and c.tenant_id in (m.tenant_id, m.home_tenant_id))
        or (c.tenant_id = m.tenant_id and (c.is_shared or m.role = 'admin'))
      )
  );
end
$$;

create or replace function private.shown_name(p_user public.users) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce(nullif(btrim(p_user.full_name), ''), p_user.username)
$$;

create or replace function private.owner_name(p_conversation uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select private.shown_name(u)
    from public.conversations c
    join public.users u on u.id = c.user_id
    where c.id = p_conversation and private.sees_conversation(c.id)
  );
end
$$;
comment on function private.owner_name(uuid) is 'The name of whose conversation it is, for who sees it; null for everybody else.';

create or replace function private.decider_name(p_decision uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select private.shown_name(u)
    from public.execution_decisions d
    join public.users u on u.id = d.user_id
    join public.tool_executions e on e.id = d.execution_id
    join public.tasks t on t.id = e.task_id
    where d.id = p_decision and private.sees_conversation(t.conversation_id)
  );
end
$$;
comment on function private.decider_name(uuid) is 'The name of who decided, for who sees the task; null for everybody else.';

create or replace function public.task_people(p_task uuid) returns table (user_id uuid, name text, is_me boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_owner constant uuid := (
    select t.user_id from public.tasks t where t.id = p_task and private.sees_conversation(t.conversation_id)
  );
begin
  if v_owner is null then
    return;
  end if;
  return query
  select u.id, private.shown_name(u), u.id = private.me()
  from (
    select v_owner as id
    union
    select d.user_id
    from public.tool_executions e
    join public.execution_decisions d on d.execution_id = e.id
    where e.task_id = p_task
    union
    select f.uploaded_by from public.files f where f.task_id = p_task
  ) p
  join public.users u on u.id = p.id
  order by u.id = v_owner desc, 2, 1;
end
$$;
comment on function public.task_people(uuid) is
  'Whose task it is, and who decided about its calls or uploaded files to it: the names that its timeline needs. The owner comes first.';
