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
  v_problem text;
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
  v_problem := case
    when coalesce(
      v_is_enabled::text, v_requires_confirmation::text, v_approvals_required::text, v_timeout_seconds::text,
      v_output_limit_bytes::text
    ) is null
      then 'nothing to change: set v_is_enabled or another parameter at the top of this script'
    when v_tool.category = 'control' and (v_is_enabled is false or v_requires_confirmation)
      then format('%s is part of the loop: without it no task could plan, ask or end', v_name)
    when v_approvals_required not between 1 and 2 then format('v_approvals_required %s is not 1 or 2', v_approvals_required)
    when v_timeout_seconds not between 1 and 86400 then format('v_timeout_seconds %s is not between 1 and 86400', v_timeout_seconds)
    when v_output_limit_bytes not between 256 and 131072
      then format('v_output_limit_bytes %s is not between 256 and 131072', v_output_limit_bytes)
  end;
  if v_problem is not null then
    raise exception using errcode = 'AR005', message = v_problem;
  end if;
  update public.tools t
  set is_enabled = coalesce(v_is_enabled, t.is_enabled),
      requires_confirmation = coalesce(v_requires_confirmation, t.requires_confirmation),
      approvals_required = coalesce(v_approvals_required, t.approvals_required),
      timeout_seconds = coalesce(v_timeout_seconds, t.timeout_seconds),
      output_limit_bytes = coalesce(v_output_limit_bytes, t.output_limit_bytes)
  where t.id = v_tool.id
  returning * into v_tool;
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
