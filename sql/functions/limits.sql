-- The bounds of a task. Each can be set for the tenant (tenants.settings.limits), the agent (agents.configuration.limits) and the
-- task (tasks.limits), as {"steps": 50, …}; the tightest holds, and it is named when it is reached.

create or replace function private.limit_names() returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select array['steps', 'tool_calls', 'wall_seconds', 'model_tokens', 'output_tokens', 'output_bytes', 'child_tasks',
    'child_tasks_at_once', 'child_depth']
$$;

create or replace function private.limits_of(p_task public.tasks) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant jsonb;
  v_agent jsonb;
begin
  select t.settings -> 'limits', a.configuration -> 'limits' into v_tenant, v_agent
  from public.tenants t, public.agents a
  where t.id = p_task.tenant_id and a.id = p_task.agent_id;
  if v_tenant is null and v_agent is null then
    return p_task.limits;  -- nearly always: this is asked at each step
  end if;
  return (
    select coalesce(jsonb_object_agg(l.name, l.value), '{}')
    from (
      select e.key as name, min((e.value #>> '{}')::numeric) as value
      from unnest(array[v_tenant, v_agent, p_task.limits]) as p (place)
      cross join lateral jsonb_each(case when jsonb_typeof(p.place) = 'object' then p.place else '{}' end) e
      where jsonb_typeof(e.value) = 'number'
      group by e.key
    ) l
  );
end
$$;
comment on function private.limits_of(public.tasks) is 'The limits that hold for a task, by name: the tightest of tenant, agent and task.';

create or replace function private.require_limit(p_limits jsonb, p_name text, p_used numeric) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_used > (p_limits ->> p_name)::numeric then
    raise exception using
      errcode = 'AR006', message = format('limit %s reached: %s of %s', p_name, trim_scale(p_used), p_limits ->> p_name);
  end if;
end
$$;

create or replace function private.has_calls_left(p_task public.tasks, p_limits jsonb) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce((p_task.usage ->> 'tool_calls')::numeric, 0) + 1 <= coalesce((p_limits ->> 'tool_calls')::numeric, 'Infinity')
$$;
comment on function private.has_calls_left(public.tasks, jsonb) is 'Whether one more call is within the task''s limits.';

create or replace function private.check_limits() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_row jsonb := to_jsonb(new);
  v_limits jsonb := case tg_table_name
    when 'tasks' then v_row -> 'limits'
    when 'agents' then v_row -> 'configuration' -> 'limits'
    else v_row -> 'settings' -> 'limits'
  end;
  v_limit record;
begin
  if v_limits is null or v_limits = '{}' then
    return new;
  end if;
  if jsonb_typeof(v_limits) <> 'object' then
    raise exception using errcode = 'AR005', message = 'limits is an object that gives each limit a number';
  end if;
  for v_limit in select e.key, e.value from jsonb_each(v_limits) e loop
    if not v_limit.key = any (private.limit_names()) then
      raise exception using
        errcode = 'AR005',
        message = format('there is no limit %s; there are: %s', to_jsonb(left(v_limit.key, 100)),
                         array_to_string(private.limit_names(), ', '));
    end if;
    if jsonb_typeof(v_limit.value) <> 'number' or (v_limit.value #>> '{}')::numeric <= 0 then
      raise exception using
        errcode = 'AR005', message = format('limit %s is a number above 0, not %s', v_limit.key, left(v_limit.value::text, 100));
    end if;
  end loop;
  return new;
end
$$;
