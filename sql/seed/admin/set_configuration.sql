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
  v_json jsonb;
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

  if v_key in (
    'ollama_base_url', 'default_model', 'enable_audit_logging', 'max_conversation_history', 'file_upload_max_size', 'workspace_max_size',
    'session_timeout', 'max_concurrent_tasks', 'approval_timeout'
  ) then
    v_json := to_jsonb(v_value);
  else
    begin
      v_json := v_value::jsonb;
    exception when invalid_text_representation then
      -- It could be a secret, and is not repeated.
      raise exception using
        errcode = 'AR005', message = format('v_value (not shown) for %s is not JSON: a text needs double quotes', v_key);
    end;
  end if;
  v_json := private.configuration_value(v_key, v_json);

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
