-- Registers a tool, or changes what is registered of it. For psql and the Supabase SQL editor, as the owner of the tables;
-- safe to run again. A new tool is disabled until enable_or_forbid_tool.sql enables it, and an agent needs it among its tools.
-- The row governs a tool and tells the model of it. What runs is a file of its name in a worker's tool folder, or else what the row
-- says itself by v_config or v_implementation_code: docs/connect.md has an example of each kind.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_name text := '';                      -- 'invoice_lookup': small letters, digits and _
  v_display_name text := '';              -- 'Look up an invoice', for people
  v_description text := '';               -- for the model: what it does and when to use it
  v_category text := 'custom';            -- groups tools on the screen; not 'control'
  v_parameters jsonb := '{"type": "object", "properties": {}, "required": []}';  -- JSON schema of the arguments
  v_implementation_type text := 'python'; -- python, shell, api or mcp
  v_implementation_code text := null;     -- of python: the program, which runs in the sandbox
  v_config jsonb := null;                 -- of shell, api and mcp: what it runs, asks for or connects to; null: as it is
  v_tenant text := null;                  -- slug of the tenant whose tool it is; null: the platform's
  v_security_level text := 'moderate';    -- safe, moderate or dangerous
  v_requires_confirmation boolean := true;  -- a person approves each call
  v_approvals_required integer := 1;      -- 1 or 2 people, where a call needs approval: it is asked for, or dangerous
  v_retry_class text := 'unsafe';         -- after a crash: pure, idempotent and keyed run again, unsafe never
  v_taints boolean := true;               -- its output comes from outside
  v_outward boolean := true;              -- it sends data off the machine, spends, deletes or messages
  v_destination text := null;             -- where it goes: arguments that say so, 'url' or 'to, cc'; or '=' and a fixed text
  v_timeout_seconds integer := 60;        -- 1 to 86400
  v_output_limit_bytes integer := 16384;  -- 256 to 131072; more goes to a file
  --------------------------------------------------------------------------------------------------------------------------
  v_problem text;
  v_schema jsonb;
  v_tenant_id constant uuid := (select t.id from public.tenants t where t.slug = lower(btrim(v_tenant)));
begin
  v_name := btrim(coalesce(v_name, ''));
  v_problem := case
    when v_name = '' then 'set v_name first, at the top of this script'
    when v_name !~ '^[a-z][a-z0-9_]{0,63}$' then format('v_name %s must be small letters, digits and _, 64 at most', v_name)
    when btrim(coalesce(v_display_name, '')) = '' or length(v_display_name) > 255 then 'v_display_name needs 1 to 255 characters'
    when btrim(coalesce(v_description, '')) = '' then 'v_description is empty: the model reads it to know when to use the tool'
    when btrim(coalesce(v_category, '')) = '' or length(v_category) > 100 then 'v_category needs 1 to 100 characters'
    when v_category = 'control' or exists (select from public.tools t where t.name = v_name and t.category = 'control')
      then 'control tools are part of the loop and cannot be registered'
    when v_implementation_type is null or v_implementation_type not in ('python', 'shell', 'api', 'mcp')
      then format('v_implementation_type %s is not python, shell, api or mcp', v_implementation_type)
    when jsonb_typeof(v_config) <> 'object' then 'v_config is a JSON object'
    when v_tenant is not null and v_tenant_id is null then format('there is no tenant %s', v_tenant)
    when exists (select from public.tools t where t.name = v_name and t.tenant_id is distinct from v_tenant_id)
      then format('%s is taken: it is a tool of another tenant, or of the platform', v_name)
    when v_security_level is null or v_security_level not in ('safe', 'moderate', 'dangerous')
      then format('v_security_level %s is not safe, moderate or dangerous', v_security_level)
    when v_retry_class is null or v_retry_class not in ('pure', 'idempotent', 'keyed', 'unsafe')
      then format('v_retry_class %s is not pure, idempotent, keyed or unsafe', v_retry_class)
    when v_requires_confirmation is null or v_taints is null or v_outward is null
      then 'v_requires_confirmation, v_taints and v_outward are true or false'
    when v_destination !~ '^(=.*[^[:space:]].*|[A-Za-z0-9_-]+( *, *[A-Za-z0-9_-]+)*)$' or length(v_destination) > 255
      or (not starts_with(v_destination, '=')
          and not (v_parameters -> 'properties') ?& regexp_split_to_array(v_destination, ' *, *'))
      then format('v_destination %s is neither names of arguments nor = and a text', v_destination)
    when v_approvals_required is null or v_approvals_required not between 1 and 2
      then format('v_approvals_required %s is not 1 or 2', v_approvals_required)
    when v_timeout_seconds is null or v_timeout_seconds not between 1 and 86400
      then format('v_timeout_seconds %s is not between 1 and 86400', v_timeout_seconds)
    when v_output_limit_bytes is null or v_output_limit_bytes not between 256 and 131072
      then format('v_output_limit_bytes %s is not between 256 and 131072', v_output_limit_bytes)
    when v_parameters ->> 'type' is distinct from 'object'
      or jsonb_typeof(v_parameters -> 'properties') is distinct from 'object'
      or jsonb_typeof(coalesce(v_parameters -> 'required', '[]')) <> 'array'
      then 'v_parameters is no JSON schema of an object: {"type": "object", "properties": {…}, "required": […]}'
    when not (v_parameters -> 'properties') ?& array(select jsonb_array_elements_text(coalesce(v_parameters -> 'required', '[]')))
      then 'v_parameters requires what is not among its properties'
  end;
  if v_problem is not null then
    raise exception using errcode = 'AR005', message = v_problem;
  end if;

  v_schema := jsonb_build_object('type', 'function', 'function', jsonb_build_object(
    'name', v_name, 'description', v_description, 'parameters', v_parameters
  ));
  insert into public.tools (
    name, display_name, description, category, function_schema, implementation_type, implementation_code, is_enabled,
    requires_confirmation, approvals_required, security_level, retry_class, taints, outward, destination,
    timeout_seconds, output_limit_bytes, config, tenant_id
  )
  values (
    v_name, v_display_name, v_description, v_category, v_schema, v_implementation_type, v_implementation_code, false,
    v_requires_confirmation, v_approvals_required, v_security_level, v_retry_class, v_taints, v_outward,
    v_destination, v_timeout_seconds, v_output_limit_bytes, coalesce(v_config, '{}'), v_tenant_id
  )
  on conflict (name) do update
  set (
    display_name, description, category, function_schema, implementation_type, implementation_code,
    requires_confirmation, approvals_required, security_level, retry_class, taints, outward, destination,
    timeout_seconds, output_limit_bytes, config
  ) = (
    excluded.display_name, excluded.description, excluded.category, excluded.function_schema, excluded.implementation_type,
    excluded.implementation_code, excluded.requires_confirmation, excluded.approvals_required, excluded.security_level,
    excluded.retry_class,
    excluded.taints, excluded.outward, excluded.destination, excluded.timeout_seconds, excluded.output_limit_bytes,
    coalesce(v_config, tools.config)
  );
  raise notice 'tool % is registered', v_name;
end
$$;

select
  t.name,
  t.is_enabled,
  t.requires_confirmation,
  t.approvals_required,
  t.security_level,
  t.retry_class,
  t.timeout_seconds
from public.tools t
order by t.name;
