-- What an operator changes: the platform. And what a person may do at all, for screens that must show it.
--
-- Whoever is_operator is made by the owner's SQL alone (seed/admin/promote_user_to_operator.sql). Each function asks who it is itself,
-- and refuses while a tool acts for somebody; the audit's triggers write down what changed, as that person.

create or replace function public.my_access() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me constant public.users := private.myself();
begin
  return jsonb_build_object(
    'user_id', v_me.id,
    'tenant_id', v_me.tenant_id,
    'tenant_name', (select t.name from public.tenants t where t.id = v_me.tenant_id),
    'home_tenant_id', v_me.home_tenant_id,
    'role', v_me.role,
    'is_operator', v_me.is_operator,
    'can_write', v_me.role in ('admin', 'user'),
    'is_admin', v_me.role = 'admin',
    'email', v_me.email,
    'full_name', v_me.full_name
  );
end
$$;
comment on function public.my_access() is
  'Who the signed-in person is and may do: {user_id, tenant_id, tenant_name, home_tenant_id, role, is_operator, can_write, is_admin, '
  'email, full_name}. For screens alone: each policy and function asks again.';

create or replace function private.require_operator() returns public.users
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
begin
  perform private.require_person();
  v_me := private.myself();
  if not v_me.is_operator then
    raise exception using errcode = '42501', message = 'only an operator of the platform can do this';
  end if;
  return v_me;
end
$$;
comment on function private.require_operator() is 'The operator who asks; 42501 for everybody else.';

create or replace function public.set_configuration(p_key text, p_value jsonb) returns public.system_config
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me constant public.users := private.require_operator();
  v_row public.system_config;
begin
  select * into v_row from public.system_config c where c.config_key = p_key for no key update;
  if not found then
    raise exception using
      errcode = 'AR002', message = format('there is no key %s in the configuration', to_jsonb(left(p_key, 100)));
  elsif octet_length(p_value::text) > 65536 then
    raise exception using
      errcode = 'AR006',
      message = format('limit value_bytes reached: %s bytes, at most 65536 are taken', octet_length(p_value::text));
  end if;
  update public.system_config c
  set config_value = private.configuration_value(c.config_key, p_value), updated_by = v_me.id
  where c.id = v_row.id
  returning * into v_row;
  return v_row;
end
$$;
comment on function public.set_configuration(text, jsonb) is
  'An operator sets a key of the configuration that is there. Numbers and booleans are taken as such and as text.';

create or replace function private.change_tool(
  p_tool public.tools, p_is_enabled boolean, p_requires_confirmation boolean, p_approvals_required integer,
  p_timeout_seconds integer, p_output_limit_bytes integer
) returns public.tools
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tool public.tools;
  v_problem constant text := case
    when coalesce(
      p_is_enabled::text, p_requires_confirmation::text, p_approvals_required::text, p_timeout_seconds::text,
      p_output_limit_bytes::text
    ) is null
      then 'nothing to change: is_enabled or another parameter is not set'
    when p_tool.category = 'control' and (p_is_enabled is false or p_requires_confirmation)
      then format('%s is part of the loop: it is not to be switched off, since no task could plan, ask or end', p_tool.name)
    when p_approvals_required not between 1 and 2 then format('approvals_required %s is not 1 or 2', p_approvals_required)
    when p_timeout_seconds not between 1 and 86400 then format('timeout_seconds %s is not between 1 and 86400', p_timeout_seconds)
    when p_output_limit_bytes not between 256 and 131072
      then format('output_limit_bytes %s is not between 256 and 131072', p_output_limit_bytes)
  end;
begin
  if v_problem is not null then
    raise exception using errcode = 'AR005', message = v_problem;
  end if;
  update public.tools t
  set is_enabled = coalesce(p_is_enabled, t.is_enabled),
      requires_confirmation = coalesce(p_requires_confirmation, t.requires_confirmation),
      approvals_required = coalesce(p_approvals_required, t.approvals_required),
      timeout_seconds = coalesce(p_timeout_seconds, t.timeout_seconds),
      output_limit_bytes = coalesce(p_output_limit_bytes, t.output_limit_bytes)
  where t.id = p_tool.id
  returning * into v_tool;
  return v_tool;
end
$$;
comment on function private.change_tool(public.tools, boolean, boolean, integer, integer, integer) is
  'Sets what is not null, or raises AR005. Who may is for the caller to ask.';

create or replace function public.set_tool(
  p_tool uuid, p_is_enabled boolean default null, p_requires_confirmation boolean default null,
  p_approvals_required integer default null, p_timeout_seconds integer default null, p_output_limit_bytes integer default null
) returns public.tools
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
  v_tool public.tools;
begin
  perform private.require_person();
  v_me := private.myself();
  select * into v_tool
  from public.tools t
  where t.id = p_tool and (t.tenant_id is null or t.tenant_id = v_me.tenant_id)
  for no key update;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no tool %s', p_tool);
  elsif v_tool.tenant_id is null and not v_me.is_operator then
    raise exception using errcode = '42501', message = 'only an operator of the platform can change a tool of the platform';
  elsif v_tool.tenant_id is not null and v_me.role <> 'admin' then
    raise exception using errcode = '42501', message = 'only an admin of the tenant can do this';
  end if;
  return private.change_tool(
    v_tool, p_is_enabled, p_requires_confirmation, p_approvals_required, p_timeout_seconds, p_output_limit_bytes
  );
end
$$;
comment on function public.set_tool(uuid, boolean, boolean, integer, integer, integer) is
  'Says how a tool may be used: an operator of the platform''s, an admin of the tenant''s own. What is left null stays as it is. It '
  'holds from the next call on, in tasks that run too.';

create or replace function public.platform_tenants(p_search text default null, p_limit integer default 100)
returns table (id uuid, slug text, name text, members bigint, limits jsonb, created_at timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform private.require_operator();
  return query
  select t.id, t.slug::text, t.name::text, (select count(*) from public.users u where u.tenant_id = t.id),
         coalesce(t.settings -> 'limits', '{}'), t.created_at
  from public.tenants t
  where coalesce(btrim(p_search), '') = ''
     or starts_with(t.slug, lower(btrim(p_search)))
     or strpos(lower(t.name), lower(btrim(p_search))) > 0
  order by t.slug
  limit least(greatest(coalesce(p_limit, 100), 1), 1000);
end
$$;
comment on function public.platform_tenants(text, integer) is
  'For an operator: the tenants and their limits, those whose slug begins with p_search or whose name holds it. Nothing of what is in them.';

create or replace function public.set_tenant_limits(p_tenant uuid, p_limits jsonb) returns public.tenants
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_limits constant jsonb := private.json(p_limits);
  v_tenant public.tenants;
begin
  perform private.require_operator();
  if v_limits is null or jsonb_typeof(v_limits) <> 'object' then
    raise exception using errcode = 'AR005', message = 'limits is an object that gives each limit a number';
  end if;
  -- A trigger checks the names and the numbers (functions/limits.sql).
  update public.tenants t
  set settings = case when v_limits = '{}' then t.settings - 'limits' else t.settings || jsonb_build_object('limits', v_limits) end
  where t.id = p_tenant
  returning * into v_tenant;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no tenant %s', p_tenant);
  end if;
  return v_tenant;
end
$$;
comment on function public.set_tenant_limits(uuid, jsonb) is
  'An operator sets the limits of a tenant, all that hold: {"steps": 50}; {} for none. Its tasks heed them from their next claim at the latest.';
