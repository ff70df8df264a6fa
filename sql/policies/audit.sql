-- Who may see and check the audit's chain: the owner all of them, a tenant's admins their own, by functions.

do $$
declare
  v_table text;
  v_function text;
begin
  for v_table in
    select t.tablename from pg_catalog.pg_tables t where t.schemaname = 'private' and t.tablename like 'audit\_%'
  loop
    execute format('revoke all on private.%I from public, anon, authenticated, service_role, agent_worker', v_table);
  end loop;
  revoke all on sequence private.audit_events_id_seq from public, anon, authenticated, service_role, agent_worker;
  foreach v_function in array array[
    'public.audit_head()', 'public.audit_verify(jsonb, integer, jsonb)',
    'public.audit_export(jsonb, integer, timestamptz, timestamptz)', 'private.my_audit_head()',
    'private.check_my_audit(jsonb, integer, jsonb)', 'private.export_my_audit(jsonb, integer, timestamptz, timestamptz)'
  ] loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role, agent_worker', v_function);
    execute format('grant execute on function %s to authenticated', v_function);
  end loop;
end
$$;
