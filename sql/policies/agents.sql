drop policy if exists "People can view their own, shared and catalogue agents" on public.agents;
create policy "People can view their own, shared and catalogue agents" on public.agents
  for select to authenticated
  using (
    created_by = (select private.me())
    or (is_public and (tenant_id is null or tenant_id = (select private.my_tenant())) and (select private.me()) is not null)
    or (tenant_id = (select private.my_tenant()) and (select private.is_admin()))
  );

drop policy if exists "People who may write can create agents" on public.agents;
create policy "People who may write can create agents" on public.agents
  for insert to authenticated
  with check (
    (select private.can_write()) and created_by = (select private.me()) and tenant_id = (select private.my_tenant())
  );

drop policy if exists "Creators and admins can change agents" on public.agents;
create policy "Creators and admins can change agents" on public.agents
  for update to authenticated
  using (
    tenant_id = (select private.my_tenant()) and (select private.can_write())
    and (created_by = (select private.me()) or (select private.is_admin()))
  )
  with check (tenant_id = (select private.my_tenant()));

drop policy if exists "Creators and admins can delete agents" on public.agents;
create policy "Creators and admins can delete agents" on public.agents
  for delete to authenticated
  using (
    tenant_id = (select private.my_tenant()) and (select private.can_write())
    and (created_by = (select private.me()) or (select private.is_admin()))
  );
