-- Servers of tools (MCP). What a server offers is listed by a worker, as a call of the server's row; an admin takes it into the table
-- from there, so that what a model is told of a tool is what somebody has looked at, and stays the same until somebody looks again.

create or replace function private.server_listing(p_execution uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me public.users;
  v_listing record;
  v_problem text;
begin
  perform private.require_person();
  v_me := private.myself();
  if v_me.role <> 'admin' then
    raise exception using errcode = '42501', message = 'only an admin of the tenant can do this';
  end if;
  select t as server, e.status, e.output_result into v_listing
  from public.tool_executions e
  join public.tools t on t.id = e.tool_id
  where e.id = p_execution and e.tenant_id = v_me.tenant_id and (t.tenant_id is null or t.tenant_id = v_me.tenant_id);
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no tool execution %s', p_execution);
  end if;
  v_problem := case
    when (v_listing.server).implementation_type <> 'mcp' or not (v_listing.server).config ? 'transport'
      then format('tool %s is no server of tools', (v_listing.server).name)
    when v_listing.status <> 'completed' then format('tool execution %s is %s: there is no listing', p_execution, v_listing.status)
    when jsonb_typeof(v_listing.output_result #> '{data,tools}') is distinct from 'array'
      then format('tool execution %s has no listing', p_execution)
    when octet_length(v_listing.output_result::text) > 2097152 then 'the listing is over 2097152 bytes'
  end;
  if v_problem is not null then
    raise exception using errcode = 'AR003', message = v_problem;
  elsif (v_listing.server).tenant_id is null and not v_me.is_operator then
    raise exception using errcode = '42501', message = 'only an operator of the platform can change a tool of the platform';
  end if;
  return jsonb_build_object('server', (v_listing.server).id, 'tools', v_listing.output_result #> '{data,tools}');
end
$$;
comment on function private.server_listing(uuid) is
  'What a call of a server''s row listed, to an admin who may change that row: {"server": its id, "tools": what the worker wrote}.';

create or replace function public.adopt_server_tools(p_execution uuid) returns table (name text, change text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_listing constant jsonb := private.server_listing(p_execution);
  v_server public.tools;
  v_connection jsonb;
  v_prefix text;
begin
  select * into strict v_server from public.tools t where t.id = (v_listing ->> 'server')::uuid for no key update;
  v_connection := v_server.config - array['prefix', 'allow', 'deny'];
  v_prefix := coalesce(v_server.config ->> 'prefix', v_server.name || '_');
  return query
    with offered as (
      -- A worker wrote it from what a stranger said. How the server is reached is the row's word, never the listing's.
      select d.*, jsonb_build_object(
               'server', v_server.name, 'tool', d.config ->> 'tool', 'digest', d.config ->> 'digest', 'connection', v_connection
             ) as full_config
      from jsonb_to_recordset(v_listing -> 'tools') as d (
        name text, display_name text, description text, function_schema jsonb, config jsonb
      )
      where d.name ~ '^[a-z][a-z0-9_]{0,63}$' and starts_with(d.name, v_prefix) and d.name <> v_server.name
        and length(d.display_name) between 1 and 200 and length(d.description) between 1 and 2000
        and d.function_schema #>> '{function,name}' = d.name
        and octet_length(d.function_schema::text) <= 65536 and d.config ->> 'digest' ~ '^[0-9a-f]{64}$'
        and length(d.config ->> 'tool') between 1 and 200
      limit 128
    ),
    owned as (
      select t.id, t.name, t.config, t.function_schema, t.is_enabled
      from public.tools t
      where t.implementation_type = 'mcp' and t.config ->> 'server' = v_server.name
        and t.tenant_id is not distinct from v_server.tenant_id
    ),
    gone as (
      update public.tools t
      set is_enabled = false
      from owned o
      where t.id = o.id and o.is_enabled and not exists (select from offered f where f.name = o.name)
      returning t.name::text, 'gone, disabled' as change
    ),
    changed as (
      update public.tools t
      set display_name = f.display_name, description = f.description, function_schema = f.function_schema, config = f.full_config,
          is_enabled = t.is_enabled and o.config ->> 'digest' = f.config ->> 'digest'
      from owned o
      join offered f on f.name = o.name
      where t.id = o.id and (o.config, o.function_schema) is distinct from (f.full_config, f.function_schema)
      returning t.name::text, case when o.config ->> 'digest' = f.config ->> 'digest' then 'updated' else 'changed, disabled' end
    ),
    added as (
      insert into public.tools (
        name, display_name, description, category, function_schema, implementation_type, is_enabled, requires_confirmation,
        approvals_required, security_level, tenant_id, retry_class, taints, outward, destination, timeout_seconds,
        output_limit_bytes, config
      )
      select f.name, f.display_name, f.description, v_server.category, f.function_schema, 'mcp', false, v_server.requires_confirmation,
             v_server.approvals_required, v_server.security_level, v_server.tenant_id, v_server.retry_class, true, v_server.outward,
             coalesce(v_server.destination, '=server ' || v_server.name), v_server.timeout_seconds, v_server.output_limit_bytes,
             f.full_config
      from offered f
      where not exists (select from owned o where o.name = f.name)
      on conflict on constraint tools_name_key do nothing
      returning tools.name::text, 'added, disabled'
    ),
    taken as (
      select f.name, 'left out: the name is taken, choose another prefix'
      from offered f
      where not exists (select from owned o where o.name = f.name) and not exists (select from added a where a.name = f.name)
    )
    select * from gone union all select * from changed union all select * from added union all select * from taken
    order by 1;
end
$$;
comment on function public.adopt_server_tools(uuid) is
  'An admin takes the tools of a server into the table, as a call of the server''s row listed them (try_tool). New ones and those '
  'that the server describes otherwise than before are disabled until an admin enables them; so are those that are gone.';
