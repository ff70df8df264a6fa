-- Admins see the users of their tenant. One policy for both, because two permissive ones for a verb are evaluated twice.
drop policy if exists "Users can view own profile" on public.users;
create policy "Users can view own profile" on public.users
  for select to authenticated
  using (id = (select private.me()) or tenant_id = (select private.my_tenant_as_admin()));

-- Which columns: triggers/ownership.sql refuses role, tenant, e-mail and is_active.
drop policy if exists "Users can update own profile" on public.users;
create policy "Users can update own profile" on public.users
  for update to authenticated
  using (id = (select private.me()))
  with check (id = (select private.me()));
