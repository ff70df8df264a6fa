-- Reading public.system_config, and what its keys take.

create or replace function private.config(p_key text) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select c.config_value from public.system_config c where c.config_key = p_key
$$;

create or replace function private.config_number(p_key text, p_default bigint) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce((select (c.config_value #>> '{}')::bigint from public.system_config c where c.config_key = p_key), p_default)
$$;

create or replace function private.configuration_value(p_key text, p_value jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_value constant text := btrim(p_value #>> '{}');
  v_minimum bigint;
  v_maximum bigint;
  v_json jsonb;
  v_problem text;
begin
  if coalesce(v_value, '') = '' then
    raise exception using errcode = 'AR005', message = format('the value for %s is empty', p_key);
  end if;
  case p_key
    when 'ollama_base_url' then
      v_problem := case when v_value !~ '^https?://[^\s/?#@]+(/[^\s?#]*)?$' then 'is not a URL like http://localhost:11434' end;
      v_json := to_jsonb(v_value);
    when 'default_model' then
      v_problem := case when v_value !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$' or v_value = 'default' then 'is not a name of a model' end;
      v_json := to_jsonb(v_value);
    when 'enable_audit_logging' then
      v_problem := case when v_value not in ('true', 'false') then 'is not true or false' end;
      v_json := to_jsonb(v_value = 'true');
    when 'max_conversation_history', 'file_upload_max_size', 'workspace_max_size', 'session_timeout', 'max_concurrent_tasks',
         'approval_timeout' then
      v_minimum := case when p_key in ('session_timeout', 'approval_timeout') then 60::bigint else 1::bigint end;
      v_maximum := case p_key
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
      v_json := p_value;
  end case;
  if v_problem is not null then
    raise exception using
      errcode = 'AR005',
      message = format('%s for %s %s',
                       -- A value that could be a secret is not repeated.
                       case when p_key = 'ollama_base_url' then 'the value' else to_jsonb(left(v_value, 100))::text end, p_key, v_problem);
  end if;
  return v_json;
end
$$;
comment on function private.configuration_value(text, jsonb) is
  'The value as it is stored, or AR005. Known keys take text as well as numbers and booleans: "20" and 20; keys of your own take any JSON.';
