drop policy if exists "Users can view files of conversations they can view" on public.files;
create policy "Users can view files of conversations they can view" on public.files
  for select to authenticated
  using (
    -- The short cuts first (triggers/owner_hints.sql). The last line is never asked of another tenant's row.
    owner_id = (select private.me_by_hint())
    or tenant_id = (select private.my_tenant_as_admin())
    or case
      when tenant_id = any((select private.my_tenants())::uuid[])
        then (select true from public.conversations c where c.id = conversation_id)
    end
  );

-- That the path is the task's own is held by triggers/ownership.sql.
drop policy if exists "Users can add files to own tasks" on public.files;
create policy "Users can add files to own tasks" on public.files
  for insert to authenticated
  with check (
    uploaded_by = (select private.me()) and (select private.can_write()) and execution_id is null and kind = 'file' and is_stored
    and exists (select from public.tasks t where t.id = task_id and t.user_id = (select private.me()))
  );
