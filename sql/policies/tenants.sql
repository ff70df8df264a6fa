drop policy if exists "Members can view their tenant" on public.tenants;
create policy "Members can view their tenant" on public.tenants
  for select to authenticated using (id = (select private.my_tenant()));
