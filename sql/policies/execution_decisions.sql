drop policy if exists "Users can view decisions on executions they can view" on public.execution_decisions;
create policy "Users can view decisions on executions they can view" on public.execution_decisions
  for select to authenticated
  using (
    tenant_id = (select private.my_tenant_as_admin())
    or case
      when tenant_id = any((select private.my_tenants())::uuid[])
        then (select true from public.tool_executions e where e.id = execution_id)
    end
  );
