drop policy if exists "Users can view tasks of conversations they can view" on public.tasks;
create policy "Users can view tasks of conversations they can view" on public.tasks
  for select to authenticated
  using (
    user_id = (select private.me_by_hint())
    or tenant_id = (select private.my_tenant_as_admin())
    or (user_id = (select private.me()) and tenant_id = any ((select private.my_tenants())::uuid[]))
    or (
      tenant_id = (select private.my_tenant()) and (select c.is_shared from public.conversations c where c.id = conversation_id)
    )
  );

drop policy if exists "Users can create tasks in own conversations" on public.tasks;
create policy "Users can create tasks in own conversations" on public.tasks
  for insert to authenticated
  with check (user_id = (select private.me()) and (select private.can_write()));

-- What an update may change: triggers/state.sql lets it ask for the end, and nothing else.
drop policy if exists "Users can ask for the end of own tasks" on public.tasks;
create policy "Users can ask for the end of own tasks" on public.tasks
  for update to authenticated
  using (
    user_id = (select private.me()) and tenant_id = any((select private.my_tenants())::uuid[]) and (select private.can_write())
  )
  with check (user_id = (select private.me()));
