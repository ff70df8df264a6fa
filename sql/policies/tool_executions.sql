drop policy if exists "Users can view executions of tasks they can view" on public.tool_executions;
create policy "Users can view executions of tasks they can view" on public.tool_executions
  for select to authenticated
  using (
    -- The short cuts first (triggers/owner_hints.sql). The last line is never asked of another tenant's row.
    owner_id = (select private.me_by_hint())
    or tenant_id = (select private.my_tenant_as_admin())
    or case
      when tenant_id = any((select private.my_tenants())::uuid[])
        then (select true from public.tasks t where t.id = task_id)
    end
  );
