-- JSON arguments, however they arrive.

create or replace function private.json(p_value jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  -- Some APIs hand a JSON argument over as a string that holds the JSON.
  return case when pg_catalog.jsonb_typeof(p_value) = 'string' then (p_value #>> '{}')::jsonb else p_value end;
end
$$;
