-- Sets a key of the configuration. For psql and the Supabase SQL editor, as the owner of the tables; safe to run again.
-- docs/admin.md says what each key changes. Workers read the configuration with each task.

do $$
declare
  -- Parameters ------------------------------------------------------------------------------------------------------------
  v_key text := '';                       -- 'default_model'
  v_value text := '';                     -- 'qwen3:8b', '20', 'true'; of a key of your own: JSON
  v_is_new boolean := false;              -- true to add a key of your own
  v_is_sensitive boolean := null;         -- true hides it from everybody but the owner and the service key
  --------------------------------------------------------------------------------------------------------------------------
  v_known boolean;
  v_minimum bigint;
  v_maximum bigint;
  v_json jsonb;
  v_problem text;
begin
  v_key := btrim(coalesce(v_key, ''));
  v_value := btrim(coalesce(v_value, ''));
  if v_key = '' or v_value = '' then
    raise exception using errcode = 'AR005', message = 'set v_key and v_value first, at the top of this script';
  end if;
  v_known := exists (select from public.system_config c where c.config_key = v_key);
  if not v_known and not coalesce(v_is_new, false) then
    raise exception using
      errcode = 'AR002', message = format('there is no key %s: set v_is_new := true to add it', v_key),
      hint = 'Keys: ' || (select string_agg(c.config_key, ', ' order by c.config_key) from public.system_config c);
  elsif v_key !~ '^[a-z][a-z0-9_.]{0,254}$' then
    raise exception using errcode = 'AR005', message = format('v_key %s must be small letters, digits, _ and .', v_key);
  end if;

  case v_key
    when 'ollama_base_url' then
      v_problem := case when v_value !~ '^https?://[^\s/?#@]+(/[^\s?#]*)?$' then 'is no URL like http://localhost:11434' end;
      v_json := to_jsonb(v_value);
    when 'default_model' then
      v_problem := case when v_value !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$' or v_value = 'default' then 'is no name of a model' end;
      v_json := to_jsonb(v_value);
    when 'enable_audit_logging' then
      v_problem := case when v_value not in ('true', 'false') then 'is not true or false' end;
      v_json := to_jsonb(v_value = 'true');
    when 'max_conversation_history', 'file_upload_max_size', 'workspace_max_size', 'session_timeout', 'max_concurrent_tasks',
         'approval_timeout' then
      v_minimum := case when v_key in ('session_timeout', 'approval_timeout') then 60 else 1 end;
      v_maximum := case v_key
        when 'max_conversation_history' then 10000
        when 'file_upload_max_size' then 5368709120
        when 'workspace_max_size' then 1099511627776
        when 'session_timeout' then 31536000
        when 'approval_timeout' then 31536000
        else 1000
      end;
      if v_value ~ '^\d{1,15}$' and v_value::bigint between v_minimum and v_maximum then
        v_json := to_jsonb(v_value::bigint);
      else
        v_problem := format('is not a whole number from %s to %s', v_minimum, v_maximum);
      end if;
    else
      begin
        v_json := v_value::jsonb;
      exception when invalid_text_representation then
        v_problem := 'is not JSON: a text needs double quotes';
      end;
  end case;
  if v_problem is not null then
    -- A value that could be a secret is not repeated.
    raise exception using
      errcode = 'AR005',
      message = format('v_value %s for %s %s',
                       case when v_minimum is null and v_json is null then '(not shown)' else to_jsonb(left(v_value, 100))::text end,
                       v_key, v_problem);
  end if;

  insert into public.system_config (config_key, config_value, is_sensitive)
  values (v_key, v_json, coalesce(v_is_sensitive, false))
  on conflict (config_key) do update
  set config_value = excluded.config_value,
      is_sensitive = coalesce(v_is_sensitive, system_config.is_sensitive);
  raise notice '% is set', v_key;
end
$$;

select
  c.config_key,
  case when c.is_sensitive then '"***"' else c.config_value end as config_value,
  c.description,
  c.updated_at
from public.system_config c
order by c.config_key;
