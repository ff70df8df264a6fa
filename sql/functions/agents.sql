-- Agents that people make: what their columns take, said clearly, and copies.

-- Security invoker: which tools there are is what the caller sees of them. The owner's own statements, scripts and upgrades among
-- them, check for themselves.
create or replace function private.validate_agent() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_old public.agents := case when tg_op = 'UPDATE' then old end;
  v_unknown text;
  v_problem text;
begin
  if private.acts_as_owner(tg_relid) then
    return new;
  end if;
  select string_agg(distinct n.name, ', ') into v_unknown
  from (
    select unnest(new.tools_enabled) as name except select unnest(v_old.tools_enabled)
    union all
    (select unnest(new.standing_permissions) except select unnest(v_old.standing_permissions))
  ) n
  where not exists (select from public.tools t where t.name = n.name);
  v_problem := case
    when private.trimmed(new.name) = '' then 'the name of the agent is empty'
    when private.trimmed(new.system_prompt) = '' then 'the system prompt of the agent is empty'
    when octet_length(new.system_prompt) > 262144 then 'the system prompt is not within 262144 bytes'
    when octet_length(new.description) > 65536 then 'the description is not within 65536 bytes'
    when new.model_name !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$' then format('%s is not a name of a model', to_jsonb(new.model_name::text))
    when new.temperature not between 0 and 2 then format('temperature %s is not between 0 and 2', new.temperature)
    when new.max_tokens not between 1 and 1000000 then format('max_tokens %s is not between 1 and 1000000', new.max_tokens)
    when new.memory_limit not between 0 and 10000000 then format('memory_limit %s is not between 0 and 10000000', new.memory_limit)
    when jsonb_typeof(new.configuration) <> 'object' then 'configuration is not an object'
    when octet_length(new.configuration::text) > 65536 then 'configuration is not within 65536 bytes'
    when array_position(new.tools_enabled, null) is not null or array_position(new.standing_permissions, null) is not null
      then 'a tool without a name is not a tool'
    when v_unknown is not null then format('there is no tool named %s', left(v_unknown, 500))
  end;
  if v_problem is not null then
    raise exception using errcode = case when v_unknown is not null and starts_with(v_problem, 'there') then 'AR002' else 'AR005' end,
      message = v_problem;
  end if;
  -- In an agent that others use, they stand for other people's approvals.
  if new.is_public
     and not (case
       when new.tenant_id is null then private.is_operator()
       else coalesce(new.tenant_id = private.my_tenant_as_admin(), false)
     end)
     and not new.standing_permissions <@ (case when v_old.is_public then v_old.standing_permissions else '{}'::text[] end) then
    raise exception using
      errcode = '42501', message = 'only an admin can give standing permissions to an agent that is shared with the tenant';
  end if;
  return new;
end
$$;
-- After own_agent, by its name: whose it is is known then.
create or replace trigger validate_agent
  before insert or update on public.agents for each row execute function private.validate_agent();

create or replace function public.clone_agent(p_agent uuid, p_name text) returns public.agents
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_name constant text := private.trimmed(p_name);
  v_from public.agents;
  v_made public.agents;
begin
  if private.is_acting() then
    raise exception using errcode = '42501', message = 'a tool cannot do this: it is a person''s own decision';
  elsif private.me() is null or not private.can_write() then
    raise exception using errcode = '42501', message = 'a viewer changes nothing, and makes no agents';
  end if;
  select * into v_from from public.agents a where a.id = p_agent;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no agent %s', p_agent);
  elsif v_name = '' or char_length(v_name) > 255 then
    raise exception using errcode = 'AR005', message = 'the name of an agent is not within 1 to 255 characters';
  end if;
  -- Whose and in which tenant it is, a trigger says (triggers/ownership.sql).
  insert into public.agents (
    name, description, system_prompt, model_name, temperature, max_tokens, tools_enabled, memory_enabled, memory_limit,
    configuration, standing_permissions, outward_permissions, created_by, tenant_id
  )
  values (
    v_name, v_from.description, v_from.system_prompt, v_from.model_name, v_from.temperature, v_from.max_tokens,
    v_from.tools_enabled, v_from.memory_enabled, v_from.memory_limit, v_from.configuration,
    -- They were given to that agent, by who may: an admin of its tenant may give them again by copying it.
    case when v_from.tenant_id = private.my_tenant() and private.is_admin() then v_from.standing_permissions else '{}' end,
    case when v_from.tenant_id = private.my_tenant() and private.is_admin() then v_from.outward_permissions else '[]' end,
    private.me(), private.my_tenant()
  )
  returning * into v_made;
  return v_made;
end
$$;
comment on function public.clone_agent(uuid, text) is
  'A copy, of the person''s own, of an agent that the person sees: in the own tenant, not shared, without its permissions '
  'unless an admin copies an agent of the same tenant.';

create or replace function public.publish_agent(p_agent uuid, p_name text default null) returns public.agents
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me constant public.users := private.require_operator();
  v_from public.agents;
  v_name text;
begin
  select * into v_from
  from public.agents a
  where a.id = p_agent
    and (a.tenant_id is null or (a.tenant_id in (v_me.tenant_id, v_me.home_tenant_id)
         and (a.created_by = v_me.id or (a.tenant_id = v_me.tenant_id and (a.is_public or v_me.role = 'admin')))));
  v_name := coalesce(nullif(private.trimmed(p_name), ''), v_from.name);
  if v_from.id is null then
    raise exception using errcode = 'AR002', message = format('there is no agent %s', p_agent);
  elsif char_length(v_name) > 255 then
    raise exception using errcode = 'AR005', message = 'the name of an agent is not within 1 to 255 characters';
  elsif exists (select from public.agents a where a.tenant_id is null and a.name = v_name) then
    raise exception using errcode = 'AR003', message = format('the catalogue has an agent named %s already', to_jsonb(v_name));
  end if;
  insert into public.agents (
    name, description, system_prompt, model_name, temperature, max_tokens, tools_enabled, memory_enabled, memory_limit,
    configuration, is_public, tenant_id
  )
  values (
    v_name, v_from.description, v_from.system_prompt, v_from.model_name, v_from.temperature, v_from.max_tokens,
    v_from.tools_enabled, v_from.memory_enabled, v_from.memory_limit, v_from.configuration, true, null
  )
  returning * into v_from;
  return v_from;
end
$$;
comment on function public.publish_agent(uuid, text) is
  'An operator puts a copy of an agent, without its permissions, into the catalogue, where everybody can use it.';
