-- Reading a conversation is what reading anything in it follows from: messages, tasks, executions, events and files ask
-- whether their conversation is visible to the caller.
drop policy if exists "Users can view own conversations" on public.conversations;
create policy "Users can view own conversations" on public.conversations
  for select to authenticated
  using (
    -- Each line can be read from an index. The first is the last one without what nearly nobody needs (triggers/owner_hints.sql).
    user_id = (select private.me_by_hint())
    or (tenant_id = (select private.my_tenant()) and is_shared)
    or tenant_id = (select private.my_tenant_as_admin())
    or (user_id = (select private.me()) and tenant_id = any((select private.my_tenants())::uuid[]))
  );

drop policy if exists "Users can create conversations" on public.conversations;
create policy "Users can create conversations" on public.conversations
  for insert to authenticated
  with check (user_id = (select private.me()) and (select private.can_write()));

drop policy if exists "Users can update own conversations" on public.conversations;
create policy "Users can update own conversations" on public.conversations
  for update to authenticated
  using (
    user_id = (select private.me()) and tenant_id = any((select private.my_tenants())::uuid[]) and (select private.can_write())
  )
  with check (user_id = (select private.me()));
