drop policy if exists "People can view the platform's and their tenant's tools" on public.tools;
create policy "People can view the platform's and their tenant's tools" on public.tools
  for select to authenticated
  using ((tenant_id is null and (select private.me()) is not null) or tenant_id = (select private.my_tenant()));
