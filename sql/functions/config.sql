-- Reading public.system_config.

create or replace function private.config(p_key text) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select c.config_value from public.system_config c where c.config_key = p_key
$$;

create or replace function private.config_number(p_key text, p_default bigint) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce((select (c.config_value #>> '{}')::bigint from public.system_config c where c.config_key = p_key), p_default)
$$;
