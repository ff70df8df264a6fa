-- Adds an agent to the catalogue, or changes the one of that name. For psql and the Supabase SQL editor, as the owner of the
-- tables; safe to run again. What is left null stays as it is; of a new agent it gets the default.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_name text := '';                      -- 'Data analyst'
  v_system_prompt text := null;           -- what the agent is told first; a new agent needs one
  v_description text := null;             -- for people who choose an agent
  v_model_name text := null;              -- 'qwen3:8b', or 'default' for the configuration's default_model
  v_temperature numeric := null;          -- 0 to 2
  v_max_tokens integer := null;           -- of one answer: 1 to 1000000
  v_tools_enabled text[] := null;         -- array['file_read', 'file_write']; control tools need no mention
  v_standing_permissions text[] := null;  -- dangerous tools that it may use without asking: array['shell_exec']
  v_outward_permissions jsonb := null;    -- what a tainted task may send where: '[{"tool": "pay", "destination": "ES91…"}]'
  v_limits jsonb := null;                 -- of each of its tasks: '{"steps": 50, "wall_seconds": 3600}'; '{}' for none
  v_is_public boolean := null;            -- false hides it from everybody
  v_is_active boolean := null;            -- false retires it: conversations stay, new tasks are refused
  --------------------------------------------------------------------------------------------------------------------------
  v_problem text;
  v_unknown text;
  v_unpermitted text;
  v_agent uuid;
begin
  v_name := btrim(coalesce(v_name, ''));
  select a.id into v_agent from public.agents a where a.name = v_name and a.tenant_id is null for no key update;
  select string_agg(n.name, ', ' order by n.name) into v_unknown
  from unnest(v_tools_enabled) as n (name)
  where not exists (select from public.tools t where t.name = n.name);
  select string_agg(n.name, ', ' order by n.name) into v_unpermitted
  from unnest(v_standing_permissions) as n (name)
  where not exists (select from public.tools t where t.name = n.name);
  v_problem := case
    when v_name = '' then 'set v_name first, at the top of this script'
    when length(v_name) > 255 then 'v_name is longer than 255 characters'
    when btrim(v_system_prompt) = '' then 'v_system_prompt is empty'
    when v_agent is null and v_system_prompt is null then format('set v_system_prompt: there is no agent %s yet', v_name)
    when v_model_name !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$' then format('v_model_name %s is no name of a model', v_model_name)
    when v_temperature not between 0 and 2 then format('v_temperature %s is not between 0 and 2', v_temperature)
    when v_max_tokens not between 1 and 1000000 then format('v_max_tokens %s is not between 1 and 1000000', v_max_tokens)
    when array_position(v_tools_enabled, null) is not null then 'v_tools_enabled holds a null'
    when array_position(v_standing_permissions, null) is not null then 'v_standing_permissions holds a null'
    when v_unpermitted is not null then format('v_standing_permissions names tools that are not there: %s', v_unpermitted)
    when v_unknown is not null then format('v_tools_enabled names tools that are not there: %s', v_unknown)
  end;
  if v_problem is not null then
    raise exception using
      errcode = 'AR005', message = v_problem,
      hint = 'Tools: ' || (select string_agg(t.name, ', ' order by t.name) from public.tools t where t.category <> 'control');
  end if;

  if v_agent is null then
    insert into public.agents (name, system_prompt, model_name, is_public)
    values (v_name, v_system_prompt, coalesce(v_model_name, 'default'), coalesce(v_is_public, true))
    returning id into v_agent;
  end if;
  update public.agents a
  set system_prompt = coalesce(v_system_prompt, a.system_prompt),
      description = coalesce(v_description, a.description),
      model_name = coalesce(v_model_name, a.model_name),
      temperature = coalesce(v_temperature, a.temperature),
      max_tokens = coalesce(v_max_tokens, a.max_tokens),
      tools_enabled = coalesce(v_tools_enabled, a.tools_enabled),
      standing_permissions = coalesce(v_standing_permissions, a.standing_permissions),
      outward_permissions = coalesce(v_outward_permissions, a.outward_permissions),
      configuration = case
        when v_limits is null then a.configuration
        when v_limits = '{}' then a.configuration - 'limits'
        else a.configuration || jsonb_build_object('limits', v_limits)
      end,
      is_public = coalesce(v_is_public, a.is_public),
      is_active = coalesce(v_is_active, a.is_active)
  where a.id = v_agent;
  raise notice 'agent % is in the catalogue', v_name;
end
$$;

select
  a.name,
  a.model_name,
  a.temperature,
  a.max_tokens,
  a.tools_enabled,
  a.standing_permissions,
  a.outward_permissions,
  a.configuration -> 'limits' as limits,
  a.is_public,
  a.is_active
from public.agents a
where a.tenant_id is null
order by a.name;
