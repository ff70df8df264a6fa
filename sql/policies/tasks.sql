drop policy if exists "Users can view tasks of conversations they can view" on public.tasks;
create policy "Users can view tasks of conversations they can view" on public.tasks
  for select to authenticated
  using (
    -- The first two are short cuts (triggers/owner_hints.sql). Each line can be read from an index.
    user_id = (select private.me_by_hint())
    or tenant_id = (select private.my_tenant_as_admin())
    or (
      tenant_id = any((select private.my_tenants())::uuid[])
      and (select true from public.conversations c where c.id = conversation_id)
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
