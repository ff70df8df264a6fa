drop policy if exists "Admins can view the audit of their tenant" on public.audit_logs;
create policy "Admins can view the audit of their tenant" on public.audit_logs
  for select to authenticated
  using (
    (tenant_id = (select private.my_tenant()) and (select private.is_admin()))
    or (tenant_id is null and (select private.is_operator()))
  );
