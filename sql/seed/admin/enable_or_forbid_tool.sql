-- Enables or forbids a tool for everybody, and says how it may be used. For psql and the Supabase SQL editor, as the owner of
-- the tables; safe to run again. What is left null stays as it is. It holds from the next call on, in tasks that run too.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_name text := '';                        -- 'shell_exec'
  v_is_enabled boolean := null;             -- false forbids it: the model is told so
  v_requires_confirmation boolean := null;  -- true: a person approves each call
  v_approvals_required integer := null;     -- 1, or 2 for two different people, where a call needs approval
  v_timeout_seconds integer := null;        -- 1 to 86400
  v_output_limit_bytes integer := null;     -- 256 to 131072; more goes to a file
  --------------------------------------------------------------------------------------------------------------------------
  v_tool public.tools;
begin
  v_name := btrim(coalesce(v_name, ''));
  if v_name = '' then
    raise exception using errcode = 'AR005', message = 'set v_name first, at the top of this script';
  end if;
  select * into v_tool from public.tools t where t.name = v_name for no key update;
  if not found then
    raise exception using
      errcode = 'AR002', message = format('there is no tool named %s', v_name),
      hint = 'Tools: ' || (select string_agg(t.name, ', ' order by t.name) from public.tools t where t.category <> 'control');
  end if;
  v_tool := private.change_tool(
    v_tool, v_is_enabled, v_requires_confirmation, v_approvals_required, v_timeout_seconds, v_output_limit_bytes
  );
  raise notice 'tool % is %', v_name, case when v_tool.is_enabled then 'enabled' else 'forbidden' end;
end
$$;

select
  t.name,
  t.is_enabled,
  t.requires_confirmation,
  t.approvals_required,
  t.security_level,
  t.timeout_seconds,
  t.output_limit_bytes
from public.tools t
order by t.name;
